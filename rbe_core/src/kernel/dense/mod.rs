//! Kernels of dense operands: slices in, slices out.

pub mod attention;
pub(crate) mod batch_norm;
pub mod elementary;
mod elementary_f32;
mod elementary_f64;
pub(crate) mod elementwise;
pub mod finish;
pub mod gemm;
pub(crate) mod half;
pub(crate) mod lane_sum;
pub mod matrix;
pub(crate) mod pair_pool;
pub mod recurrent;
pub mod reduce;
pub(crate) mod remainder;
pub mod row_norm;
mod row_product;
mod small_product;
pub mod softmax;
pub(crate) mod special;
pub mod squares;
pub(crate) mod stream;
pub(crate) mod sums;
