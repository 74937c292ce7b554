//! Forward product and gradient of the levels with tiles: as with rows in lanes, but the sums over set bits are products.

use std::ops::Range;

use super::set_sums::{Bits, Inputs, ONE, PRODUCTS, Sums, one_by_four, two_by_two};
use super::tiles::Tiles;
use crate::Buffer;
use crate::kernel::packed::lane_layout::{Family, SAMPLES};
use crate::kernel::packed::lanes::Lanes;
use crate::kernel::packed::operands::{Forward, LevelGradient, gv_rows};
use crate::kernel::packed::rows_in_lanes;
use crate::kernel::packed::tile_levels::Levels;
use crate::kernel::packed::view::View;
use crate::kernel::x86::avx512;
use crate::kernel::x86::avx512::Avx512;
use crate::packed::{BITS, TILE_ROWS};

/// Row tiles and groups of samples whose sums are computed at once.
const AT_ONCE: usize = 4;
/// Samples whose sums are used at once.
const QUARTER: usize = SAMPLES / 4;
/// Products between which the sums of the step before are used; the bits of the next row tiles are made between the others.
const USES: usize = AT_ONCE * SAMPLES / QUARTER;

/// See [`Forward`].
///
/// # Safety
/// The machine must have AMX with bfloat16 beside AVX-512.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward(family: Family, f: Forward<'_>) {
    if family != Family::Sixteen {
        // SAFETY: as the caller vouches.
        return unsafe { avx512::forward(family, f) };
    }
    let Forward { x, first, w, tiles, bias, y } = f;
    // SAFETY: as the caller vouches.
    let (s, registers) = unsafe { (Avx512::new(), Tiles::new()) };
    let samples = x.len() / w.cols;
    let groups = samples.div_ceil(SAMPLES);
    let mut sums = Buffer::dirty(groups * tiles.len() * size_of::<Sums>());
    let sums: &mut [Sums] = sums.slice_mut(); // (group, row tile)
    for (i, sums) in sums.iter_mut().enumerate() {
        let r = tiles.start + i % tiles.len();
        let mut start = [0.0; TILE_ROWS];
        if let Some(bias) = bias {
            start[..w.rows_in(r)].copy_from_slice(&bias[r * TILE_ROWS..][..w.rows_in(r)]);
        }
        let start = s.load(&start);
        sums.0.iter_mut().for_each(|sums| s.store(sums, start));
    }
    let mut block = Block::new(groups);
    for j in 0..w.blocks {
        block.set_inputs(x, &w, j);
        // SAFETY: AMX is there, as the caller vouches.
        unsafe {
            block.for_each(&registers, BlockColumn { w: &w, j, tiles: tiles.clone() }, |r, levels, group, first, totals, set| {
                let sums = &mut sums[group * tiles.len() + r - tiles.start].0;
                let (v0, gap) = (s.load(&levels.v0), s.load(&levels.gap));
                for b in first..first + QUARTER {
                    let sum = s.mul_add(v0, s.splat(totals[b]), s.load(&sums[b]));
                    s.store(&mut sums[b], s.mul_add(gap, s.load(&set.0[b]), sum));
                }
            });
        }
    }
    for (group, sums) in sums.chunks_exact(tiles.len()).enumerate() {
        for (sums, r) in sums.iter().zip(tiles.clone()) {
            let here = w.rows_in(r);
            for (b, sums) in sums.0.iter().enumerate().take(samples - group * SAMPLES) {
                // SAFETY: the caller owns these rows of these samples.
                let out = unsafe { y.part(first + group * SAMPLES + b, r * TILE_ROWS, here) };
                match out.first_chunk_mut() {
                    Some(whole) => s.store(whole, s.load(sums)),
                    None => out.copy_from_slice(&sums[..here]),
                }
            }
        }
    }
}

/// One block column of some groups of samples.
struct Block {
    inputs: Buffer,              // (group) of Inputs
    totals: Vec<[f32; SAMPLES]>, // sums over the block
    ready: Buffer,               // three of Ready
    sums: Buffer,                // two of AT_ONCE of Sums
}

/// Row tiles of one block column of a packed tensor.
struct BlockColumn<'a> {
    w: &'a View<'a>,
    j: usize,
    tiles: Range<usize>,
}

/// Row tiles made ready.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Ready {
    bits: [Bits; AT_ONCE],
    levels: [Levels; AT_ONCE], // gaps over ONE
}

/// Sums on their way from tile registers to memory.
#[derive(Clone, Copy)]
struct Pending {
    tiles: usize,
    group: usize,
}

impl Block {
    fn new(groups: usize) -> Block {
        Block {
            inputs: Buffer::dirty(groups * size_of::<Inputs>()),
            totals: crate::memory::filled([0.0; SAMPLES], groups),
            ready: Buffer::dirty(3 * size_of::<Ready>()),
            sums: Buffer::dirty(2 * AT_ONCE * size_of::<Sums>()),
        }
    }

