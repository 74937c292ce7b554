//! The twins of the kernels with int8 inputs, in plain loops.

use super::operands::MOST_DY;
use super::quantise::{largest_of, scale_of};
use crate::kernel::noise::hash;
use crate::kernel::packed::tile_levels::tile_levels;
use crate::packed::{BITS, PackedTensor, Quantised, TILE_ROWS};

/// Rows whose rounded products are summed as integers.
const PART: usize = 256;

/// Levels (rows, blocks, 2) as the kernels decode them.
fn decoded(w: &PackedTensor) -> Vec<[f32; 2]> {
    let (tiles, blocks) = (w.tiles(), w.blocks());
    let mut out = vec![[0.0; 2]; w.rows() * blocks];
    for (t, tile) in tiles.iter().enumerate() {
        let (mut v0, mut v1) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS]);
        tile_levels(tile, w.scale(), &mut v0, &mut v1);
        for n in t / blocks * TILE_ROWS..w.rows().min((t / blocks + 1) * TILE_ROWS) {
            out[n * blocks + t % blocks] = [v0[n % TILE_ROWS], v1[n % TILE_ROWS]];
        }
    }
    out
}

/// `y (batch, rows) = x (batch, cols) Wᵀ + bias (rows)`.
pub fn forward(x: Quantised<'_>, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let (rows, cols, blocks, hi, levels) = (w.rows(), w.cols(), w.blocks(), w.hi(), decoded(w));
    for (b, scale) in x.scales.iter().enumerate() {
        let x = &x.values[b * cols..][..cols];
        for n in 0..rows {
            let mut sum = 0.0f32;
            for (j, x) in x.chunks(BITS).enumerate() {
                let [v0, v1] = levels[n * blocks + j];
                let (mut all, mut set) = (0, 0);
                for (k, x) in x.iter().enumerate() {
                    all += i32::from(*x);
                    set += if hi[n * blocks + j] >> k & 1 == 1 { i32::from(*x) } else { 0 };
                }
                sum = (v1 - v0).mul_add(set as f32, v0.mul_add(all as f32, sum));
            }
            y[b * rows + n] = scale.mul_add(sum, bias.map_or(0.0, |bias| bias[n]));
        }
    }
}

/// `dx (batch, cols) = dy (batch, rows) W`.
pub fn dx(dy: &[f32], batch: usize, w: &PackedTensor, dx: &mut [f32]) {
    let (rows, cols, blocks, hi, levels) = (w.rows(), w.cols(), w.blocks(), w.hi(), decoded(w));
    for j in 0..blocks {
        let most = (0..rows).flat_map(|n| levels[n * blocks + j]).fold(0.0f32, |most, v| most.max(v.abs()));
        let inverse = if most > 0.0 { 32767.0 / most } else { 0.0 };
        let inverse = if inverse.is_finite() { inverse } else { 0.0 };
        let unit = if inverse > 0.0 { 256.0 * 32768.0 / inverse } else { 0.0 };
        for b in 0..batch {
            let dy = &dy[b * rows..][..rows];
            let largest = largest_of(dy);
            let ((scale, factor), seed) = (scale_of(largest, MOST_DY), hash(largest.to_bits(), b as u32));
            for k in j * BITS..cols.min((j + 1) * BITS) {
                let mut total = 0.0f32;
                for first in (0..rows).step_by(PART) {
                    let mut sum = 0;
                    for n in first..rows.min(first + PART) {
                        let level = levels[n * blocks + j][(hi[n * blocks + j] >> (k % BITS) & 1) as usize];
                        let (dy, level) = ((dy[n] * factor).round_ties_even() as i32, (level * inverse).round_ties_even() as i32);
                        let noise = hash((n / 4) as u32, seed).to_le_bytes()[n % 4];
                        let product = (((dy * level) >> 14) + 1) >> 1;
                        sum += (product + i32::from(noise)) >> 8;
                    }
                    total += sum as f32;
                }
                dx[b * cols + k] = total * (scale * unit);
            }
        }
    }
}
