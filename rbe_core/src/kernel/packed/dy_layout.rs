//! The upstream gradient in the orders that the backward kernels read it.

use std::ops::Range;

use super::lane_layout::{Family, SAMPLES};
use super::view::View;
use crate::kernel::shared::Shared;
use crate::packed::TILE_ROWS;

/// `dy` cut into chunks of samples, and those into row tiles, zero beyond the last row: a tile as (sample, row), or where
/// samples are to be in lanes as (row, sample), zero beyond the last sample.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct DyTiles<'a> {
    rows: &'a [f32],
    /// First sample of `rows`.
    first_in_rows: usize,
    lanes: &'a [f32],
    /// Samples.
    pub batch: usize,
    row_tiles: usize,
    /// Row tile that counts as the first.
    first_tile: usize,
    /// Family of the last chunk if it is not whole.
    rest: Family,
}

/// Which orders the kernels read.
#[derive(Clone, Copy)]
pub(in crate::kernel) enum DyOrder {
    /// (sample, row) only.
    Rows,
    /// Of every chunk what its family reads: (sample, row), or (row, sample), which the function writes as (row tile, row, sample).
    Lanes(unsafe fn(family: Family, dy: &[f32], w: &View<'_>, out: &mut [f32])),
}

impl DyOrder {
    /// Samples of `batch` that are ordered as (sample, row), the last ones.
    fn in_rows(self, batch: usize, rest: Family) -> usize {
        match self {
            DyOrder::Rows => batch,
            DyOrder::Lanes(_) if rest.lanes().is_none() => batch % SAMPLES,
            DyOrder::Lanes(_) => 0,
        }
    }

    /// Samples ordered as (row, sample), with those that fill up the lanes.
    fn in_lanes(self, batch: usize, rest: Family) -> usize {
        let last = if batch.is_multiple_of(SAMPLES) { 0 } else { rest.lanes().unwrap_or(0) };
        match self {
            DyOrder::Rows => 0,
            DyOrder::Lanes(_) => batch / SAMPLES * SAMPLES + last,
        }
    }
}

impl<'a> DyTiles<'a> {
    /// DyOrder `dy (batch, rows)` in `data` of [`DyTiles::len`] numbers. `each(n, task)` calls `task(i)` for every `i` below `n`.
    ///
    /// # Safety
    /// This machine has the instruction set of the function in `orders`.
    pub(in crate::kernel) unsafe fn order(
        dy: &[f32],
        w: &View<'_>,
        (rest, orders): (Family, DyOrder),
        data: &'a mut [f32],
        each: impl Fn(usize, &(dyn Fn(usize) + Sync)),
    ) -> DyTiles<'a> {
        let (batch, row_tiles) = (dy.len() / w.rows, w.row_tiles());
        assert!(data.len() == Self::len(batch, w, rest, orders), "ordered gradient: lengths");
        let first_in_rows = batch - orders.in_rows(batch, rest);
        let size = row_tiles * TILE_ROWS;
        let (out_rows, out_lanes) = data.split_at_mut((batch - first_in_rows) * size);
        {
            let (out_rows, out_lanes) = (Shared::whole(out_rows), Shared::whole(out_lanes));
            let chunk = |c: usize| {
                let (first, last) = (c * SAMPLES, ((c + 1) * SAMPLES).min(batch));
                let dy = &dy[first * w.rows..last * w.rows];
                if first >= first_in_rows {
                    // SAFETY: every chunk has a part of its own.
                    rows_in_lanes(dy, w, unsafe { out_rows.part(0, (first - first_in_rows) * size, (last - first) * size) });
                }
                let family = if last - first == SAMPLES { Family::Sixteen } else { rest };
                if let (Some(n), DyOrder::Lanes(order)) = (family.lanes(), orders) {
                    // SAFETY: as above; the instruction set is the caller's to vouch for.
                    unsafe { order(family, dy, w, out_lanes.part(0, first * size, n * size)) };
                }
            };
            each(batch.div_ceil(SAMPLES), &chunk);
        }
        DyTiles { rows: out_rows, first_in_rows, lanes: out_lanes, batch, row_tiles, first_tile: 0, rest }
    }

    /// Numbers that the ordered gradient takes.
    pub(in crate::kernel) fn len(batch: usize, w: &View<'_>, rest: Family, orders: DyOrder) -> usize {
        (orders.in_rows(batch, rest) + orders.in_lanes(batch, rest)) * w.row_tiles() * TILE_ROWS
    }

    /// What is left of it from row tile `tile` on.
    pub(in crate::kernel) fn tiles_after(self, tile: usize) -> DyTiles<'a> {
        DyTiles { first_tile: self.first_tile + tile, ..self }
    }

    /// Number of chunks.
    pub(in crate::kernel) fn chunks(&self) -> usize {
        self.batch.div_ceil(SAMPLES)
    }

    /// Samples of chunk `c`.
    #[inline(always)]
    pub(in crate::kernel) fn samples(&self, c: usize) -> usize {
        (self.batch - c * SAMPLES).min(SAMPLES)
    }

    /// Family of chunk `c`.
    pub(in crate::kernel) fn family(&self, c: usize) -> Family {
        if self.samples(c) == SAMPLES { Family::Sixteen } else { self.rest }
    }

    /// The chunks with sixteen samples in lanes.
    pub(in crate::kernel) fn sixteens(&self) -> Range<usize> {
        0..self.chunks() - usize::from(self.rest().is_some())
    }

    /// The last chunk if it is of another family.
    pub(in crate::kernel) fn rest(&self) -> Option<(usize, Family)> {
        let last = self.chunks().checked_sub(1)?;
        let family = self.family(last);
        (family != Family::Sixteen).then_some((last, family))
    }

    /// The sixteen rows of tile `r` of a chunk with `N` samples in lanes.
    #[inline(always)]
    pub(in crate::kernel) fn lanes<const N: usize>(&self, c: usize, r: usize) -> &'a [[f32; N]] {
        &self.lanes.as_chunks().0[c * SAMPLES / N * self.row_tiles * TILE_ROWS + (self.first_tile + r) * TILE_ROWS..][..TILE_ROWS]
    }

    /// The samples of tile `r` of chunk `c`.
    #[inline(always)]
    pub(in crate::kernel) fn rows(&self, c: usize, r: usize) -> &'a [[f32; TILE_ROWS]] {
        let here = self.samples(c);
        &self.rows.as_chunks().0[(c * SAMPLES - self.first_in_rows) * self.row_tiles + (self.first_tile + r) * here..][..here]
    }
}

/// Writes `dy (samples, rows)` in the order (row tile, sample, row).
fn rows_in_lanes(dy: &[f32], w: &View<'_>, out: &mut [f32]) {
    let samples = dy.len() / w.rows;
    for (b, row) in dy.chunks_exact(w.rows).enumerate() {
        for (r, sixteen) in row.chunks(TILE_ROWS).enumerate() {
            let out = &mut out[(r * samples + b) * TILE_ROWS..][..TILE_ROWS];
            match sixteen.first_chunk::<TILE_ROWS>() {
                Some(whole) => out.copy_from_slice(whole),
                None => {
                    out[..sixteen.len()].copy_from_slice(sixteen);
                    out[sixteen.len()..].fill(0.0);
                }
            }
        }
    }
}
