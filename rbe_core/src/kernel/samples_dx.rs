//! `dx = dy W` with samples in lanes: with `u = dy (v1 - v0)`, a column of a block gets `Σ dy v0` and the sum of u over the rows
//! whose bit is set; the subset sums of a tile's sixteen rows, in groups of five, five and six, serve the block's 64 columns.

use super::dy_tiles::DyTiles;
use super::family::SAMPLES;
use super::lanes::Lanes;
use super::samples::{Levels, from_lanes, subsets};
use super::strip::scratch;
use super::view::{Shared, View};
use crate::packed::{BITS, TILE_ROWS};

/// One tile made ready: levels of the rows, and for every column the bits of the sixteen rows.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(super) struct Columns {
    pub bits: [u16; BITS],
    pub levels: Levels,
}

/// Block column `j`, made ready in `out (row tiles)`.
#[inline(always)]
pub(super) fn columns<S: Lanes<N>, const N: usize>(s: S, w: &View<'_>, j: usize, out: &mut [Columns]) {
    for (r, out) in out.iter_mut().enumerate() {
        let tile = w.tile(r, j);
        *out = Columns { bits: s.column_bits(tile), levels: Levels::of(tile, w.scale) };
    }
}

/// Memory for a block column.
pub(super) fn column_scratch(w: &View<'_>) -> crate::Buffer {
    crate::Buffer::dirty(w.row_tiles() * size_of::<Columns>())
}

/// Rows of the groups of a tile: first row, rows, place of the first sum.
const GROUPS: [(usize, usize, usize); 3] = [(0, 5, 0), (5, 5, 32), (10, 6, 64)];
/// Sums of the subsets of a tile's groups.
const SUMS: usize = 128;

/// Columns of block `j` of `dx (batch, cols)` for the samples of chunk `c`.
///
/// # Safety
/// Nobody else may touch these columns of `dx`.
#[inline(always)]
pub(super) unsafe fn dx<S: Lanes<N>, const N: usize>(
    s: S,
    columns: &[Columns],
    dy: DyTiles<'_>,
    c: usize,
    w: &View<'_>,
    j: usize,
    dx: Shared<'_, f32>,
) {
    let mut tables = scratch(2 * SUMS * N);
    let tables: &mut [[[f32; N]; SUMS]; 2] = match tables.slice_mut().as_chunks_mut::<N>().0.as_chunks_mut::<SUMS>().0.first_chunk_mut() {
        Some(tables) => tables,
        None => unreachable!("scratch memory of the size asked for"),
    };
    let mut sums = [[0.0f32; N]; BITS];
    let mut base = s.splat(0.0);
    for (t, pair) in columns.chunks(2).enumerate() {
        for (i, (tile, tables)) in pair.iter().zip(tables.iter_mut()).enumerate() {
            let dy = dy.lanes::<N>(c, 2 * t + i);
            let mut u = [[0.0; N]; TILE_ROWS];
            for r in 0..TILE_ROWS {
                let dy = s.load(&dy[r]);
                base = s.mul_add(dy, s.splat(tile.levels.v0[r]), base);
                s.store(&mut u[r], s.mul(dy, s.splat(tile.levels.gap[r])));
            }
            for (first, rows, place) in GROUPS {
                subsets(s, &u[first..first + rows], &mut tables[place..]);
            }
        }
        match pair {
            [a, b] => {
                for k in 0..BITS {
                    let (a, b) = (look_up(s, a.bits[k], &tables[0]), look_up(s, b.bits[k], &tables[1]));
                    let sum = s.add(s.load(&sums[k]), s.add(a, b));
                    s.store(&mut sums[k], sum);
                }
            }
            last => {
                for (k, bits) in last.iter().flat_map(|tile| tile.bits).enumerate() {
                    let sum = s.add(s.load(&sums[k]), look_up(s, bits, &tables[0]));
                    s.store(&mut sums[k], sum);
                }
            }
        }
    }
    for sum in &mut sums {
        s.store(sum, s.add(s.load(sum), base));
    }
    let (first, used) = (c * SAMPLES, w.cols_in(j));
    from_lanes(s, &sums, used, (dy.batch - first).min(N), |b, k, values| {
        // SAFETY: the caller owns these columns.
        unsafe { dx.part(first + b, j * BITS + k, values.len()) }.copy_from_slice(values);
    });
}

/// Sum over the rows whose bit is set.
#[inline(always)]
fn look_up<S: Lanes<N>, const N: usize>(s: S, bits: u16, tables: &[[f32; N]; SUMS]) -> S::V {
    let mut sum = s.splat(0.0);
    for (g, (first, rows, place)) in GROUPS.into_iter().enumerate() {
        let entry = s.load(&tables[place + usize::from(bits >> first) % (1 << rows)]);
        sum = if g == 0 { entry } else { s.add(sum, entry) };
    }
    sum
}
