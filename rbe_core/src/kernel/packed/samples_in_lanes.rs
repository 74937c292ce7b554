//! Products with samples in lanes: tables of the subset sums of five inputs, each sum a vector of `N` samples, that all rows
//! share. A row's bits are thirteen addresses; what it costs is thirteen loads with addition and two multiplications.

use std::ops::Range;

use super::lane_layout::SAMPLES;
use super::lanes::{Lanes, Transpose};
use super::operands::{Forward, LevelGradient, gv_rows};
use super::tile_levels::Levels;
use super::view::View;
use crate::kernel::scratch::scratch;
use crate::packed::{BITS, TILE_ROWS};

/// Inputs of a group.
const GROUP: usize = 5;
const GROUPS: usize = BITS.div_ceil(GROUP);
/// Sums of the subsets of the groups of a block; the last group is smaller and leaves some unused.
const SUMS: usize = GROUPS << GROUP;

/// Sums of every subset of `inputs`, the subset's bits being the position.
#[inline(always)]
pub(in crate::kernel) fn subsets<S: Lanes<N>, const N: usize>(s: S, inputs: &[[f32; N]], out: &mut [[f32; N]]) {
    out[0] = [0.0; N];
    for (c, input) in inputs.iter().enumerate() {
        let v = s.load(input);
        let (old, new) = out.split_at_mut(1 << c);
        for (old, new) in old.iter().zip(new) {
            s.store(new, s.add(s.load(old), v));
        }
    }
}

/// `out (columns, N)` from eight-column pieces of up to `N` rows, zero where there is nothing.
#[inline(always)]
pub(in crate::kernel) fn into_lanes<'a, S: Lanes<N>, const N: usize>(s: S, rows: impl Fn(usize) -> &'a [f32], out: &mut [[f32; N]]) {
    for first in (0..N).step_by(8) {
        for (q, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let mut from: [&[f32; 8]; 8] = [&[0.0; 8]; 8];
            let mut whole = true;
            for i in 0..8 {
                match rows(first + i).get(8 * q..).and_then(|row| row.first_chunk()) {
                    Some(eight) => from[i] = eight,
                    None => whole = false,
                }
            }
            let mut padded = [[0.0f32; 8]; 8];
            if !whole {
                for (i, padded) in padded.iter_mut().enumerate() {
                    let rest = rows(first + i).get(8 * q..).unwrap_or(&[]);
                    let here = rest.len().min(8);
                    padded[..here].copy_from_slice(&rest[..here]);
                }
                from = padded.each_ref();
            }
            for (out, column) in out.iter_mut().zip(s.transpose(from)) {
                out[first..first + 8].copy_from_slice(&column);
            }
        }
    }
}

/// Writes the `used` columns of `from (columns, N)`, a row for each sample; `out(sample, first column, n)` is where up to eight go.
#[inline(always)]
pub(in crate::kernel) fn from_lanes<'a, S: Transpose, const N: usize>(
    s: S,
    from: &[[f32; N]],
    used: usize,
    samples: usize,
    out: impl Fn(usize, usize, usize) -> &'a mut [f32],
) {
    for (q, eight) in from.as_chunks::<8>().0.iter().enumerate().take(used.div_ceil(8)) {
        let here = (used - 8 * q).min(8);
        for first in (0..samples).step_by(8) {
            let part = |i: usize| eight[i][first..].first_chunk().unwrap_or(&[0.0; 8]);
            for (b, row) in s.transpose(std::array::from_fn(part)).iter().enumerate().take(samples - first) {
                let out = out(first + b, 8 * q, here);
                match out.first_chunk_mut() {
                    Some(whole) => *whole = *row,
                    None => out.copy_from_slice(&row[..here]),
                }
            }
        }
    }
}

/// Block `j` of the rows of `x (samples, cols)`, from row `first` on, as tables; and the sums over the block.
#[inline(always)]
fn build<S: Lanes<N>, const N: usize>(s: S, x: &[f32], first: usize, w: &View<'_>, j: usize, tables: &mut [[f32; N]; SUMS]) -> S::V {
    let used = w.cols_in(j);
    let mut inputs = [[0.0f32; N]; BITS];
    into_lanes(s, |b| x.get((first + b) * w.cols + j * BITS..).and_then(|row| row.get(..used)).unwrap_or(&[]), &mut inputs);
    let mut total = s.splat(0.0);
    for input in &inputs {
        total = s.add(total, s.load(input));
    }
    for (group, table) in inputs.chunks(GROUP).zip(tables.chunks_exact_mut(1 << GROUP)) {
        subsets(s, group, table);
    }
    total
}

/// Sums over the set bits. Plain loops here and elsewhere, for a closure is no part of the function compiled for the
/// instruction set.
#[inline(always)]
fn set_sums<S: Lanes<N>, const N: usize>(s: S, hi: u64, tables: &[[f32; N]; SUMS]) -> S::V {
    // One base and thirteen distances: as rows of an array, the groups' addresses would fill all registers.
    let tables = tables.as_flattened();
    let mut sums = [s.splat(0.0); 4];
    for g in 0..GROUPS {
        let at = (g << GROUP) * N + (hi >> (GROUP * g)) as usize % (1 << GROUP) * N;
        let Some(entry) = tables[at..].first_chunk() else { unreachable!("entries are whole") };
        sums[g % 4] = if g < 4 { s.load(entry) } else { s.add(sums[g % 4], s.load(entry)) };
    }
    s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]))
}

