//! The packed format: 64 weights of one row in 128 bits.

mod block;
mod cycle;
mod encode;
mod factors;
mod foreign;
mod init;
mod levels;
mod quantised;
mod tensor;

pub use block::{BITS, MAX_RADIUS, Packed128};
pub use cycle::{CYCLE_BITS, Cycle, Family};
pub use factors::{FactorPair, Magnitude, PackedGradient};
pub(crate) use levels::check_points;
pub use levels::{jacobian, levels, point_of_levels, pull_back};
pub use quantised::Quantised;
pub use tensor::{PackedParts, PackedTensor, TILE_ROWS, Tile};
