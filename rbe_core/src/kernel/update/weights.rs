//! One step of a weight, row panel by row panel.

use super::StepParams;
use super::bounds::{Bounds, Pace};
use super::source::Source;
use super::{reference, vector};
use crate::kernel::packed::row_panel::{PANEL_ROWS, panels};
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, PackedTensor, TILE_ROWS, Tile};
use crate::parallel;

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

/// Updates bits, level parameters and state of a weight.
pub(crate) fn update_weights(step: &WeightStep<'_>, state: StateSlices<'_>) -> Sums {
    let (w, blocks) = (step.w, step.w.blocks());
    let width = blocks * BITS;
    let mut tiles = w.tiles_mut();
    let mut work: Vec<RowPanel<'_>> = memory::with_capacity(panels(w));
    let mut charges = state.charges.chunks_mut(PANEL_ROWS * width);
    let mut m = state.m.chunks_mut(PANEL_ROWS * blocks * 2);
    let mut v = state.v.chunks_mut(PANEL_ROWS * blocks);
    let mut moments = state.row_moment.chunks_mut(PANEL_ROWS);
    for (s, tiles) in tiles.chunks_mut(PANEL_ROWS / TILE_ROWS * blocks).enumerate() {
        if let (Some(charges), Some(m), Some(v), Some(row_moment)) = (charges.next(), m.next(), v.next(), moments.next()) {
            work.push(RowPanel { first: s * PANEL_ROWS, tiles, charges, m, v, row_moment });
        }
    }
    let partial: Vec<Sums> = parallel::map_mut(&mut work, |s, panel| {
        if let (Some(set), 0.0) = (step.source.isa().vectors(), step.p.interaction) {
            return vector::update(set, step, panel);
        }
        let mut g = scratch(panel.row_moment.len() * width);
        step.source.panel(w, s, g.slice_mut());
        reference::update(step, panel, g.slice())
    });
    let mut sums = Sums { flips: 0, columns: memory::zeros(w.cols()), points: 0.0 };
    for part in partial {
        sums.flips += part.flips;
        sums.points += part.points;
        sums.columns.iter_mut().zip(part.columns).for_each(|(c, p)| *c += p);
    }
    for (moment, sum) in state.col_moment.iter_mut().zip(&sums.columns) {
        *moment = step.bounds.follow(*moment, sum / w.rows() as f64);
    }
    sums
}
