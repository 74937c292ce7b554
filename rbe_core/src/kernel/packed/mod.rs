//! Products of packed tensors. `products` cuts the work and picks the kernels; `samples_in_lanes` and `rows_in_lanes` are named after
//! what the lanes of their vectors hold; `reference` is the twin in plain loops, `portable` is for machines without vector kernels.

pub mod activation;
pub(in crate::kernel) mod dy_layout;
pub(in crate::kernel) mod lane_layout;
pub(in crate::kernel) mod lanes;
pub(in crate::kernel) mod operands;
pub(in crate::kernel) mod portable;
mod products;
pub mod quantised;
pub mod reference;
pub(crate) mod row_panel;
pub(in crate::kernel) mod rows_in_lanes;
pub(in crate::kernel) mod samples_in_lanes;
pub(in crate::kernel) mod samples_in_lanes_dx;
pub(in crate::kernel) mod tile_levels;
pub(in crate::kernel) mod view;

pub use products::{Grads, backward, bias_gradient, dx, flip_gradient, forward, level_gradient, to_flips, weight_gradient};
