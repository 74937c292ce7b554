//! Kernels for NEON.
//!
//! Every processor that this is compiled for has NEON, and the compiler uses it for plain Rust, too: the optimiser's step is plain Rust but for
//! the sums of int8 products.

mod dot;
mod few;
mod int8;
mod lanes;
mod products;
mod quantised;
mod windows;

pub(in crate::kernel) use crate::kernel::packed::quantised::windows::gradient::dot as dot_of_windows;
pub(in crate::kernel) use crate::kernel::packed::tile_levels::flips;
pub(in crate::kernel) use crate::kernel::update::accumulate_row;
pub(in crate::kernel) use crate::kernel::update::charge::charge_row;
pub(in crate::kernel) use crate::kernel::update::int8::{add_excess, measure, round_four, scaled};
pub(in crate::kernel) use crate::kernel::update::level_parameters::adam_step;
pub(in crate::kernel) use int8::dot_u8_i8;
pub(in crate::kernel) use products::{dx, forward, level_gradient, order};
pub(in crate::kernel) use quantised::{dots_at_once, dx_quantised, forward_quantised, lanes_quantised, order_quantised};
pub(in crate::kernel) use windows::{dx_of_windows, forward_of_windows, lanes_of_windows, prepare_dx};
