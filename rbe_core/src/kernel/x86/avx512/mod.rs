//! AVX-512 kernels of packed tensors. Small batches: sixteen rows in lanes, sums of four inputs looked up by `vpermps`; large ones:
//! sixteen samples in lanes.
//!
//! Every product is checked against `kernel::scalar` in float64 by the tests of `kernel::packed`.

mod dots_dx;
mod dots_forward;
mod dx;
mod dx_few;
mod few;
mod int8;
mod lanes;
mod products;
mod quantised;
mod rows;
mod update;
mod windows;

pub(in crate::kernel) use int8::{add_excess, dot_u8_i8, measure, round_four, scaled};
pub(in crate::kernel) use lanes::Avx512;
pub(super) use lanes::{column_bits, load, load_words};
pub(in crate::kernel) use products::{dx, dx_of, flips, forward, level_gradient};
pub(in crate::kernel) use quantised::{dots_at_once, dx_quantised, forward_quantised, lanes_quantised, order_quantised};
pub(in crate::kernel) use update::{accumulate_row, adam_step, charge_row};
pub(in crate::kernel) use windows::{dot_of_windows, dx_of_windows, forward_of_windows, lanes_of_windows, prepare_dx};
