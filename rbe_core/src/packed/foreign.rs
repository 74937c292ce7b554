//! Packed tensors over tiles in memory of another owner.

use super::block::MAX_RADIUS;
use super::tensor::{PackedTensor, TILE_ROWS, Tile, last_mask, matrix};
use crate::error::{RbeError, Result};
use crate::memory::Buffer;

const OP: &str = "packed";

impl PackedTensor {
    /// Packed tensor of logical `shape` over the tiles in `buffer`, in order `(row tile, block)`, which it reads and changes where they are.
    ///
    /// # Errors
    /// `Shape` if the buffer has another length; `Value` for tiles that are not aligned to 64 bytes, for a set bit or a point beyond the last
    /// row or column, a point outside `|z| <= 1 - 1e-3` or a scale that is not finite and positive; `NonFinite` for a point that is not
    /// finite.
    pub fn over(shape: &[usize], scale: f32, buffer: Buffer) -> Result<PackedTensor> {
        let (rows, cols) = matrix(OP, shape)?;
        if !(scale.is_finite() && scale > 0.0) {
            return Err(RbeError::value(OP, "a finite scale > 0", scale));
        }
        let mut out = PackedTensor::of_buffer(shape, (rows, cols), scale, Buffer::dirty(0));
        let bytes = out.row_tiles() * out.blocks() * size_of::<Tile>();
        if buffer.len() != bytes {
            return Err(RbeError::shape(OP, format!("{bytes} bytes of blocks for a weight {shape:?}"), buffer.len()));
        }
        if !buffer.as_ptr().addr().is_multiple_of(align_of::<Tile>()) {
            return Err(RbeError::value(OP, "blocks at a multiple of 64 bytes", format!("address {:#x}", buffer.as_ptr().addr())));
        }
        let blocks = out.blocks();
        for (i, tile) in buffer.slice::<Tile>().iter().enumerate() {
            check(tile, rows - i / blocks * TILE_ROWS, if i % blocks + 1 == blocks { last_mask(cols) } else { u64::MAX })?;
        }
        out = PackedTensor::of_buffer(shape, (rows, cols), scale, buffer);
        Ok(out)
    }
}

/// Fails unless a tile of so many rows, at most sixteen, has bits of `mask` alone and points that training leaves.
fn check(tile: &Tile, rows: usize, mask: u64) -> Result<()> {
    for r in 0..TILE_ROWS {
        let (hi, a, b) = (tile.hi(r), tile.z0[r], tile.z1[r]);
        if r >= rows && (hi != 0 || a != 0.0 || b != 0.0) {
            return Err(RbeError::value(OP, "zeros in the blocks beyond the last row", format!("bits {hi:#x} and point ({a}, {b})")));
        }
        if hi & !mask != 0 {
            return Err(RbeError::value(OP, "unused bits of the last block to be 0", format!("a set one in {hi:#x}")));
        }
        if !(a.is_finite() && b.is_finite()) {
            return Err(RbeError::non_finite(OP, "finite points", format!("({a}, {b})")));
        }
        if a.hypot(b) > MAX_RADIUS * (1.0 + f32::EPSILON) {
            return Err(RbeError::value(OP, "points with |z| <= 1 - 1e-3", format!("({a}, {b})")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;

    use super::*;
    use crate::random::Generator;

    /// The tiles of `w` in memory of their own, and a packed tensor over them once `change` has been made.
    fn over(w: &PackedTensor, change: impl FnOnce(&mut [Tile])) -> Result<PackedTensor> {
        let mut tiles = w.tiles().to_vec().into_boxed_slice();
        change(&mut tiles);
        let (ptr, len) = (NonNull::from(&mut tiles[0]).cast(), size_of_val(&*tiles));
        #[allow(unsafe_code)]
        // SAFETY: the box lives as long as the buffer that owns it, and nothing else refers to it.
        let buffer = unsafe { Buffer::foreign(ptr, len, Box::new(tiles)) };
        PackedTensor::over(w.shape(), w.scale(), buffer)
    }

    #[test]
    fn blocks_of_another_owner_are_checked() {
        let w = PackedTensor::random(&[20, 70], None, Generator::new(1).stream()).unwrap();
        let same = over(&w, |_| ()).unwrap();
        assert_eq!((same.hi(), same.lo()), (w.hi(), w.lo()));
        let refused = |change: &dyn Fn(&mut [Tile])| over(&w, change).map(|_| ()).unwrap_err().to_string();
        assert!(refused(&|t| t[3].low[4] = 1).contains("beyond the last row"));
        assert!(refused(&|t| t[2].z0[4] = 0.1).contains("beyond the last row"));
        assert!(refused(&|t| t[1].low[0] = 1 << 6).contains("unused bits"));
        assert!(refused(&|t| t[0].z1[0] = f32::NAN).contains("finite points"));
        assert!(refused(&|t| t[0].z1[0] = 1.0).contains("1 - 1e-3"));
        assert!(PackedTensor::over(&[20, 70], 1.0, Buffer::zeroed(3 * size_of::<Tile>())).is_err());
        assert!(PackedTensor::over(&[20, 70], 0.0, Buffer::zeroed(4 * size_of::<Tile>())).is_err());
    }
}
