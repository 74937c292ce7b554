//! `dx = dy W` with samples in lanes: with `u = dy (v1 - v0)`, a column of a block gets `Σ dy v0` and the sum of u over the rows
//! whose bit is set; the subset sums of a tile's sixteen rows, in groups of four, serve the block's 64 columns.

use super::lane_layout::SAMPLES;
use super::lanes::Lanes;
use super::operands::Dx;
use super::samples_in_lanes::from_lanes;
use super::tile_levels::Levels;
use super::view::View;
use crate::kernel::scratch::scratch;
use crate::packed::{BITS, TILE_ROWS};

/// One tile made ready: levels of the rows, and for every column the bits of the sixteen rows.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(in crate::kernel) struct Columns {
    pub bits: [u16; BITS],
    pub levels: Levels,
}

/// Block column `j`, made ready in `out (row tiles)`.
#[inline(always)]
pub(in crate::kernel) fn columns<S: Lanes<N>, const N: usize>(s: S, w: &View<'_>, j: usize, out: &mut [Columns]) {
    for (r, out) in out.iter_mut().enumerate() {
        let tile = w.tile(r, j);
        *out = Columns { bits: s.column_bits(tile), levels: Levels::of(tile, w.scale) };
    }
}

/// Memory for a block column.
pub(in crate::kernel) fn column_scratch(w: &View<'_>) -> crate::Buffer {
    crate::Buffer::dirty(w.row_tiles() * size_of::<Columns>())
}

/// Rows of a group: their sums are made in registers.
const GROUP: usize = 4;
/// Sums of the subsets of a group.
const SUBSETS: usize = 1 << GROUP;
/// Sums of the subsets of a tile's groups.
const SUMS: usize = TILE_ROWS / GROUP * SUBSETS;

/// Columns of block `j` of `dx (batch, cols)` for the samples of chunk `c`.
///
/// # Safety
/// Nobody else may touch these columns of `dx`.
#[inline(always)]
pub(in crate::kernel) unsafe fn dx<S: Lanes<N>, const N: usize>(s: S, columns: &[Columns], c: usize, p: Dx<'_>) {
    let Dx { dy, w, j, dx } = p;
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
            for (g, out) in tables.as_chunks_mut::<SUBSETS>().0.iter_mut().enumerate() {
                let mut u = [s.splat(0.0); GROUP];
                for i in 0..GROUP {
                    let r = g * GROUP + i;
                    let dy = s.load(&dy[r]);
                    base = s.mul_add(dy, s.splat(tile.levels.v0[r]), base);
                    u[i] = s.mul(dy, s.splat(tile.levels.gap[r]));
                }
                subsets(s, u, out);
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
    // SAFETY: the caller owns these columns.
    let part = |b: usize, k: usize, n: usize| unsafe { dx.part(first + b, j * BITS + k, n) };
    from_lanes(s, &sums, used, (dy.batch - first).min(N), part);
}

/// Sums of every subset of four, the subset's bits being the position.
#[inline(always)]
fn subsets<S: Lanes<N>, const N: usize>(s: S, u: [S::V; GROUP], out: &mut [[f32; N]; SUBSETS]) {
    let (low, high) = (s.add(u[0], u[1]), s.add(u[2], u[3]));
    for (four, upper) in out.as_chunks_mut::<4>().0.iter_mut().zip([None, Some(u[2]), Some(u[3]), Some(high)]) {
        let lower = [s.splat(0.0), u[0], u[1], low];
        for i in 0..4 {
            let sum = match upper {
                None => lower[i],
                Some(upper) if i == 0 => upper,
                Some(upper) => s.add(upper, lower[i]),
            };
            s.store(&mut four[i], sum);
        }
    }
}

/// Sum over the rows whose bit is set.
#[inline(always)]
fn look_up<S: Lanes<N>, const N: usize>(s: S, bits: u16, tables: &[[f32; N]; SUMS]) -> S::V {
    let mut sum = s.splat(0.0);
    for g in 0..TILE_ROWS / GROUP {
        let entry = s.load(&tables[g * SUBSETS + usize::from(bits >> (GROUP * g)) % SUBSETS]);
        sum = if g == 0 { entry } else { s.add(sum, entry) };
    }
    sum
}
