//! What the kernels of a step take and give, for a whole weight and for one row panel of it.

use super::StepParams;
use super::bounds::{Bounds, Pace};
use super::source::Source;
use crate::packed::{PackedTensor, Tile};

/// What an optimiser keeps for a packed tensor. The moments of the level parameters lie as those do, sixteen rows beside each other.
pub(crate) struct StateSlices<'a> {
    /// (rows, blocks * 64)
    pub charges: &'a mut [u8],
    /// (rows)
    pub row_moment: &'a mut [f32],
    /// (cols)
    pub col_moment: &'a mut [f32],
    /// (row tiles, blocks, 2, 16)
    pub m: &'a mut [f32],
    /// (row tiles, blocks, 16)
    pub v: &'a mut [f32],
}

/// What all row panels of a step share.
pub(crate) struct WeightStep<'a> {
    pub w: &'a PackedTensor,
    pub p: &'a StepParams,
    pub source: &'a Source<'a>,
    /// `1 / sqrt(row moment)` (rows)
    pub row_scale: &'a [f32],
    /// `1 / sqrt(column moment)` (blocks * 64), 0 at unused bits
    pub col_scale: &'a [f32],
    pub pace: Pace,
    pub bounds: Bounds,
    /// Seed of this step's random numbers.
    pub stream: u32,
}

/// Mutable parts of one row panel, owned by one task.
pub(super) struct RowPanel<'a> {
    pub first: usize, // its first row
    pub tiles: &'a mut [Tile],
    pub charges: &'a mut [u8],
    pub m: &'a mut [f32],
    pub v: &'a mut [f32],
    pub row_moment: &'a mut [f32],
}

/// What a row panel, or all of them, adds up.
pub(crate) struct Sums {
    pub flips: u64,
    /// Of G² (cols).
    pub columns: Vec<f64>,
    /// Of what was added to the second moments of the level parameters.
    pub points: f64,
}
