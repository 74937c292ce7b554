//! Dense weights to packed ones, and back.

use super::block::{BITS, MAX_RADIUS};
use super::levels::{levels, point_of_levels};
use super::tensor::PackedTensor;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;

impl PackedTensor {
    /// Writes the weights into `out (rows, columns)`.
    pub(crate) fn decode<T: Float>(&self, out: &mut [T]) {
        let (cols, blocks) = (self.cols(), self.blocks());
        let (hi, lo, scale) = (self.hi(), self.lo(), T::of(f64::from(self.scale())));
        debug_assert_eq!(self.rows() * cols, out.len());
        parallel::for_each_piece(out, 64 * cols, |p, piece| {
            for (r, row) in piece.chunks_exact_mut(cols).enumerate() {
                for (j, part) in row.chunks_mut(BITS).enumerate() {
                    let at = (p * 64 + r) * blocks + j;
                    let v = levels([lo[2 * at], lo[2 * at + 1]].map(|z| T::of(f64::from(z))), scale);
                    part.iter_mut().enumerate().for_each(|(k, o)| *o = v[(hi[at] >> k & 1) as usize]);
                }
            }
        });
    }

    /// The packed tensor nearest to `values` of `shape (out, …)`: for every block the two levels and the choice between them with the least
    /// squared error. In one dimension the best two clusters are a split of the sorted numbers, so trying every split of each block is
    /// exact.
    ///
    /// `scale` is as that of `PackedTensor::encode`.
    ///
    /// # Errors
    /// Those of `PackedTensor::encode`, but for `Memory`.
    pub(crate) fn nearest(values: &[f32], shape: &[usize], scale: Option<f32>) -> Result<PackedTensor> {
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(RbeError::non_finite("encode", "finite weights", bad));
        }
        let cols = shape.iter().skip(1).product::<usize>();
        if shape.len() < 2 || values.is_empty() {
            return Err(RbeError::shape("encode", "a shape of two or more axes (out, in, …), not empty", format!("{shape:?}")));
        }
        let blocks = cols.div_ceil(BITS);
        let mut splits = memory::filled((0u64, [0.0f64; 2]), shape[0] * blocks);
        parallel::for_each_piece(&mut splits, blocks, |n, row| {
            row.iter_mut().zip(values[n * cols..(n + 1) * cols].chunks(BITS)).for_each(|(split, block)| *split = best_split(block));
        });
        let reach = 2.0 * f64::from(MAX_RADIUS).atanh();
        let largest = splits.iter().map(|(_, v)| v[0].hypot(v[1])).fold(0.0, f64::max);
        let scale = scale.unwrap_or_else(|| (1.0 / (cols as f64).sqrt()).max(largest / reach * (1.0 + 1e-6)) as f32);
        let hi = memory::collect(splits.iter().map(|(hi, _)| *hi));
        let lo = memory::collect(splits.iter().flat_map(|(_, v)| point_of_levels(*v, f64::from(scale)).map(|z| z as f32)));
        PackedTensor::new(shape, &hi, &lo, Some(scale))
    }
}

/// Bits and levels `(v0, v1)`, `v0 >= v1`, with the least squared error.
fn best_split(block: &[f32]) -> (u64, [f64; 2]) {
    let mut order: Vec<usize> = (0..block.len()).collect();
    order.sort_by(|a, b| block[*b].total_cmp(&block[*a]));
    let total: f64 = block.iter().map(|v| f64::from(*v)).sum();
    let n = block.len() as f64;
    // The error falls by sum²/count of each side; one cluster is the split after all.
    let (mut best, mut gain, mut sum) = (block.len(), total * total / n, 0.0);
    for (i, at) in order.iter().enumerate().take(block.len() - 1) {
        sum += f64::from(block[*at]);
        let (a, b) = ((i + 1) as f64, n - (i + 1) as f64);
        let here = sum * sum / a + (total - sum) * (total - sum) / b;
        if here > gain {
            (best, gain) = (i + 1, here);
        }
    }
    let upper: f64 = order[..best].iter().map(|i| f64::from(block[*i])).sum();
    let mean = |sum: f64, count: usize, other: f64| if count > 0 { sum / count as f64 } else { other };
    let v0 = mean(upper, best, 0.0);
    let v1 = mean(total - upper, block.len() - best, v0);
    (order[best..].iter().fold(0, |hi, k| hi | 1 << k), [v0, v1])
}
