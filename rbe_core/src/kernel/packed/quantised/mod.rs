//! Products with inputs rounded to int8: their sums are exact integers, so that every instruction set gives the same bits
//! (design/int8.md).

pub(in crate::kernel) mod dx;
pub(in crate::kernel) mod dx_few;
#[cfg(target_arch = "x86_64")]
pub(in crate::kernel) mod few;
#[cfg(target_arch = "x86_64")]
pub(in crate::kernel) mod few_floats;
pub(in crate::kernel) mod operands;
pub(in crate::kernel) mod order_dy;
mod products;
mod quantise;
pub mod reference;
pub(in crate::kernel) mod short_lanes;
pub(in crate::kernel) mod subset_sums;
mod transpose;
pub mod windows;

pub use operands::Method;
pub use products::{dx, dx_by, forward, forward_by, round_and_forward};
pub use quantise::{quantise, restore};
