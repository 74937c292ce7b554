//! Inner loops. `isa` says which instruction set is live; `packed` and `step` drive the products and the update of
//! packed tensors; `scalar` holds the unsafe-free twin that every fast kernel is compared with.

pub mod activation;
pub mod gemm;
mod isa;
pub mod packed;
pub mod scalar;
pub mod step;
mod strip;

pub use isa::{Isa, init, isa};
