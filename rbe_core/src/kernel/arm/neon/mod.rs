//! Kernels for NEON.
//!
//! Every processor that this is compiled for has it: code without intrinsics becomes NEON code of itself, so that kernels in plain Rust
//! serve where they are as fast.

mod few;
mod lanes;
mod products;
mod quantised;

pub(in crate::kernel) use crate::kernel::packed::tile_levels::flips;
pub(in crate::kernel) use crate::kernel::update::accumulate_row;
pub(in crate::kernel) use crate::kernel::update::charge::charge_row;
pub(in crate::kernel) use crate::kernel::update::int8::{add_excess, dot_u8_i8, measure, round_four, scaled};
pub(in crate::kernel) use crate::kernel::update::level_parameters::adam_step;
pub(in crate::kernel) use products::{dx, forward, level_gradient, order};
pub(in crate::kernel) use quantised::{dx_quantised, forward_quantised, lanes_quantised, order_quantised};
