//! Products with the sixteen rows of a tile in lanes, for few samples: tables of the subset sums of a few inputs of one sample,
//! held in registers and looked up by the bits of sixteen rows at once.

use std::ops::Range;

use super::lane_layout::SAMPLES;
use super::lanes::Lanes;
use super::operands::{Forward, LevelGradient, gv_rows};
use super::tile_levels::Levels;
use super::view::View;
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Look-up of the sums over sixteen rows' set bits.
pub(in crate::kernel) trait RowLanes: Lanes<16> {
    /// Subset sums of the groups of inputs of one block of one sample.
    type Table: bytemuck::Pod;
    /// The bits of a tile as positions in a table.
    type Index;

    fn index(self, tile: &Tile) -> Self::Index;
    fn fill(self, inputs: &[f32; BITS], table: &mut Self::Table);
    /// Sums over the set bits of every row.
    fn set_sums(self, index: &Self::Index, table: &Self::Table) -> Self::V;
}

/// Tables of block `j` of the rows of `x (samples, cols)`, and the sums of the block's inputs.
#[inline(always)]
fn build<S: RowLanes>(s: S, x: &[f32], w: &View<'_>, j: usize, tables: &mut [S::Table], totals: &mut [f32; SAMPLES]) {
    let used = w.cols_in(j);
    let mut padded = [0.0f32; BITS];
    for (row, (table, total)) in x.chunks_exact(w.cols).zip(tables.iter_mut().zip(totals)) {
        let inputs = &row[j * BITS..][..used];
        let inputs: &[f32; BITS] = match inputs.try_into() {
            Ok(whole) => whole,
            Err(_) => {
                padded[..used].copy_from_slice(inputs);
                &padded
            }
        };
        s.fill(inputs, table);
        let mut sums = [0.0f32; 16];
        for sixteen in inputs.as_chunks::<16>().0 {
            sums.iter_mut().zip(sixteen).for_each(|(sum, x)| *sum += x);
        }
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                sums[i] += sums[i + half];
            }
        }
        *total = sums[0];
    }
}

/// Bytes of tables that are in use at once: half the first-level cache. For few samples these are the tables of several blocks, so that
/// tiles are read in the order of memory.
const TABLES: usize = 1 << 14;

/// Rows `tiles` of `y (batch, rows)` for up to sixteen samples `x (samples, cols)`, from sample `first` on.
///
/// # Safety
/// Nobody else may touch these elements of `y`.
#[inline(always)]
pub(in crate::kernel) unsafe fn forward<S: RowLanes>(s: S, f: Forward<'_>) {
    let Forward { x, first, w, tiles, bias, y } = f;
    let samples = x.len() / w.cols;
    let together = (TABLES / (samples * size_of::<S::Table>())).clamp(1, w.blocks);
    let mut tables = crate::Buffer::dirty(together * samples * size_of::<S::Table>());
    let (tables, mut totals): (&mut [S::Table], _) = (tables.slice_mut(), memory::filled([0.0f32; SAMPLES], together));
    let mut sums = scratch(tiles.len() * samples * TILE_ROWS);
    let sums: &mut [[f32; TILE_ROWS]] = sums.slice_mut(); // (row tile, sample)
    for (sums, r) in sums.chunks_exact_mut(samples).zip(tiles.clone()) {
        let mut start = [0.0; TILE_ROWS];
        if let Some(bias) = bias {
            start[..w.rows_in(r)].copy_from_slice(&bias[r * TILE_ROWS..][..w.rows_in(r)]);
        }
        sums.fill(start);
    }
    for from in (0..w.blocks).step_by(together) {
        let blocks = from..(from + together).min(w.blocks);
        for ((j, tables), totals) in blocks.clone().zip(tables.chunks_exact_mut(samples)).zip(&mut totals) {
            build(s, x, &w, j, tables, totals);
        }
        for (sums, r) in sums.chunks_exact_mut(samples).zip(tiles.clone()) {
            for ((j, tables), totals) in blocks.clone().zip(tables.chunks_exact(samples)).zip(&totals) {
                let tile = w.tile(r, j);
                let levels = Levels::of(tile, w.scale);
                let (v0, gap) = (s.load(&levels.v0), s.load(&levels.gap));
                let index = s.index(tile);
                for ((y, table), total) in sums.iter_mut().zip(tables).zip(totals) {
                    let sum = s.mul_add(v0, s.splat(*total), s.load(y));
                    s.store(y, s.mul_add(gap, s.set_sums(&index, table), sum));
                }
            }
        }
    }
    for (sums, r) in sums.chunks_exact(samples).zip(tiles) {
        let here = w.rows_in(r);
        for (b, sums) in sums.iter().enumerate() {
            // SAFETY: the caller owns these rows of these samples.
            unsafe { y.part(first + b, r * TILE_ROWS, here) }.copy_from_slice(&sums[..here]);
        }
    }
}

/// Block column `j` of `gv (rows, blocks * 2)`: the gradient of the levels for the samples of `chunks` of `x (batch, cols)` is
/// added, or with `fresh` written.
///
/// # Safety
/// Nobody else may touch this block column of `gv`.
#[inline(always)]
pub(in crate::kernel) unsafe fn level_gradient<S: RowLanes>(s: S, chunks: Range<usize>, p: LevelGradient<'_>) {
    let LevelGradient { x, dy, w, j, gv, fresh } = p;
    let mut tables = crate::Buffer::dirty(SAMPLES.min(dy.batch) * size_of::<S::Table>());
    let (tables, mut totals): (&mut [S::Table], _) = (tables.slice_mut(), [0.0f32; SAMPLES]);
    let mut sums = crate::Buffer::zeroed(w.row_tiles() * 2 * TILE_ROWS * size_of::<f32>());
    let sums: &mut [[[f32; TILE_ROWS]; 2]] = sums.slice_mut();
    for c in chunks {
        build(s, &x[c * SAMPLES * w.cols..], &w, j, tables, &mut totals);
        for (r, sums) in sums.iter_mut().enumerate() {
            let index = s.index(w.tile(r, j));
            let (mut all, mut set) = (s.load(&sums[0]), s.load(&sums[1]));
            for ((dy, table), total) in dy.rows(c, r).iter().zip(tables.iter()).zip(&totals) {
                let dy = s.load(dy);
                set = s.mul_add(dy, s.set_sums(&index, table), set);
                all = s.mul_add(dy, s.splat(*total), all);
            }
            s.store(&mut sums[0], all);
            s.store(&mut sums[1], set);
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        // SAFETY: the caller owns this block column.
        unsafe { gv_rows(&w, r, j, sums, gv, fresh) };
    }
}
