//! The oracle, the documentation and the float64 path: products with two-level weights in plain loops.
//!
//! `hi` (rows, blocks) are the state bits, `v` (rows, blocks, 2) the levels; `blocks = ceil(cols / 64)`.

use crate::dtype::Float;
use crate::packed::BITS;

/// A matrix of two-level weights.
#[derive(Clone, Copy)]
pub struct TwoLevel<'a, T> {
    /// State bits (rows, blocks).
    pub hi: &'a [u64],
    /// Levels (rows, blocks, 2).
    pub v: &'a [T],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

impl<T: Float> TwoLevel<'_, T> {
    /// Blocks of a row.
    pub fn blocks(&self) -> usize {
        self.cols.div_ceil(BITS)
    }

    /// The weight at row `n`, column `k`.
    pub fn weight(&self, n: usize, k: usize) -> T {
        let block = n * self.blocks() + k / BITS;
        self.v[2 * block + (self.hi[block] >> (k % BITS) & 1) as usize]
    }
}

/// `y (batch, rows) = x (batch, cols) Wᵀ + bias`.
pub fn forward<T: Float>(x: &[T], batch: usize, w: TwoLevel<'_, T>, bias: Option<&[T]>, y: &mut [T]) {
    for b in 0..batch {
        for n in 0..w.rows {
            let mut sum = bias.map_or(T::zero(), |bias| bias[n]);
            for k in 0..w.cols {
                sum += x[b * w.cols + k] * w.weight(n, k);
            }
            y[b * w.rows + n] = sum;
        }
    }
}

/// `dx (batch, cols) = dy (batch, rows) W`.
pub fn dx<T: Float>(dy: &[T], batch: usize, w: TwoLevel<'_, T>, dx: &mut [T]) {
    for b in 0..batch {
        let row = &mut dx[b * w.cols..(b + 1) * w.cols];
        row.fill(T::zero());
        for n in 0..w.rows {
            for (k, d) in row.iter_mut().enumerate() {
                *d += dy[b * w.rows + n] * w.weight(n, k);
            }
        }
    }
}

/// `g (rows, blocks, 64) += dyᵀ x`; unused bits are left alone.
pub fn weight_gradient<T: Float>(x: &[T], dy: &[T], batch: usize, rows: usize, cols: usize, g: &mut [T]) {
    let width = cols.div_ceil(BITS) * BITS;
    for b in 0..batch {
        for n in 0..rows {
            for k in 0..cols {
                g[n * width + k] += dy[b * rows + n] * x[b * cols + k];
            }
        }
    }
}

/// Gradient of the levels, `gv (rows, blocks, 2) += (Σ_{bit 0} G, Σ_{bit 1} G)`, from `g (rows, blocks, 64)`.
pub fn level_gradient<T: Float>(g: &[T], hi: &[u64], gv: &mut [T]) {
    for ((g, hi), gv) in g.chunks_exact(BITS).zip(hi).zip(gv.chunks_exact_mut(2)) {
        for (k, g) in g.iter().enumerate() {
            gv[(hi >> k & 1) as usize] += *g;
        }
    }
}
