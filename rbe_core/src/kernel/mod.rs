//! Inner loops. `isa` says which instruction set is live; `packed` and `step` drive the products and the update of
//! packed tensors, the products by `samples` and `rows`, named after what their lanes hold; `scalar` holds the
//! unsafe-free twin that every fast kernel is compared with.

#![allow(unsafe_code)]
// Processors other than x86-64 have no vector kernels yet. The code that leads to them compiles there all the same, and never runs.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unreachable_code, unused_imports, unused_mut, unused_unsafe, unused_variables))]

pub mod activation;
pub mod attention;
mod dense;
mod dispatch;
mod dy_tiles;
pub(crate) mod each;
pub mod elementary;
mod family;
pub mod gemm;
mod isa;
pub(crate) mod lane_sum;
mod lanes;
mod levels;
pub mod packed;
pub mod recurrent;
pub mod reduce;
pub(crate) mod remainder;
pub mod row_norm;
mod rows;
mod samples;
mod samples_dx;
pub mod scalar;
mod single;
pub mod softmax;
pub mod step;
pub(crate) mod stream;
mod strip;
pub(crate) mod sums;
mod view;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use dispatch::multiversion;
pub use isa::{Isa, VectorIsa, init, isa, set_isa};
