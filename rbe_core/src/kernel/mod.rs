//! Loops over slices: `dense` of ordinary arrays, `packed` the products of packed tensors, `update` their optimiser step. `x86` and `arm`
//! have what an instruction set has of its own, `dispatch` chooses it; `reference` in `packed` and `update` are the twins without unsafe code
//! that every fast kernel is compared with.

#![allow(unsafe_code)]
// Other processors than x86-64 have fewer vector kernels, or none: what only these use is compiled there all the same, and where one of
// the unsafe kernels of x86-64 is expected they call safe ones.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_unsafe))]

#[cfg(target_arch = "aarch64")]
mod arm;
pub mod dense;
mod dispatch;
pub(crate) mod noise;
pub mod packed;
mod scratch;
mod shared;
pub mod update;
#[cfg(target_arch = "x86_64")]
mod x86;
