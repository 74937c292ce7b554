//! What the fast kernels see of a packed tensor, and the shared output they write their own parts of.

use std::marker::PhantomData;
use std::ops::Range;

use crate::packed::{BITS, PackedTensor, TILE_ROWS, Tile};

/// A packed tensor while its tiles are locked.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// (row tiles, blocks)
    pub tiles: &'a [Tile],
    pub rows: usize,
    pub cols: usize,
    pub blocks: usize,
    pub scale: f32,
}

impl<'a> View<'a> {
    pub(super) fn new(w: &PackedTensor, tiles: &'a [Tile]) -> View<'a> {
        View { tiles, rows: w.rows(), cols: w.cols(), blocks: w.blocks(), scale: w.scale() }
    }

    pub(super) fn row_tiles(&self) -> usize {
        self.rows.div_ceil(TILE_ROWS)
    }

    /// Some of its row tiles.
    pub(super) fn part(&self, tiles: Range<usize>) -> View<'a> {
        let rows = self.rows.min(tiles.end * TILE_ROWS) - tiles.start * TILE_ROWS;
        View { tiles: &self.tiles[tiles.start * self.blocks..tiles.end * self.blocks], rows, ..*self }
    }

    /// The tile of row tile `r` and block `j`.
    #[inline(always)]
    pub(super) fn tile(&self, r: usize, j: usize) -> &'a Tile {
        &self.tiles[r * self.blocks + j]
    }

    /// Asks for the bits of a tile, if there is one: those of a column of tiles lie too far apart for a processor to foresee them.
    #[inline(always)]
    pub(super) fn fetch_bits(&self, r: usize, j: usize) {
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
    pub(super) fn rows_in(&self, r: usize) -> usize {
        (self.rows - r * TILE_ROWS).min(TILE_ROWS)
    }

    /// Columns of block `j` that exist.
    #[inline(always)]
    pub(super) fn cols_in(&self, j: usize) -> usize {
        (self.cols - j * BITS).min(BITS)
    }
}

/// A row-major matrix that tasks write disjoint rectangles of.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    width: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: a Shared only hands out parts under the contract of `part`: no two tasks hold the same element.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Matrix of rows of `width` elements.
    pub(super) fn new(data: &'a mut [T], width: usize) -> Shared<'a, T> {
        Shared { data: data.as_mut_ptr(), len: data.len(), width, life: PhantomData }
    }

    /// All of it as one row.
    pub(super) fn whole(data: &'a mut [T]) -> Shared<'a, T> {
        let width = data.len();
        Shared::new(data, width)
    }

    /// What is left of it from row `row` on.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub(super) fn rows_after(self, row: usize) -> Shared<'a, T> {
        let at = row * self.width;
        assert!(at <= self.len, "rows outside their matrix");
        // SAFETY: inside the borrowed slice, or its end.
        Shared { data: unsafe { self.data.add(at) }, len: self.len - at, ..self }
    }

    /// Elements of a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Elements `start..start + len` of row `row`.
    ///
    /// # Panics
    /// If they lie outside the matrix.
    ///
    /// # Safety
    /// No other reference to any of these elements may be alive.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the caller vouches for disjointness
    pub(super) unsafe fn part(&self, row: usize, start: usize, len: usize) -> &mut [T] {
        let at = row * self.width + start;
        assert!(start + len <= self.width && at + len <= self.len, "a part outside its matrix");
        // SAFETY: inside the borrowed slice as just asserted; exclusive by the contract above.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(at), len) }
    }
}
