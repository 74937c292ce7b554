//! AVX-512 kernels of packed tensors. Small batches: sixteen rows in lanes, sums of four inputs looked up by `vpermps`; large ones:
//! sixteen samples in lanes.
//!
//! Every product is checked against `kernel::scalar` in float64 by the tests of `kernel::packed`.

mod dx;
mod dx_few;
mod lanes;
mod products;
mod rounded;
mod rows;
mod update;

pub(in crate::kernel) use lanes::Avx512;
pub(in crate::kernel) use products::{dx, dx_of, flips, forward, level_gradient};
pub(in crate::kernel) use rounded::{add_excess, measure, quad, scaled, sums};
pub(in crate::kernel) use update::{accumulate_row, charge_row, points};
