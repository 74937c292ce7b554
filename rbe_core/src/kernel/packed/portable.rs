//! Products through dense kernels: row panels are decoded into cache. For machines without kernels of their own.

use super::row_panel::{PANEL_ROWS, decode, panels, rows_of};
use crate::kernel::dense::gemm::gemm;
use crate::kernel::dense::matrix::{Destination, Matrix};
use crate::kernel::scratch::scratch;
use crate::packed::{BITS, FactorPair, PackedTensor};
use crate::parallel;

/// Blocks of one piece of the dx product.
const DX_BLOCKS: usize = 2;

/// `y (batch, rows) = x (batch, cols) Wᵀ + bias (rows)`.
///
/// # Panics
/// If a slice has another length.
pub(in crate::kernel) fn forward(x: &[f32], batch: usize, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let (rows, cols) = (w.rows(), w.cols());
    assert!(x.len() == batch * cols && y.len() == batch * rows && bias.is_none_or(|b| b.len() == rows), "packed forward: lengths");
    let tiles = w.tiles();
    let width = w.blocks() * BITS;
    // Every task owns rows of the transposed result.
    let mut transposed = scratch(rows * batch);
    parallel::for_each_piece(transposed.slice_mut(), PANEL_ROWS * batch.max(1), |s, piece| {
        let (first, rows) = (s * PANEL_ROWS, rows_of(w, s));
        let mut weights = scratch(rows * width);
        decode(&tiles, w, first..first + rows, 0..w.blocks(), weights.slice_mut());
        let weights = Matrix::row_major(weights.slice(), width);
        gemm((rows, batch, cols), weights, Matrix::row_major(x, cols).t(), Destination::new(&mut *piece, batch, false));
        if let Some(bias) = bias {
            for (row, b) in piece.chunks_mut(batch).zip(&bias[first..]) {
                row.iter_mut().for_each(|y| *y += b);
            }
        }
    });
    transpose(transposed.slice(), rows, batch, y);
}

/// `dx (batch, cols) = dy (batch, rows) W`.
///
/// # Panics
/// If a slice has another length.
pub(in crate::kernel) fn dx(dy: &[f32], batch: usize, w: &PackedTensor, dx: &mut [f32]) {
    let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
    assert!(dy.len() == batch * rows && dx.len() == batch * cols, "packed dx: lengths");
    let tiles = w.tiles();
    let mut transposed = scratch(cols * batch);
    parallel::for_each_piece(transposed.slice_mut(), DX_BLOCKS * BITS * batch.max(1), |p, piece| {
        let (j0, j1) = (p * DX_BLOCKS, ((p + 1) * DX_BLOCKS).min(blocks));
        let width = (j1 - j0) * BITS;
        let columns = (j1 * BITS).min(cols) - j0 * BITS;
        let mut weights = scratch(PANEL_ROWS * width);
        for s in 0..panels(w) {
            let (first, rows_here) = (s * PANEL_ROWS, rows_of(w, s));
            decode(&tiles, w, first..first + rows_here, j0..j1, weights.slice_mut());
            let upstream = Matrix { data: &dy[first..], rows: 1, cols: rows as isize };
            let weights = Matrix::row_major(weights.slice(), width).t();
            gemm((columns, batch, rows_here), weights, upstream, Destination::new(&mut *piece, batch, s > 0));
        }
    });
    transpose(transposed.slice(), cols, batch, dx);
}

/// Row panel `panel` of `G = Σ dyᵀ x`, (rows of the panel, blocks * 64); unused columns are zero.
pub(in crate::kernel) fn panel_gradient(factors: &[FactorPair<'_>], w: &PackedTensor, panel: usize, g: &mut [f32]) {
    rows_gradient(factors, w, panel * PANEL_ROWS, g);
}

/// As many rows of `G = Σ dyᵀ x` from `first` on as `g (rows, blocks * 64)` takes; unused columns are zero.
pub(in crate::kernel) fn rows_gradient(factors: &[FactorPair<'_>], w: &PackedTensor, first: usize, g: &mut [f32]) {
    let (rows, cols, width) = (w.rows(), w.cols(), w.blocks() * BITS);
    let here = g.len() / width;
    if cols < width || factors.is_empty() {
        g.fill(0.0);
    }
    for (i, f) in factors.iter().enumerate() {
        let dyt = Matrix { data: &f.dy[first.min(f.dy.len())..], rows: 1, cols: rows as isize };
        gemm((here, cols, f.batch), dyt, Matrix::row_major(f.x, cols), Destination::new(&mut *g, width, i > 0));
    }
}

/// `gv += ` gradient of the levels (rows, blocks, 2).
pub(in crate::kernel) fn level_gradient(factors: &[FactorPair<'_>], w: &PackedTensor, gv: &mut [f32]) {
    let (blocks, width) = (w.blocks(), w.blocks() * BITS);
    let hi = w.hi();
    parallel::for_each_piece(gv, PANEL_ROWS * blocks * 2, |s, piece| {
        let rows = rows_of(w, s);
        let mut g = scratch(rows * width);
        panel_gradient(factors, w, s, g.slice_mut());
        piece.fill(0.0);
        super::reference::level_gradient(g.slice(), &hi[s * PANEL_ROWS * blocks..][..rows * blocks], piece);
    });
}

/// Writes the transpose of `source (rows, cols)` into `out (cols, rows)`.
fn transpose(source: &[f32], rows: usize, cols: usize, out: &mut [f32]) {
    const COLUMNS: usize = 64; // of a task
    parallel::for_each_piece(out, COLUMNS * rows.max(1), |p, piece| {
        let c0 = p * COLUMNS;
        for (c, row) in piece.chunks_mut(rows).enumerate() {
            for (r, o) in row.iter_mut().enumerate() {
                *o = source[r * cols + c0 + c];
            }
        }
    });
}
