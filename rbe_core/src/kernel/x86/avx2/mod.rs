//! Kernels for AVX2 with FMA.

mod dx;
mod few;
mod int8;
mod lanes;
mod products;
mod quantised;
mod rows;
mod update;
mod windows;

pub(in crate::kernel) use int8::{add_excess, dot_u8_i8, measure, round_four, scaled};
pub(in crate::kernel) use lanes::{Avx2, across_halves, transpose};
pub(in crate::kernel) use products::{dx, flips, forward, level_gradient, order};
pub(in crate::kernel) use quantised::{dots_at_once, dx_quantised, forward_quantised, lanes_quantised, order_quantised};
pub(in crate::kernel) use update::{accumulate_row, adam_step, charge_row};
pub(in crate::kernel) use windows::{dot_of_windows, dx_of_windows, forward_of_windows, lanes_of_windows, prepare_dx};
