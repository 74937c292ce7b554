//! Inner loops. `isa` says which instruction set is live; `packed` and `step` drive the products and the update of
//! packed tensors, the products by `samples` and `rows`, named after what their lanes hold; `scalar` holds the
//! unsafe-free twin that every fast kernel is compared with.

pub mod activation;
#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dense;
mod dy_tiles;
pub mod elementary;
mod family;
pub mod gemm;
mod isa;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod levels;
pub mod packed;
pub mod recurrent;
#[cfg(target_arch = "x86_64")]
mod rows;
#[cfg(target_arch = "x86_64")]
mod samples;
#[cfg(target_arch = "x86_64")]
mod samples_dx;
pub mod scalar;
pub mod step;
mod strip;
mod view;

pub use isa::{Isa, init, isa, set_isa};
