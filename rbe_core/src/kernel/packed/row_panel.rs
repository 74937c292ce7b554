//! Strips of a packed tensor decoded into cache: the portable way to fast products, through dense kernels.

use crate::array::Array;
use crate::packed::{BITS, PackedTensor, TILE_ROWS, Tile, levels};

/// Rows of a strip: whole tiles, few enough that a decoded strip of 1024 columns stays in the second-level cache.
pub(in crate::kernel) const STRIP_ROWS: usize = 4 * TILE_ROWS;

/// Rows `first..` of the strip that starts at row `first`.
pub(in crate::kernel) fn rows_of(w: &PackedTensor, strip: usize) -> usize {
    (w.rows() - strip * STRIP_ROWS).min(STRIP_ROWS)
}

/// Number of strips.
pub(in crate::kernel) fn strips(w: &PackedTensor) -> usize {
    w.rows().div_ceil(STRIP_ROWS)
}

/// Levels of the rows of a tile.
pub(in crate::kernel) fn tile_levels(tile: &Tile, scale: f32) -> [[f32; 2]; TILE_ROWS] {
    std::array::from_fn(|r| levels([tile.z0[r], tile.z1[r]], scale))
}

/// Weights of rows `n0..n0 + rows` (tile-aligned) and blocks `j0..j1`, row-major with `BITS * (j1 - j0)` columns;
/// columns beyond the tensor's are decoded as if they were there.
pub(in crate::kernel) fn decode(tiles: &[Tile], w: &PackedTensor, n0: usize, rows: usize, j0: usize, j1: usize, out: &mut [f32]) {
    let (blocks, width) = (w.blocks(), (j1 - j0) * BITS);
    for t in 0..rows.div_ceil(TILE_ROWS) {
        for j in j0..j1 {
            let tile = &tiles[(n0 / TILE_ROWS + t) * blocks + j];
            let levels = tile_levels(tile, w.scale());
            for r in 0..TILE_ROWS.min(rows - t * TILE_ROWS) {
                let (hi, v) = (tile.hi(r), levels[r]);
                let start = (t * TILE_ROWS + r) * width + (j - j0) * BITS;
                for (k, o) in out[start..start + BITS].iter_mut().enumerate() {
                    *o = if hi >> k & 1 == 1 { v[1] } else { v[0] };
                }
            }
        }
    }
}

/// Memory from the pool for `len` numbers of unspecified value.
pub(in crate::kernel) fn scratch(len: usize) -> crate::Buffer {
    crate::Buffer::dirty(len * size_of::<f32>())
}

/// Writes the transpose of `source (rows, cols)` into `out (cols, rows)`.
pub(in crate::kernel) fn transpose(source: &[f32], rows: usize, cols: usize, out: &mut [f32]) {
    const T: usize = 16;
    crate::parallel::for_each_piece(out, T * rows.max(1) * 4, |p, piece| {
        let c0 = p * T * 4;
        for (c, row) in piece.chunks_mut(rows).enumerate() {
            for (r, o) in row.iter_mut().enumerate() {
                *o = source[r * cols + c0 + c];
            }
        }
    });
}

/// A dense f32 matrix of the given rows and columns from the pool.
pub(in crate::kernel) fn matrix(rows: usize, cols: usize, fill: impl FnOnce(&mut [f32])) -> Array {
    Array::build(&[rows, cols], fill)
}
