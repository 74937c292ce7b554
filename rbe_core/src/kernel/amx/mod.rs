//! Kernels for AMX, the tile registers beside AVX-512: products of 16 x 64 by 64 x 16 bytes in one instruction.

mod rounded;
mod tiles;

pub(super) use super::avx512::{accumulate_row, charge_row, dx, forward, level_gradient, order, points};
pub(super) use rounded::{add_excess, maxima, quad, scaled, sums};
pub(super) use tiles::is_available;
