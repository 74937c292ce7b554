//! Fresh packed tensors, and dense copies of any.

use super::block::{BITS, MAX_RADIUS};
use super::levels::{levels, point_of_levels};
use super::tensor::{PackedTensor, TILE_ROWS, matrix};
use crate::array::{Array, Dims};
use crate::disk;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::random::Stream;

impl PackedTensor {
    /// The initial state of a trained weight: random bits and the point with `log_0(z) = (1, -1)`.
    /// `scale` defaults to `1 / sqrt(columns)`.
    ///
    /// # Errors
    /// As [`PackedTensor::new`].
    pub fn random(shape: &[usize], scale: Option<f32>, stream: Stream) -> Result<PackedTensor> {
        PackedTensor::initial(shape, scale, || stream)
    }

    /// As [`PackedTensor::random`]; the stream is taken when there is memory for its bits.
    ///
    /// # Errors
    /// As [`PackedTensor::new`].
    pub fn initial(shape: &[usize], scale: Option<f32>, stream: impl FnOnce() -> Stream) -> Result<PackedTensor> {
        let (rows, cols) = matrix("packed", shape)?;
        let blocks = cols.div_ceil(BITS);
        let mut hi = memory::zeros::<u64>(rows * blocks);
        let z = disk::exp_at_origin([1.0, -1.0]).map(|v| v as f32);
        let lo = memory::collect(hi.iter().flat_map(|_| z));
        let out = PackedTensor::new(shape, &hi, &lo, scale)?;
        stream().words(&mut hi);
        let mut tiles = out.tiles_mut();
        for (n, row) in hi.chunks_exact_mut(blocks).enumerate() {
            row[blocks - 1] &= out.last_mask();
            row.iter().enumerate().for_each(|(j, word)| tiles[n / TILE_ROWS * blocks + j].set_hi(n % TILE_ROWS, *word));
        }
        drop(tiles);
        Ok(out)
    }

    /// The weights as a dense array of the logical shape.
    pub fn to_dense<T: Float>(&self) -> Array {
        let (rows, cols, blocks) = (self.rows(), self.cols(), self.blocks());
        let (hi, lo, scale) = (self.hi(), self.lo(), T::of(f64::from(self.scale())));
        Array::build(self.shape(), |out: &mut [T]| {
            parallel::for_each_piece(out, 64 * cols, |p, piece| {
                for (r, row) in piece.chunks_exact_mut(cols).enumerate() {
                    for (j, part) in row.chunks_mut(BITS).enumerate() {
                        let at = (p * 64 + r) * blocks + j;
                        let v = levels([lo[2 * at], lo[2 * at + 1]].map(|z| T::of(f64::from(z))), scale);
                        part.iter_mut().enumerate().for_each(|(k, o)| *o = v[(hi[at] >> k & 1) as usize]);
                    }
                }
            });
            debug_assert_eq!(rows * cols, self.shape().iter().product::<usize>());
        })
    }

    /// The packed tensor nearest to a dense array (out, …): for every block the two levels and the choice between them
    /// with the least squared error. In one dimension the best two clusters are a split of the sorted numbers, so trying
    /// every split of each block is exact.
    ///
    /// `scale` defaults to `1 / sqrt(columns)`, or more where a block's levels would otherwise lie beyond the reach of the
    /// disk; with a given scale such levels are pulled back to it.
    ///
    /// # Errors
    /// `NonFinite` for NaN or infinity; `Shape` for fewer than two axes; `Value` for a scale that is not positive;
    /// `Memory` if the system refuses memory.
    pub fn encode(dense: &Array, scale: Option<f32>) -> Result<PackedTensor> {
        memory::guard("encode", || PackedTensor::nearest(dense, scale))
    }

    fn nearest(dense: &Array, scale: Option<f32>) -> Result<PackedTensor> {
        let values = dense.cast(crate::DType::F32).to_vec::<f32>()?;
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(RbeError::non_finite("encode", "finite weights", bad));
        }
        let shape = Dims::from_slice(dense.shape());
        let cols = shape.iter().skip(1).product::<usize>();
        if shape.len() < 2 || values.is_empty() {
            return Err(RbeError::shape("encode", "a shape of two or more axes (out, in, …), not empty", format!("{:?}", dense.shape())));
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
        PackedTensor::new(&shape, &hi, &lo, Some(scale))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    fn normal(rows: usize, cols: usize) -> Array {
        Array::build(&[rows, cols], |out: &mut [f32]| Generator::new(3).stream().normal(out))
    }

    fn error(a: &Array, w: &PackedTensor) -> f64 {
        let (a, b) = (a.to_vec::<f32>().unwrap(), w.to_dense::<f32>().to_vec::<f32>().unwrap());
        let square = |v: f32| f64::from(v) * f64::from(v);
        a.iter().zip(&b).map(|(a, b)| square(a - b)).sum::<f64>() / a.iter().map(|a| square(*a)).sum::<f64>()
    }

    #[test]
    fn a_gaussian_matrix_keeps_two_thirds_of_its_energy() {
        let a = normal(256, 256);
        let e = error(&a, &PackedTensor::encode(&a, None).unwrap());
        // 1 - 2/π = 0.363 for endless blocks; 0.342 for 64, by NumPy over all splits of 2048 to 6144 sorted Gaussian blocks.
        assert!((e - 0.342).abs() < 0.004, "{e}");
    }

    #[test]
    fn no_other_choice_of_bits_is_better() {
        let a = normal(4, 9);
        let w = PackedTensor::encode(&a, None).unwrap();
        let values = a.to_vec::<f32>().unwrap();
        for n in 0..4 {
            let row: Vec<f64> = values[n * 9..(n + 1) * 9].iter().map(|v| f64::from(*v)).collect();
            let cost = |bits: u32| -> f64 {
                (0..2)
                    .map(|side| {
                        let part: Vec<f64> = (0..9).filter(|k| bits >> k & 1 == side).map(|k| row[k]).collect();
                        let mean = part.iter().sum::<f64>() / part.len().max(1) as f64;
                        part.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
                    })
                    .sum()
            };
            let best = (0..512).map(cost).fold(f64::INFINITY, f64::min);
            assert!((cost(w.hi()[n] as u32) - best).abs() < 1e-9);
        }
    }

    #[test]
    fn two_level_matrices_survive_and_bad_ones_are_refused() {
        let w = PackedTensor::random(&[5, 70], None, Generator::new(1).stream()).unwrap();
        let again = PackedTensor::encode(&w.to_dense::<f32>(), Some(w.scale())).unwrap();
        let (a, b) = (w.to_dense::<f32>().to_vec::<f32>().unwrap(), again.to_dense::<f32>().to_vec::<f32>().unwrap());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6));
        let constant = Array::full(crate::DType::F32, &[2, 64], 40.0);
        assert!(error(&constant, &PackedTensor::encode(&constant, None).unwrap()) < 1e-9);
        let nan = Array::full(crate::DType::F32, &[2, 64], f64::NAN);
        assert!(matches!(PackedTensor::encode(&nan, None), Err(RbeError::NonFinite(_))));
    }
}
