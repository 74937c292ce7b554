//! Kernels for AVX2 with FMA.

mod dx;
mod lanes;
mod products;
mod rounded;
mod rows;
mod step;

pub(super) use lanes::{across_halves, transpose};
pub(super) use products::{dx, flips, forward, level_gradient, order};
pub(super) use rounded::{add_excess, measure, quad, scaled, sums};
pub(super) use step::{accumulate_row, charge_row, points};
