//! The twins of the products of windows, in plain loops.

use super::operands::{STEP, WindowRows, ZERO};
use super::round::{byte, measure, rounded};
use crate::kernel::noise::hash;
use crate::kernel::packed::quantised::reference;
use crate::packed::{BITS, PackedTensor, Quantised};

/// `y (rows, positions) = W x + bias (rows)`.
pub fn forward(x: WindowRows<'_>, scales: &[f32], w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let (rows, positions) = (w.rows(), x.positions);
    let value = |p: usize, start: &usize| x.values[start + p].wrapping_sub(ZERO).cast_signed();
    let windows: Vec<i8> = (0..positions).flat_map(|p| x.starts.iter().map(move |start| value(p, start))).collect();
    let mut across = vec![0.0; y.len()];
    reference::forward(Quantised { values: &windows, scales }, w, bias, &mut across);
    y.iter_mut().enumerate().for_each(|(i, y)| *y = across[i % positions * rows + i / positions]);
}

/// Adds `dy Wᵀ` for `dy (rows, positions)` to `dx`. The first position has the number 0.
pub fn dx(dy: &[f32], w: &PackedTensor, starts: &[usize], dx: &mut [f32]) {
    let (rows, cols) = (w.rows(), w.cols());
    let positions = dy.len() / rows;
    let across: Vec<f32> = (0..dy.len()).map(|i| dy[i % rows * positions + i / rows]).collect();
    let mut windows = vec![0.0; positions * cols];
    reference::dx(&across, positions, w, &mut windows);
    for (j, starts) in starts.chunks(BITS).enumerate() {
        for first in (0..positions).step_by(STEP) {
            for (k, start) in starts.iter().enumerate() {
                for p in first..positions.min(first + STEP) {
                    dx[start + p] += windows[p * cols + j * BITS + k];
                }
            }
        }
    }
}

/// Adds the gradient of the filters to `g (columns, padded rows)`.
pub fn weight_gradient(x: WindowRows<'_>, scales: &[f32], dy: &[f32], seed: u32, g: &mut [f32]) {
    let rows = g.len() / x.starts.len();
    for (n, dy) in dy.chunks_exact(x.positions).enumerate() {
        let (factor, inverse, seed) = measure(dy, scales, hash(n as u32, seed));
        for (k, start) in x.starts.iter().enumerate() {
            let product = |p: usize| {
                let dy = rounded(dy[p] * scales[p] * inverse, byte(p, seed));
                (i32::from(x.values[start + p]) - i32::from(ZERO)) * i32::from(dy)
            };
            g[k * rows + n] += (0..x.positions).map(product).sum::<i32>() as f32 * factor;
        }
    }
}
