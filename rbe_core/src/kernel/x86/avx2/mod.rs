//! Kernels for AVX2 with FMA.

mod dx;
mod lanes;
mod products;
mod rounded;
mod rows;
mod update;

pub(in crate::kernel) use lanes::{across_halves, transpose};
pub(in crate::kernel) use products::{dx, flips, forward, level_gradient, order};
pub(in crate::kernel) use rounded::{add_excess, measure, quad, scaled, sums};
pub(in crate::kernel) use update::{accumulate_row, charge_row, points};