/// Rows `tiles` of `y (batch, rows)` for `x (samples, cols)`, the samples from `first` on.
///
/// # Safety
/// Nobody else may touch these elements of `y`.
#[inline(always)]
pub(in crate::kernel) unsafe fn forward<S: Lanes<N>, const N: usize>(s: S, f: Forward<'_>) {
    let Forward { x, first, w, tiles, bias, y } = f;
    let samples = x.len() / w.cols;
    let mut tables = scratch(SUMS * N);
    let tables: &mut [[f32; N]; SUMS] = table(tables.slice_mut());
    let mut levels = scratch(tiles.len() * 2 * TILE_ROWS);
    let levels: &mut [Levels] = levels.slice_mut();
    let mut sums = scratch(samples.div_ceil(N) * tiles.len() * TILE_ROWS * N);
    let sums: &mut [[[f32; N]; TILE_ROWS]] = rows(sums.slice_mut()); // (chunk of samples, row tile)
    for sums in sums.chunks_exact_mut(tiles.len()) {
        for (sums, r) in sums.iter_mut().zip(tiles.clone()) {
            let bias = bias.map_or(&[][..], |bias| &bias[r * TILE_ROWS..][..w.rows_in(r)]);
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum = [bias.get(i).copied().unwrap_or(0.0); N];
            }
        }
    }
    for j in 0..w.blocks {
        for (levels, r) in levels.iter_mut().zip(tiles.clone()) {
            *levels = Levels::of(w.tile(r, j), w.scale);
        }
        for (c, sums) in sums.chunks_exact_mut(tiles.len()).enumerate() {
            let total = build(s, x, c * N, &w, j, tables);
            for ((sums, levels), r) in sums.iter_mut().zip(levels.iter()).zip(tiles.clone()) {
                let tile = w.tile(r, j);
                w.prefetch_bits(r + 1, j);
                for i in 0..TILE_ROWS {
                    let sum = s.mul_add(s.splat(levels.v0[i]), total, s.load(&sums[i]));
                    s.store(&mut sums[i], s.mul_add(s.splat(levels.gap[i]), set_sums(s, tile.hi(i), tables), sum));
                }
            }
        }
    }
    for (c, sums) in sums.chunks_exact(tiles.len()).enumerate() {
        for (sums, r) in sums.iter().zip(tiles.clone()) {
            // SAFETY: the caller owns these rows of these samples.
            let part = |b: usize, i: usize, n: usize| unsafe { y.part(first + c * N + b, r * TILE_ROWS + i, n) };
            from_lanes(s, sums, w.rows_in(r), (samples - c * N).min(N), part);
        }
    }
}

/// Block column `j` of `gv (rows, blocks * 2)`: the gradient of the levels for the samples of `chunks` of `x (batch, cols)` is
/// added, or with `fresh` written. The forward's sums S do it: `∂L/∂v1 = Σ_b dy S`, `∂L/∂v0 = Σ_b dy (T - S)`.
///
/// # Safety
/// Nobody else may touch this block column of `gv`.
#[inline(always)]
pub(in crate::kernel) unsafe fn level_gradient<S: Lanes<N>, const N: usize>(s: S, chunks: Range<usize>, p: LevelGradient<'_>) {
    let LevelGradient { x, dy, w, j, gv, fresh } = p;
    let mut tables = scratch(SUMS * N);
    let tables: &mut [[f32; N]; SUMS] = table(tables.slice_mut());
    let mut sums = crate::Buffer::zeroed(w.row_tiles() * 2 * TILE_ROWS * size_of::<f32>());
    let sums: &mut [[[f32; TILE_ROWS]; 2]] = sums.slice_mut();
    let mut products = [[[0.0; N]; 8]; 2]; // of eight rows dy T and dy S
    for c in chunks {
        let total = build(s, x, c * SAMPLES, &w, j, tables);
        for (r, [all, set]) in sums.iter_mut().enumerate() {
            let (tile, lanes) = (w.tile(r, j), dy.lanes::<N>(c, r));
            for (half, (all, set)) in all.as_chunks_mut::<8>().0.iter_mut().zip(set.as_chunks_mut::<8>().0).enumerate() {
                for i in 0..8 {
                    let dy = s.load(&lanes[8 * half + i]);
                    s.store(&mut products[0][i], s.mul(dy, total));
                    s.store(&mut products[1][i], s.mul(dy, set_sums(s, tile.hi(8 * half + i), tables)));
                }
                for (sums, products) in [all, set].into_iter().zip(&products) {
                    sums.iter_mut().zip(s.across(products)).for_each(|(sum, more)| *sum += more);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        // SAFETY: the caller owns this block column.
        unsafe { gv_rows(&w, r, j, sums, gv, fresh) };
    }
}

/// Writes `dy (samples, rows)` in the order (row tile, row, sample), zero beyond its rows and samples.
#[inline(always)]
pub(in crate::kernel) fn order<S: Lanes<N>, const N: usize>(s: S, dy: &[f32], w: &View<'_>, out: &mut [f32]) {
    for (r, out) in rows::<N>(out).iter_mut().enumerate() {
        let part = |b: usize| dy.get(b * w.rows + r * TILE_ROWS..).and_then(|row| row.get(..w.rows_in(r))).unwrap_or(&[]);
        into_lanes(s, part, out);
    }
}

/// Scratch memory as tables.
#[inline(always)]
pub(in crate::kernel) fn table<T, const N: usize, const M: usize>(scratch: &mut [T]) -> &mut [[T; N]; M] {
    match scratch.as_chunks_mut::<N>().0.first_chunk_mut::<M>() {
        Some(table) => table,
        None => unreachable!("scratch memory of the size asked for"),
    }
}

/// Scratch memory as tiles of rows.
#[inline(always)]
fn rows<const N: usize>(scratch: &mut [f32]) -> &mut [[[f32; N]; TILE_ROWS]] {
    scratch.as_chunks_mut::<N>().0.as_chunks_mut::<TILE_ROWS>().0
}
