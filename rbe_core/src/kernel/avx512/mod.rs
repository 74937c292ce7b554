//! AVX-512 kernels of packed tensors: sixteen rows in lanes, sums of four inputs looked up by `vpermps`.
//!
//! Every product is checked against `kernel::scalar` in float64 by the tests of `kernel::packed`.

mod dx;
mod forward;
mod levels_gradient;
mod step;
mod subset;

pub(super) use dx::dx;
pub(super) use forward::forward;
pub(super) use levels_gradient::level_gradient;
pub(super) use step::{accumulate_row, charge_row, points};
