//! Row panels: rows of a packed tensor that are decoded, or updated, at once.

use std::ops::Range;

use crate::packed::{BITS, PackedTensor, TILE_ROWS, Tile, levels};

/// Rows of a panel: whole tiles, few enough that a decoded panel of 1024 columns stays in the second-level cache.
pub(crate) const PANEL_ROWS: usize = 4 * TILE_ROWS;

/// Number of rows of panel `panel`; the last one may be shorter.
pub(in crate::kernel) fn rows_of(w: &PackedTensor, panel: usize) -> usize {
    (w.rows() - panel * PANEL_ROWS).min(PANEL_ROWS)
}

/// Number of panels.
pub(in crate::kernel) fn panels(w: &PackedTensor) -> usize {
    w.rows().div_ceil(PANEL_ROWS)
}

/// Writes the weights of some rows, from the first of a tile on, and some blocks, row-major with 64 columns for each block;
/// columns beyond the tensor's are decoded as if they were there.
pub(in crate::kernel) fn decode(tiles: &[Tile], w: &PackedTensor, rows: Range<usize>, blocks: Range<usize>, out: &mut [f32]) {
    let width = blocks.len() * BITS;
    for t in 0..rows.len().div_ceil(TILE_ROWS) {
        for (i, j) in blocks.clone().enumerate() {
            let tile = &tiles[(rows.start / TILE_ROWS + t) * w.blocks() + j];
            for r in 0..TILE_ROWS.min(rows.len() - t * TILE_ROWS) {
                let (hi, v) = (tile.hi(r), levels([tile.z0[r], tile.z1[r]], w.scale()));
                let start = (t * TILE_ROWS + r) * width + i * BITS;
                for (k, o) in out[start..start + BITS].iter_mut().enumerate() {
                    *o = if hi >> k & 1 == 1 { v[1] } else { v[0] };
                }
            }
        }
    }
}
