//! One step of a weight, row panel by row panel.

use super::panel::{RowPanel, StateSlices, Sums, WeightStep};
use super::{reference, vector};
use crate::kernel::packed::row_panel::{PANEL_ROWS, panels};
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, TILE_ROWS};
use crate::parallel;

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
        if step.p.interaction == 0.0 {
            return vector::update(step, panel);
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