    /// Block `j` of `x (samples, cols)`, in as many groups as that needs; missing samples are zero.
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
    fn set_inputs(&mut self, x: &[f32], w: &View<'_>, j: usize) {
        let used = w.cols_in(j);
        let inputs: &mut [Inputs] = self.inputs.slice_mut();
        let samples = x.len() / w.cols;
        self.totals.truncate(samples.div_ceil(SAMPLES));
        if !samples.is_multiple_of(SAMPLES) {
            inputs[samples / SAMPLES] = bytemuck::Zeroable::zeroed();
        }
        for (b, x) in x.chunks_exact(w.cols).enumerate() {
            let from = &x[j * BITS..j * BITS + used];
            let mut padded = [0.0f32; BITS];
            let from = match from.first_chunk() {
                Some(whole) => whole,
                None => {
                    padded[..used].copy_from_slice(from);
                    &padded
                }
            };
            self.totals[b / SAMPLES][b % SAMPLES] = inputs[b / SAMPLES].set(b % SAMPLES, from);
        }
    }

    /// Calls `each(row tile, its levels, group, sample, sums over the block, sums over the set bits)` for every row tile, group
    /// and quarter of the samples.
    ///
    /// # Safety
    /// AMX with bfloat16 must be available.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
    unsafe fn for_each(
        &mut self,
        registers: &Tiles,
        place: BlockColumn<'_>,
        mut each: impl FnMut(usize, &Levels, usize, usize, &[f32; SAMPLES], &Sums),
    ) {
        let groups = self.totals.len();
        // SAFETY: AMX is there, as the caller vouches.
        unsafe {
            if groups > 1 {
                self.pass::<2>(registers, &place, 0..groups / 2 * 2, &mut each);
            }
            if groups % 2 == 1 {
                self.pass::<1>(registers, &place, groups - 1..groups, &mut each);
            }
        }
    }

    /// As [`Block::for_each`] for some of the groups, `WIDE` and `AT_ONCE / WIDE` row tiles at once.
    ///
    /// What is stored from registers of one kind cannot be loaded into those of the other before it has reached the cache. So
    /// between the products of a step, the sums of the step before are used and the bits of the next row tiles are made ready.
    ///
    /// # Safety
    /// AMX with bfloat16 must be available.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
    unsafe fn pass<const WIDE: usize>(
        &mut self,
        registers: &Tiles,
        place: &BlockColumn<'_>,
        groups: Range<usize>,
        each: &mut impl FnMut(usize, &Levels, usize, usize, &[f32; SAMPLES], &Sums),
    ) {
        let (tall, tiles) = (AT_ONCE / WIDE, &place.tiles);
        let ready: &mut [Ready; 3] = first_mut(self.ready.slice_mut());
        let sums: &mut [[Sums; AT_ONCE]; 2] = first_mut(self.sums.slice_mut());
        let (inputs, totals): (&[Inputs], _) = (self.inputs.slice(), &self.totals);
        let steps = tiles.len().div_ceil(tall);
        for slice in 0..SLICES {
            prepare(&mut ready[0], place, tiles.clone(), tall, slice);
        }
        let mut pending: Option<Pending> = None;
        let mut step = 0;
        for t in 0..steps {
            for group in groups.clone().step_by(WIDE) {
                let [a, b, c] = &mut *ready;
                let (now, next, before) = match t % 3 {
                    0 => (a, b, c),
                    1 => (b, c, a),
                    _ => (c, a, b),
                };
                let (even, odd) = sums.split_at_mut(1);
                let (to, from) = if step % 2 == 0 { (&mut even[0], &odd[0]) } else { (&mut odd[0], &even[0]) };
                let used = pending.replace(Pending { tiles: t, group });
                let levels = if used.is_some_and(|p| p.tiles == t) { &now.levels } else { &before.levels };
                let rest = if group == groups.start && t + 1 < steps { tiles.start + (t + 1) * tall..tiles.end } else { 0..0 };
                let bits = &now.bits;
                let between = |i: usize| match (i < USES, used) {
                    (true, Some(p)) => finish::<WIDE>(p, i, (levels, from), tiles, totals, each),
                    (false, _) if !rest.is_empty() => prepare(next, place, rest.clone(), tall, i - USES),
                    _ => {}
                };
                // SAFETY: AMX is there, as the caller vouches.
                unsafe {
                    if WIDE == 2 {
                        two_by_two(registers, first(&inputs[group..]), first(bits), to, between);
                    } else {
                        one_by_four(registers, &inputs[group], bits, to, between);
                    }
                }
                step += 1;
            }
        }
        if let Some(p) = pending {
            for i in 0..USES {
                finish::<WIDE>(p, i, (&ready[p.tiles % 3].levels, &sums[(step + 1) % 2]), tiles, totals, each);
            }
        }
    }
}

