//! Fresh packed tensors.

use super::block::BITS;
use super::cycle::CYCLE_BITS;
use super::tensor::{PackedTensor, TILE_ROWS, matrix};
use crate::disk;
use crate::error::Result;
use crate::memory;
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

    /// Cycle states for the weight (rows, cols) of a layer, one for 64 weights of a row: (rows · ceil(cols / 64), 11), scale
    /// `1 / sqrt(cols)`. Circular functions of random phase, frequency and angle, with `d = sqrt(2)`, so that the mean square of the weights
    /// is that of levels ±1. The stream is taken when there is memory for its bits.
    ///
    /// # Errors
    /// As [`PackedTensor::new`].
    pub fn initial_cycles([rows, cols]: [usize; 2], stream: impl FnOnce() -> Stream) -> Result<PackedTensor> {
        let (rows, cols) = matrix("packed", &[rows, cols])?;
        let mut words = memory::zeros::<u64>(rows * cols.div_ceil(BITS));
        let (count, d) = (words.len(), std::f64::consts::SQRT_2);
        let mut lo = memory::zeros::<f32>(2 * count);
        stream().words(&mut words);
        for (word, point) in words.iter_mut().zip(lo.as_chunks_mut::<2>().0) {
            let angle = std::f64::consts::TAU * (*word >> 40) as f64 / (1u64 << 24) as f64;
            *point = disk::exp_at_origin([d * angle.cos(), d * angle.sin()]).map(|v| v as f32);
            *word &= 0xff; // phase and frequency; family 0 is circular
        }
        PackedTensor::new(&[count, CYCLE_BITS], &words, &lo, Some(1.0 / (cols as f32).sqrt()))
    }
}
