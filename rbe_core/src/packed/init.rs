//! Fresh packed tensors.

use super::block::BITS;
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
}
