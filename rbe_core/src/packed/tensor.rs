//! Packed tensors: blocks stored in tiles of sixteen rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::block::{BITS, MAX_RADIUS, Packed128};
use crate::buffer::Buffer;
use crate::error::{RbeError, Result};
use crate::memory;

/// Rows of a tile.
pub const TILE_ROWS: usize = 16;

/// Sixteen rows of one block column, words apart from points, so that the levels of sixteen rows decode at once.
/// Rows beyond the tensor's last are zero.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub struct Tile {
    /// Bits 0–31 of each row's `hi`.
    pub low: [u32; TILE_ROWS],
    /// Bits 32–63 of each row's `hi`.
    pub high: [u32; TILE_ROWS],
    /// First coordinate of each row's point.
    pub z0: [f32; TILE_ROWS],
    /// Second coordinate of each row's point.
    pub z1: [f32; TILE_ROWS],
}

const _: () = assert!(size_of::<Tile>() == TILE_ROWS * size_of::<Packed128>() && align_of::<Tile>() == 64);

impl Tile {
    /// The state bits of row `r` of the tile.
    pub fn hi(&self, r: usize) -> u64 {
        u64::from(self.low[r]) | u64::from(self.high[r]) << 32
    }

    /// Sets the state bits of row `r` of the tile.
    pub fn set_hi(&mut self, r: usize, hi: u64) {
        self.low[r] = hi as u32;
        self.high[r] = (hi >> 32) as u32;
    }
}

/// A matrix of two-level weights, 16 bytes for 64 of them. Cloning shares the storage.
///
/// Logical shape `(out, …)`; the first axis gives the rows, the others together the columns of the matrix.
#[derive(Clone)]
pub struct PackedTensor(Arc<Storage>);

struct Storage {
    shape: Vec<usize>,
    rows: usize,
    cols: usize,
    scale: f32,
    tiles: RwLock<Buffer>, // (row tiles, blocks) of Tile
    version: AtomicU64,
}

/// Shared access to the tiles of a packed tensor, in order `(row tile, block)`.
pub struct Tiles<'a>(RwLockReadGuard<'a, Buffer>);

/// Exclusive access to the tiles of a packed tensor, in order `(row tile, block)`.
pub struct TilesMut<'a>(RwLockWriteGuard<'a, Buffer>);

impl std::ops::Deref for Tiles<'_> {
    type Target = [Tile];
    fn deref(&self) -> &[Tile] {
        self.0.slice()
    }
}

impl std::ops::Deref for TilesMut<'_> {
    type Target = [Tile];
    fn deref(&self) -> &[Tile] {
        self.0.slice()
    }
}

impl std::ops::DerefMut for TilesMut<'_> {
    fn deref_mut(&mut self) -> &mut [Tile] {
        self.0.slice_mut()
    }
}

impl PackedTensor {
    /// Packed tensor of logical `shape` from row-major blocks `hi` (rows, blocks) and points `lo` (rows, blocks, 2).
    /// `scale` defaults to `1 / sqrt(columns)`.
    ///
    /// # Errors
    /// `Shape` if the lengths do not fit; `NonFinite` or `Value` for a point that is not finite or outside
    /// `|z| <= 1 - 1e-3`, a scale that is not finite and positive, or an unused bit of a partial block that is set.
    pub fn new(shape: &[usize], hi: &[u64], lo: &[f32], scale: Option<f32>) -> Result<PackedTensor> {
        const OP: &str = "packed";
        let (rows, cols) = matrix(OP, shape)?;
        let blocks = cols.div_ceil(BITS);
        if hi.len() != rows * blocks {
            return Err(RbeError::shape(OP, format!("hi of shape ({rows}, {blocks})"), format!("{} words", hi.len())));
        }
        if lo.len() != rows * blocks * 2 {
            return Err(RbeError::shape(OP, format!("lo of shape ({rows}, {blocks}, 2)"), format!("{} numbers", lo.len())));
        }
        let scale = scale.unwrap_or(1.0 / (cols as f32).sqrt());
        if !(scale.is_finite() && scale > 0.0) {
            return Err(RbeError::value(OP, "a finite scale > 0", scale));
        }
        if let Some(bad) = lo.iter().find(|v| !v.is_finite()) {
            return Err(RbeError::non_finite(OP, "finite points", bad));
        }
        if let Some(z) = lo.chunks_exact(2).find(|z| z[0].hypot(z[1]) > MAX_RADIUS * (1.0 + f32::EPSILON)) {
            return Err(RbeError::value(OP, "points with |z| <= 1 - 1e-3", format!("({}, {})", z[0], z[1])));
        }
        let used = last_mask(cols);
        if let Some(row) = hi.chunks_exact(blocks).position(|row| row[blocks - 1] & !used != 0) {
            return Err(RbeError::value(
                OP,
                format!("unused bits of the last block ({} used) to be 0", cols - (blocks - 1) * BITS),
                format!("a set one in row {row}"),
            ));
        }
        let mut buffer = Buffer::zeroed(rows.div_ceil(TILE_ROWS) * blocks * size_of::<Tile>());
        let tiles: &mut [Tile] = buffer.slice_mut();
        for n in 0..rows {
            for j in 0..blocks {
                let tile = &mut tiles[n / TILE_ROWS * blocks + j];
                tile.set_hi(n % TILE_ROWS, hi[n * blocks + j]);
                tile.z0[n % TILE_ROWS] = lo[(n * blocks + j) * 2];
                tile.z1[n % TILE_ROWS] = lo[(n * blocks + j) * 2 + 1];
            }
        }
        Ok(PackedTensor(Arc::new(Storage {
            shape: shape.to_vec(),
            rows,
            cols,
            scale,
            tiles: RwLock::new(buffer),
            version: AtomicU64::new(0),
        })))
    }