/// Parts in which row tiles are made ready.
const SLICES: usize = PRODUCTS - USES;

/// Makes a slice of up to `tall` of the row tiles ready. Beyond the last lie bits of earlier ones, whose sums are nobody's.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
fn prepare(ready: &mut Ready, place: &BlockColumn<'_>, tiles: Range<usize>, tall: usize, slice: usize) {
    const PAIRS: usize = BITS / 4 / SLICES;
    for (i, r) in tiles.enumerate().take(tall) {
        let tile = place.w.tile(r, place.j);
        for pair in slice * PAIRS..(slice + 1) * PAIRS {
            ready.bits[i].set(tile, pair);
        }
        if i == slice {
            ready.levels[i] = Levels::of(tile, place.w.scale);
            ready.levels[i].gap.iter_mut().for_each(|gap| *gap *= 1.0 / ONE);
        }
    }
}

/// Hands part `i` of the sums of a step on.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
fn finish<const WIDE: usize>(
    p: Pending,
    i: usize,
    (levels, sums): (&[Levels; AT_ONCE], &[Sums; AT_ONCE]),
    tiles: &Range<usize>,
    totals: &[[f32; SAMPLES]],
    each: &mut impl FnMut(usize, &Levels, usize, usize, &[f32; SAMPLES], &Sums),
) {
    let (at, first) = (i / 4, i % 4 * QUARTER);
    let (t, group) = (at % (AT_ONCE / WIDE), p.group + at / (AT_ONCE / WIDE));
    let r = tiles.start + p.tiles * (AT_ONCE / WIDE) + t;
    if r < tiles.end {
        each(r, &levels[t], group, first, &totals[group], &sums[at]);
    }
}

/// The first elements of a slice that is long enough.
#[inline(always)]
fn first<T, const N: usize>(all: &[T]) -> &[T; N] {
    match all.first_chunk() {
        Some(first) => first,
        None => unreachable!("scratch memory of the size asked for"),
    }
}

/// As [`first`].
#[inline(always)]
fn first_mut<T, const N: usize>(all: &mut [T]) -> &mut [T; N] {
    match all.first_chunk_mut() {
        Some(first) => first,
        None => unreachable!("scratch memory of the size asked for"),
    }
}

/// See [`LevelGradient`].
///
/// # Safety
/// The machine must have AMX with bfloat16 beside AVX-512.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn level_gradient(p: LevelGradient<'_>) {
    let LevelGradient { x, dy, w, j, gv, fresh } = p;
    /// Groups whose inputs stay in the first-level cache.
    const GROUPS: usize = 4;
    // SAFETY: as the caller vouches.
    let s = unsafe { Avx512::new() };
    let sixteens = dy.sixteens();
    if !sixteens.is_empty() {
        let mut sums = Buffer::zeroed(w.row_tiles() * 2 * TILE_ROWS * size_of::<f32>());
        let sums: &mut [[[f32; TILE_ROWS]; 2]] = sums.slice_mut();
        // SAFETY: as the caller vouches.
        let registers = unsafe { Tiles::new() };
        let mut block = Block::new(GROUPS);
        for first in sixteens.clone().step_by(GROUPS) {
            let last = (first + GROUPS).min(sixteens.end);
            block.set_inputs(&x[first * SAMPLES * w.cols..dy.batch.min(last * SAMPLES) * w.cols], &w, j);
            // SAFETY: AMX is there, as the caller vouches.
            unsafe {
                block.for_each(&registers, BlockColumn { w: &w, j, tiles: 0..w.row_tiles() }, |r, _, group, from, totals, set| {
                    let mut all = s.load(&sums[r][0]);
                    let mut sum = s.splat(0.0);
                    for (b, dy) in dy.rows(first + group, r).iter().enumerate().skip(from).take(QUARTER) {
                        let dy = s.load(dy);
                        sum = s.mul_add(dy, s.load(&set.0[b]), sum);
                        all = s.mul_add(dy, s.splat(totals[b]), all);
                    }
                    s.store(&mut sums[r][0], all);
                    let sum = s.mul_add(sum, s.splat(1.0 / ONE), s.load(&sums[r][1]));
                    s.store(&mut sums[r][1], sum);
                });
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: the caller owns this block column.
            unsafe { gv_rows(&w, r, j, sums, gv, fresh) };
        }
    }
    if sixteens.end < dy.chunks() {
        // SAFETY: as the caller vouches.
        unsafe { rows_in_lanes::level_gradient(s, sixteens.end..dy.chunks(), LevelGradient { fresh: fresh && sixteens.is_empty(), ..p }) };
    } else if sixteens.is_empty() && fresh {
        for r in 0..w.row_tiles() {
            // SAFETY: the caller owns this block column.
            unsafe { gv_rows(&w, r, j, &[[0.0; TILE_ROWS]; 2], gv, true) };
        }
    }
}
