//! What the fast kernels see of a packed tensor.

use std::ops::Range;

use crate::packed::{BITS, PackedTensor, TILE_ROWS, Tile};

/// A packed tensor while its tiles are locked.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct View<'a> {
    /// (row tiles, blocks)
    pub tiles: &'a [Tile],
    pub rows: usize,
    pub cols: usize,
    pub blocks: usize,
    pub scale: f32,
}

impl<'a> View<'a> {
    pub(in crate::kernel) fn new(w: &PackedTensor, tiles: &'a [Tile]) -> View<'a> {
        View { tiles, rows: w.rows(), cols: w.cols(), blocks: w.blocks(), scale: w.scale() }
    }

    pub(in crate::kernel) fn row_tiles(&self) -> usize {
        self.rows.div_ceil(TILE_ROWS)
    }

    /// Some of its row tiles.
    pub(in crate::kernel) fn part(&self, tiles: Range<usize>) -> View<'a> {
        let rows = self.rows.min(tiles.end * TILE_ROWS) - tiles.start * TILE_ROWS;
        View { tiles: &self.tiles[tiles.start * self.blocks..tiles.end * self.blocks], rows, ..*self }
    }

    /// The tile of row tile `r` and block `j`.
    #[inline(always)]
    pub(in crate::kernel) fn tile(&self, r: usize, j: usize) -> &'a Tile {
        &self.tiles[r * self.blocks + j]
    }

    /// Prefetches the bits of a tile, if there is one: tiles of a column lie too far apart for the hardware to do so.
    #[inline(always)]
    pub(in crate::kernel) fn prefetch_bits(&self, r: usize, j: usize) {
        #[cfg(target_arch = "x86_64")]
        if let Some(tile) = self.tiles.get(r * self.blocks + j) {
            for words in [&tile.low, &tile.high] {
                // SAFETY: a prefetch is a hint that reads and writes nothing.
                unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(words.as_ptr().cast()) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (r, j);
    }

    /// Rows of row tile `r` that exist.
    #[inline(always)]
    pub(in crate::kernel) fn rows_in(&self, r: usize) -> usize {
        (self.rows - r * TILE_ROWS).min(TILE_ROWS)
    }

    /// Columns of block `j` that exist.
    #[inline(always)]
    pub(in crate::kernel) fn cols_in(&self, j: usize) -> usize {
        (self.cols - j * BITS).min(BITS)
    }
}
