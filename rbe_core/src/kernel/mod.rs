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
mod by_isa;
mod dense;
mod dy_tiles;
pub(crate) mod each;
pub mod elementary;
mod family;
pub mod gemm;
mod isa;
pub(crate) mod lane_sum;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod levels;
pub mod packed;
pub mod recurrent;
pub mod reduce;
pub(crate) mod remainder;
#[cfg(target_arch = "x86_64")]
pub mod row_norm;
mod rows;
#[cfg(target_arch = "x86_64")]
mod samples;
#[cfg(target_arch = "x86_64")]
mod samples_dx;
pub mod scalar;
mod single;
pub mod softmax;
pub mod step;
pub(crate) mod stream;
mod strip;
pub(crate) mod sums;
mod view;

pub(crate) use by_isa::by_isa;
pub use isa::{Isa, init, isa, set_isa};
