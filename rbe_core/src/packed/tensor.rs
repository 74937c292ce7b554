//! Packed tensors: blocks stored in tiles of sixteen rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::block::{BITS, MAX_RADIUS, Packed128};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::memory::Buffer;

const OP: &str = "packed";

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
        let (rows, cols) = matrix(OP, shape)?;
        let blocks = cols.div_ceil(BITS);
        if hi.len() != rows * blocks {
            return Err(RbeError::shape(OP, format!("hi of shape ({rows}, {blocks})"), format!("{} words", hi.len())));
        }
        if lo.len() != rows * blocks * 2 {
            return Err(RbeError::shape(OP, format!("lo of shape ({rows}, {blocks}, 2)"), format!("{} numbers", lo.len())));
        }
        let mut parts = PackedParts::new(shape, scale)?;
        parts.put_lo(0, lo)?;
        parts.put_hi(0, hi)?;
        Ok(parts.finish())
    }

    /// The tensor whose tiles are in `buffer`.
    pub(super) fn of_buffer(shape: &[usize], (rows, cols): (usize, usize), scale: f32, buffer: Buffer) -> PackedTensor {
        let shape = shape.to_vec();
        PackedTensor(Arc::new(Storage { shape, rows, cols, scale, tiles: RwLock::new(buffer), version: AtomicU64::new(0) }))
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
        let mut out = memory::zeros(self.rows() * self.blocks());
        self.copy_hi(0, &mut out);
        out
    }

    /// Points, row-major (rows, blocks, 2).
    pub fn lo(&self) -> Vec<f32> {
        let mut out = memory::zeros(self.rows() * self.blocks() * 2);
        self.copy_lo(0, &mut out);
        out
    }

    /// Copies the state bits of the blocks from number `first` on, counted row by row.
    ///
    /// # Panics
    /// If there are not so many blocks.
    pub fn copy_hi(&self, first: usize, out: &mut [u64]) {
        let (tiles, blocks) = (self.tiles(), self.blocks());
        for run in runs(first, out.len(), blocks) {
            let tiles = &tiles[run.row / TILE_ROWS * blocks..][run.columns.clone()];
            out[run.at..].iter_mut().zip(tiles).for_each(|(word, tile)| *word = tile.hi(run.row % TILE_ROWS));
        }
    }

    /// Copies the points of the blocks from number `first` on, counted row by row: two numbers each.
    ///
    /// # Panics
    /// If there are not so many blocks.
    pub fn copy_lo(&self, first: usize, out: &mut [f32]) {
        let (tiles, blocks, out) = (self.tiles(), self.blocks(), out.as_chunks_mut::<2>().0);
        for run in runs(first, out.len(), blocks) {
            let (tiles, r) = (&tiles[run.row / TILE_ROWS * blocks..][run.columns.clone()], run.row % TILE_ROWS);
            out[run.at..].iter_mut().zip(tiles).for_each(|(point, tile)| *point = [tile.z0[r], tile.z1[r]]);
        }
    }
}

/// Blocks of a packed tensor to be, filled from row-major bits and points piece by piece.
pub struct PackedParts {
    shape: Vec<usize>,
    rows: usize,
    cols: usize,
    scale: f32,
    buffer: Buffer,
}

impl PackedParts {
    /// Blocks of zero bits and points for a packed tensor of logical `shape`; `scale` as in [`PackedTensor::new`].
    ///
    /// # Errors
    /// `Shape` or `Memory` for a shape that packed tensors do not have; `Value` for a scale that is not finite and positive.
    pub fn new(shape: &[usize], scale: Option<f32>) -> Result<PackedParts> {
        let (rows, cols) = matrix(OP, shape)?;
        let scale = scale.unwrap_or(1.0 / (cols as f32).sqrt());
        if !(scale.is_finite() && scale > 0.0) {
            return Err(RbeError::value(OP, "a finite scale > 0", scale));
        }
        let tiles = rows.div_ceil(TILE_ROWS) * cols.div_ceil(BITS);
        Ok(PackedParts { shape: shape.to_vec(), rows, cols, scale, buffer: Buffer::zeroed(tiles * size_of::<Tile>()) })
    }

    fn blocks(&self) -> usize {
        self.cols.div_ceil(BITS)
    }

