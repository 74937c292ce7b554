//! The forward product with windows in lanes: tables of the sums of the subsets of four inputs, each sum a vector of `N` integers of 16 bits.
//! A table of five inputs would save a fifth of the lookups and cost twice as many sums, which few filters would not use.

use std::ops::Range;

use super::operands::{ForwardOfWindows, WindowRows, ZERO};
use crate::kernel::packed::quantised::short_lanes::ShortLanes;
use crate::kernel::packed::samples_in_lanes::table;
use crate::kernel::packed::tile_levels::Levels;
use crate::kernel::scratch::scratch;
use crate::packed::{BITS, TILE_ROWS};

/// Inputs of a group.
const GROUP: usize = 4;
const SUBSETS: usize = 1 << GROUP;
const GROUPS: usize = BITS / GROUP;
const SUMS: usize = GROUPS * SUBSETS;

/// Tables of `used` columns from column `first` on at the positions from `at` on, and the sums over all of them.
#[inline(always)]
fn build<S: ShortLanes<N>, const N: usize>(
    s: S,
    x: &WindowRows<'_>,
    at: usize,
    first: usize,
    used: usize,
    tables: &mut [[i16; N]; SUMS],
) -> S::Floats {
    let zero = s.splat_short(i16::from(ZERO));
    let mut total = s.zero();
    for (g, out) in tables.as_chunks_mut::<SUBSETS>().0.iter_mut().enumerate().take(used.div_ceil(GROUP)) {
        let mut inputs = [s.zero(); GROUP];
        for i in 0..GROUP {
            let k = g * GROUP + i;
            if k < used {
                inputs[i] = s.sub(s.load_bytes(x.bytes(first + k, at)), zero);
                total = s.add(total, inputs[i]);
            }
        }
        let mut sums = [s.zero(); SUBSETS / 2];
        sums[1] = inputs[0];
        sums[2] = inputs[1];
        sums[3] = s.add(inputs[0], inputs[1]);
        for i in 0..4 {
            sums[4 + i] = s.add(sums[i], inputs[2]);
        }
        for (i, sum) in sums.into_iter().enumerate() {
            s.store(&mut out[i], sum);
            s.store(&mut out[SUBSETS / 2 + i], s.add(sum, inputs[3]));
        }
    }
    s.floats(total)
}

/// Sums over the set bits of the first `groups` groups.
#[inline(always)]
fn set_sums<S: ShortLanes<N>, const N: usize>(s: S, hi: u64, groups: usize, tables: &[[i16; N]; SUMS]) -> S::Shorts {
    let mut sums = [s.zero(); 2];
    for g in 0..groups {
        let entry = s.load(&tables[g * SUBSETS + (hi >> (GROUP * g)) as usize % SUBSETS]);
        sums[g % 2] = s.add(sums[g % 2], entry);
    }
    s.add(sums[0], sums[1])
}

/// See [`ForwardOfWindows`]; of the windows of some positions.
#[inline(always)]
pub(in crate::kernel) fn forward<S: ShortLanes<N>, const N: usize>(s: S, f: &mut ForwardOfWindows<'_>, of: Range<usize>) {
    let w = &f.w;
    let positions = f.x.positions;
    let mut tables = crate::Buffer::dirty(SUMS * N * size_of::<i16>());
    let tables: &mut [[i16; N]; SUMS] = table(tables.slice_mut());
    let mut levels = scratch(w.tiles.len() * 2 * TILE_ROWS);
    let levels: &mut [Levels] = levels.slice_mut();
    for (levels, tile) in levels.iter_mut().zip(w.tiles) {
        *levels = Levels::of(tile, w.scale);
    }
    let mut sums = scratch(w.rows * N);
    let sums: &mut [[f32; N]] = sums.slice_mut::<f32>().as_chunks_mut().0;
    for at in of.step_by(N) {
        sums.fill([0.0; N]);
        for j in 0..w.blocks {
            let used = w.cols_in(j);
            let total = build(s, &f.x, at, j * BITS, used, tables);
            for (r, sums) in sums.chunks_mut(TILE_ROWS).enumerate() {
                let (tile, levels) = (w.tile(r, j), &levels[r * w.blocks + j]);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let sum = s.mul_add(s.splat(levels.v0[i]), total, s.load_floats(sums));
                    // With a number of groups that the compiler knows, the addresses are a shift and a mask each.
                    let set = match used.div_ceil(GROUP) {
                        GROUPS => set_sums(s, tile.hi(i), GROUPS, tables),
                        groups => set_sums(s, tile.hi(i), groups, tables),
                    };
                    s.store_floats(sums, s.mul_add(s.splat(levels.gap[i]), s.floats(set), sum));
                }
            }
        }
        let here = N.min(positions - at);
        let mut scales = [0.0; N];
        scales[..here].copy_from_slice(&f.scales[at..at + here]);
        let scales = s.load_floats(&scales);
        for (n, sums) in sums.iter_mut().enumerate() {
            let bias = f.bias.map_or(0.0, |bias| bias[n]);
            let scaled = s.mul_add(scales, s.load_floats(sums), s.splat(bias));
            let out = &mut f.y[n * positions + at..][..here];
            match out.first_chunk_mut() {
                Some(whole) => s.store_floats(whole, scaled),
                None => {
                    s.store_floats(sums, scaled);
                    out.copy_from_slice(&sums[..here]);
                }
            }
        }
    }
}