    /// Logical shape.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// Rows of the matrix: the first axis of the shape.
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Columns of the matrix: the other axes together.
    pub fn cols(&self) -> usize {
        self.0.cols
    }

    /// Blocks of one row: `ceil(cols / 64)`.
    pub fn blocks(&self) -> usize {
        self.0.cols.div_ceil(BITS)
    }

    /// Tiles of sixteen rows: `ceil(rows / 16)`.
    pub fn row_tiles(&self) -> usize {
        self.0.rows.div_ceil(TILE_ROWS)
    }

    /// Factor of the levels, default `1 / sqrt(cols)`.
    pub fn scale(&self) -> f32 {
        self.0.scale
    }

    /// The bits of a row's last block that are in use.
    pub fn last_mask(&self) -> u64 {
        last_mask(self.0.cols)
    }

    /// Bytes of the blocks: 16 each.
    pub fn nbytes(&self) -> usize {
        self.rows() * self.blocks() * size_of::<Packed128>()
    }

    /// Count of in-place changes.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// The tiles, to read.
    pub fn tiles(&self) -> Tiles<'_> {
        Tiles(self.0.tiles.read_recursive())
    }

    /// The tiles, to write; counts as one in-place change. Unused bits and rows must stay zero, points inside the disk.
    pub fn tiles_mut(&self) -> TilesMut<'_> {
        let guard = self.0.tiles.write();
        self.0.version.fetch_add(1, Ordering::AcqRel);
        TilesMut(guard)
    }

    /// Whether both share one storage.
    pub fn same_storage(&self, other: &PackedTensor) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// State bits, row-major (rows, blocks).
    pub fn hi(&self) -> Vec<u64> {
        let (tiles, blocks) = (self.tiles(), self.blocks());
        memory::collect((0..self.rows() * blocks).map(|i| tiles[i / blocks / TILE_ROWS * blocks + i % blocks].hi(i / blocks % TILE_ROWS)))
    }

    /// Points, row-major (rows, blocks, 2).
    pub fn lo(&self) -> Vec<f32> {
        let (tiles, blocks) = (self.tiles(), self.blocks());
        memory::collect((0..self.rows() * blocks).flat_map(|i| {
            let (tile, r) = (&tiles[i / blocks / TILE_ROWS * blocks + i % blocks], i / blocks % TILE_ROWS);
            [tile.z0[r], tile.z1[r]]
        }))
    }
}

/// Rows and columns of a logical shape.
///
/// # Errors
/// `Shape` for fewer than two axes or an empty one; `Memory` for more elements than there can be positions.
pub(super) fn matrix(op: &'static str, shape: &[usize]) -> Result<(usize, usize)> {
    match shape {
        [_, _, ..] if shape.contains(&0) => Err(RbeError::shape(op, "axes of at least 1", format!("{shape:?}"))),
        [rows, rest @ ..] if !rest.is_empty() => match memory::count(shape) {
            Some(elements) => Ok((*rows, elements / rows)),
            None => Err(RbeError::memory(op, "a shape of fewer than 2^63 elements", format!("{shape:?}"))),
        },
        _ => Err(RbeError::shape(op, "a shape of two or more axes (out, in, …)", format!("{shape:?}"))),
    }
}

fn last_mask(cols: usize) -> u64 {
    match cols % BITS {
        0 => u64::MAX,
        used => (1 << used) - 1,
    }
}

impl PackedTensor {
    /// Takes over the blocks of a tensor of the same shape and scale, in place.
    ///
    /// # Errors
    /// `Shape` or `Value` if shape or scale differ.
    pub fn copy_from(&self, other: &PackedTensor) -> Result<()> {
        if self.shape() != other.shape() {
            return Err(RbeError::shape("copy", format!("a packed tensor {:?}", self.shape()), format!("{:?}", other.shape())));
        }
        if self.scale() != other.scale() {
            return Err(RbeError::value("copy", format!("scale {}", self.scale()), other.scale()));
        }
        if !self.same_storage(other) {
            let source = other.tiles();
            self.tiles_mut().copy_from_slice(&source);
        }
        Ok(())
    }
}