    /// Writes state bits of the blocks from number `first` on, counted row by row.
    ///
    /// # Errors
    /// `Value` for an unused bit of a row's last block that is set.
    ///
    /// # Panics
    /// If there are not so many blocks.
    pub fn put_hi(&mut self, first: usize, hi: &[u64]) -> Result<()> {
        let (blocks, unused) = (self.blocks(), !last_mask(self.cols));
        let used = self.cols - (blocks - 1) * BITS;
        let tiles: &mut [Tile] = self.buffer.slice_mut();
        for run in runs(first, hi.len(), blocks) {
            for (j, word) in run.columns.clone().zip(&hi[run.at..]) {
                if j + 1 == blocks && word & unused != 0 {
                    let got = format!("a set one in row {}", run.row);
                    return Err(RbeError::value(OP, format!("unused bits of the last block ({used} used) to be 0"), got));
                }
                tiles[run.row / TILE_ROWS * blocks + j].set_hi(run.row % TILE_ROWS, *word);
            }
        }
        Ok(())
    }

    /// Writes points of the blocks from number `first` on, counted row by row: two numbers each.
    ///
    /// # Errors
    /// `NonFinite` or `Value` for a point that is not finite or outside `|z| <= 1 - 1e-3`.
    ///
    /// # Panics
    /// If there are not so many blocks.
    pub fn put_lo(&mut self, first: usize, lo: &[f32]) -> Result<()> {
        if let Some(bad) = lo.iter().find(|v| !v.is_finite()) {
            return Err(RbeError::non_finite(OP, "finite points", bad));
        }
        let points = lo.as_chunks::<2>().0;
        if let Some([a, b]) = points.iter().find(|[a, b]| a.hypot(*b) > MAX_RADIUS * (1.0 + f32::EPSILON)) {
            return Err(RbeError::value(OP, "points with |z| <= 1 - 1e-3", format!("({a}, {b})")));
        }
        let blocks = self.blocks();
        let tiles: &mut [Tile] = self.buffer.slice_mut();
        for run in runs(first, points.len(), blocks) {
            let r = run.row % TILE_ROWS;
            for (j, [a, b]) in run.columns.clone().zip(&points[run.at..]) {
                let tile = &mut tiles[run.row / TILE_ROWS * blocks + j];
                (tile.z0[r], tile.z1[r]) = (*a, *b);
            }
        }
        Ok(())
    }

    /// The tensor.
    pub fn finish(self) -> PackedTensor {
        PackedTensor::of_buffer(&self.shape, (self.rows, self.cols), self.scale, self.buffer)
    }
}

/// Rows and columns of a logical shape.
///
/// # Errors
/// `Shape` for fewer than two axes or an empty one; `Memory` if no memory could hold the tiles.
pub(super) fn matrix(op: &'static str, shape: &[usize]) -> Result<(usize, usize)> {
    let rows = match shape {
        [_, _, ..] if shape.contains(&0) => return Err(RbeError::shape(op, "axes of at least 1", format!("{shape:?}"))),
        [rows, _, ..] => *rows,
        _ => return Err(RbeError::shape(op, "a shape of two or more axes (out, in, …)", format!("{shape:?}"))),
    };
    let cols = memory::count(shape).map(|elements| elements / rows);
    let tiles = cols.and_then(|cols| rows.div_ceil(TILE_ROWS).checked_mul(cols.div_ceil(BITS)));
    let bytes = tiles.and_then(|tiles| tiles.checked_mul(size_of::<Tile>())).map(isize::try_from);
    match (cols, bytes) {
        (Some(cols), Some(Ok(_))) => Ok((rows, cols)),
        _ => Err(RbeError::memory(op, "a shape whose blocks have addresses", format!("{shape:?}"))),
    }
}

/// Blocks of one row among `count` that follow each other row by row.
struct Run {
    row: usize,
    columns: std::ops::Range<usize>,
    at: usize, // blocks of earlier runs
}

/// The runs of `count` blocks from number `first` on, where a row has `blocks` of them.
fn runs(first: usize, count: usize, blocks: usize) -> impl Iterator<Item = Run> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (row, column) = ((first + at) / blocks, (first + at) % blocks);
        let n = (blocks - column).min(count - at);
        let run = Run { row, columns: column..column + n, at };
        at += n;
        (n > 0).then_some(run)
    })
}

pub(super) fn last_mask(cols: usize) -> u64 {
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
