//! The forward product of int8 inputs with samples in lanes: tables of the subset sums of five inputs, each sum a vector of `N` integers
//! of 16 bits, that all rows share. Half as wide as floats, they hold twice the samples a register, and every sum is exact.

use super::operands::QuantisedForward;
use super::short_lanes::ShortLanes;
use super::transpose::transpose_bytes;
use crate::kernel::packed::samples_in_lanes::{from_lanes, table};
use crate::kernel::packed::tile_levels::Levels;
use crate::kernel::packed::view::View;
use crate::kernel::scratch::scratch;
use crate::packed::{BITS, Quantised, TILE_ROWS};

/// Inputs of a group.
const GROUP: usize = 5;
const GROUPS: usize = BITS.div_ceil(GROUP);
/// Sums of the subsets of the groups of a block; the last group is smaller and leaves some unused.
const SUMS: usize = GROUPS << GROUP;
const _: () = assert!(BITS * Quantised::MOST as usize <= i16::MAX as usize);

/// Block `j` of up to `N` rows of `x` with samples in lanes: `out (columns, N)`, zero where there is nothing.
#[inline(always)]
fn into_lanes<const N: usize>(x: &[i8], w: &View<'_>, j: usize, out: &mut [[i16; N]; BITS]) {
    let used = w.cols_in(j);
    let row = |b: usize| x.get(b * w.cols + j * BITS..).and_then(|row| row.get(..used)).unwrap_or(&[]);
    for first in (0..N).step_by(8) {
        for (q, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let mut words = [0u64; 8];
            for (i, word) in words.iter_mut().enumerate() {
                let rest = row(first + i).get(8 * q..).unwrap_or(&[]);
                let mut eight = [0i8; 8];
                match rest.first_chunk() {
                    Some(whole) => eight = *whole,
                    None => eight[..rest.len()].copy_from_slice(rest),
                }
                *word = u64::from_le_bytes(bytemuck::cast(eight));
            }
            for (out, column) in out.iter_mut().zip(transpose_bytes(words)) {
                for (out, byte) in out[first..first + 8].iter_mut().zip(column.to_le_bytes()) {
                    *out = i16::from(byte.cast_signed());
                }
            }
        }
    }
}

/// Block `j` of the rows of `x` as tables, and the sums over the block.
#[inline(always)]
fn build<S: ShortLanes<N>, const N: usize>(s: S, x: &[i8], w: &View<'_>, j: usize, tables: &mut [[i16; N]; SUMS]) -> S::Floats {
    let mut inputs = [[0i16; N]; BITS];
    into_lanes(x, w, j, &mut inputs);
    let mut total = s.zero();
    for (group, table) in inputs.chunks(GROUP).zip(tables.chunks_exact_mut(1 << GROUP)) {
        table[0] = [0; N];
        for (c, input) in group.iter().enumerate() {
            let v = s.load(input);
            total = s.add(total, v);
            let (old, new) = table.split_at_mut(1 << c);
            for (old, new) in old.iter().zip(new) {
                s.store(new, s.add(s.load(old), v));
            }
        }
    }
    s.floats(total)
}

/// Sums over the set bits.
#[inline(always)]
fn set_sums<S: ShortLanes<N>, const N: usize>(s: S, hi: u64, tables: &[[i16; N]; SUMS]) -> S::Shorts {
    // One base and thirteen distances: as rows of an array, the groups' addresses would fill all registers.
    let tables = tables.as_flattened();
    let mut sums = [s.zero(); 2];
    for g in 0..GROUPS {
        let at = (g << GROUP) * N + (hi >> (GROUP * g)) as usize % (1 << GROUP) * N;
        let Some(entry) = tables[at..].first_chunk() else { unreachable!("entries are whole") };
        sums[g % 2] = if g < 2 { s.load(entry) } else { s.add(sums[g % 2], s.load(entry)) };
    }
    s.add(sums[0], sums[1])
}

/// Of some samples those that go into registers of `lanes`: all, unless half a register is enough for the rest.
pub(in crate::kernel) const fn in_whole_registers(samples: usize, lanes: usize) -> usize {
    let rest = samples % lanes;
    if rest <= lanes / 2 { samples - rest } else { samples }
}

/// See [`QuantisedForward`]; for any number of samples.
///
/// # Safety
/// Nobody else may touch these elements of `y`.
#[inline(always)]
pub(in crate::kernel) unsafe fn forward<S: ShortLanes<N>, const N: usize>(s: S, f: QuantisedForward<'_>) {
    let QuantisedForward { x, first, w, tiles, bias, y, .. } = f;
    let samples = x.batch();
    let mut tables = crate::Buffer::dirty(SUMS * N * size_of::<i16>());
    let tables: &mut [[i16; N]; SUMS] = table(tables.slice_mut());
    let mut levels = scratch(tiles.len() * 2 * TILE_ROWS);
    let levels: &mut [Levels] = levels.slice_mut();
    let mut sums = crate::Buffer::zeroed(samples.div_ceil(N) * tiles.len() * TILE_ROWS * N * size_of::<f32>());
    let sums: &mut [[[f32; N]; TILE_ROWS]] = sums.slice_mut::<f32>().as_chunks_mut::<N>().0.as_chunks_mut().0; // (chunk of samples, row tile)
    for j in 0..w.blocks {
        for (levels, r) in levels.iter_mut().zip(tiles.clone()) {
            *levels = Levels::of(w.tile(r, j), w.scale);
        }
        for (c, sums) in sums.chunks_exact_mut(tiles.len()).enumerate() {
            let total = build(s, &x.values[c * N * w.cols..], &w, j, tables);
            for ((sums, levels), r) in sums.iter_mut().zip(levels.iter()).zip(tiles.clone()) {
                let tile = w.tile(r, j);
                w.prefetch_bits(r + 1, j);
                for i in 0..TILE_ROWS {
                    let sum = s.mul_add(s.splat(levels.v0[i]), total, s.load_floats(&sums[i]));
                    let set = s.floats(set_sums(s, tile.hi(i), tables));
                    s.store_floats(&mut sums[i], s.mul_add(s.splat(levels.gap[i]), set, sum));
                }
            }
        }
    }
    for (c, sums) in sums.chunks_exact_mut(tiles.len()).enumerate() {
        let here = (samples - c * N).min(N);
        let mut scales = [0.0; N];
        scales[..here].copy_from_slice(&x.scales[c * N..][..here]);
        let scales = s.load_floats(&scales);
        for (sums, r) in sums.iter_mut().zip(tiles.clone()) {
            for (i, sums) in sums.iter_mut().enumerate().take(w.rows_in(r)) {
                let bias = bias.map_or(0.0, |bias| bias[r * TILE_ROWS + i]);
                let scaled = s.mul_add(scales, s.load_floats(sums), s.splat(bias));
                s.store_floats(sums, scaled);
            }
            // SAFETY: the caller owns these rows of these samples.
            let part = |b: usize, i: usize, n: usize| unsafe { y.part(first + c * N + b, r * TILE_ROWS + i, n) };
            from_lanes(s, sums, w.rows_in(r), here, part);
        }
    }
}
