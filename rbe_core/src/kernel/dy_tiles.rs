//! The upstream gradient in the order that the backward kernels read it.

use super::view::{Shared, View};
use crate::packed::TILE_ROWS;
use crate::parallel;

/// `dy` as (chunk of samples, row tile, sample of the chunk) of sixteen rows each, zero beyond the last row.
#[derive(Clone, Copy)]
pub(super) struct DyTiles<'a> {
    data: &'a [[f32; TILE_ROWS]],
    pub batch: usize,
    row_tiles: usize,
}

impl<'a> DyTiles<'a> {
    /// Samples of a chunk.
    pub(super) const SAMPLES: usize = 32;

    /// Orders `dy (batch, rows)` into `data (row tiles * batch * 16)`.
    pub(super) fn order(dy: &[f32], w: &View<'_>, data: &'a mut [f32], shared: bool) -> DyTiles<'a> {
        let (batch, row_tiles) = (dy.len() / w.rows, w.row_tiles());
        let len = data.len();
        let out = Shared::new(data, len);
        let chunk = |c: usize| {
            let first = c * Self::SAMPLES;
            let here = (batch - first).min(Self::SAMPLES);
            // SAFETY: every chunk has samples of its own.
            let out = unsafe { out.part(0, first * row_tiles * TILE_ROWS, here * row_tiles * TILE_ROWS) };
            for b in 0..here {
                let row = &dy[(first + b) * w.rows..][..w.rows];
                for (r, sixteen) in row.chunks(TILE_ROWS).enumerate() {
                    let out = &mut out[(r * here + b) * TILE_ROWS..][..TILE_ROWS];
                    match sixteen.first_chunk::<TILE_ROWS>() {
                        Some(whole) => out.copy_from_slice(whole),
                        None => {
                            out[..sixteen.len()].copy_from_slice(sixteen);
                            out[sixteen.len()..].fill(0.0);
                        }
                    }
                }
            }
        };
        let chunks = batch.div_ceil(Self::SAMPLES);
        if shared {
            parallel::for_each(chunks, chunk)
        } else {
            (0..chunks).for_each(chunk)
        }
        DyTiles { data: data.as_chunks().0, batch, row_tiles }
    }

    /// The samples of chunk `c` for row tile `r`.
    #[inline(always)]
    pub(super) fn samples(&self, c: usize, r: usize) -> &'a [[f32; TILE_ROWS]] {
        let here = (self.batch - c * Self::SAMPLES).min(Self::SAMPLES);
        &self.data[c * Self::SAMPLES * self.row_tiles + r * here..][..here]
    }
}
