//! The forward product of int8 inputs by products of int8 tiles (`tdpbsud`): the bits of sixteen rows become the bytes of a tile register,
//! which one instruction multiplies by a block of sixteen samples.

use std::arch::x86_64::*;

use super::tiles::{LINE, Tiles, load, product, store, zero};
use crate::Buffer;
use crate::kernel::packed::quantised::operands::QuantisedForward;
use crate::kernel::packed::tile_levels::Levels;
use crate::kernel::x86::avx512::{load as load_floats, load_words};
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Samples of a tile register.
const GROUP: usize = 16;
/// Samples at once: bits that were made bytes serve all of them.
pub(super) const AT_ONCE: usize = 128;
/// Blocks at once, whose bytes stay in the first-level cache for all samples.
const BLOCKS: usize = 16;
/// The fewest row tiles at once.
const TILES: usize = 4;
/// Sums that are on their way from tile registers to memory while those before them are used.
const AHEAD: usize = 4;

/// Sixteen lines of four bytes for each of sixteen rows or samples; as inputs, a line of 64 bytes for each of sixteen samples.
type Bytes = [[u32; 16]; 16];

/// What a pass reads and writes: memory of one call.
struct Scratch {
    inputs: Buffer, // (groups, blocks) of Bytes
    totals: Buffer, // of the same shape, sixteen floats each
    bits: Buffer,   // (row tiles, blocks) of Bytes
    levels: Buffer, // of the same shape
    sums: Buffer,   // 2 AHEAD of Bytes
}

/// The place of a product: row tile, group of samples, block.
#[derive(Clone, Copy, Default)]
struct Place {
    r: usize,
    g: usize,
    j: usize,
}

impl Place {
    /// The next one: blocks first, then row tiles, whose results of a sample lie side by side.
    fn next(self, (tiles, blocks): (usize, usize)) -> Place {
        match (self.j + 1 < blocks, self.r + 1 < tiles) {
            (true, _) => Place { j: self.j + 1, ..self },
            (false, true) => Place { j: 0, r: self.r + 1, ..self },
            (false, false) => Place { j: 0, r: 0, g: self.g + 1 },
        }
    }
}

/// A pass over some row tiles, all groups of samples and some blocks.
struct Pass<'a> {
    f: &'a QuantisedForward<'a>,
    inputs: &'a [Bytes],
    totals: &'a [[f32; GROUP]],
    bits: &'a [Bytes],
    levels: &'a [Levels],
    groups: usize,
    blocks: usize,
    /// First row tile.
    r: usize,
    tiles: usize,
    /// Whether these are the first blocks, and the last.
    first: bool,
    last: bool,
}

/// See [`QuantisedForward`]; for any number of samples.
///
/// # Safety
/// The machine must have AMX with int8, and AVX-512 with VBMI and VNNI; nobody else may touch these elements of `y`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,avx512vnni,avx2,fma")]
pub(super) unsafe fn forward(f: QuantisedForward<'_>) {
    let groups = f.samples().min(AT_ONCE).div_ceil(GROUP);
    let at_once = f.w.blocks.min(BLOCKS);
    let per = (BLOCKS / at_once).max(TILES).min(f.tiles.len().max(1));
    let mut scratch = Scratch {
        inputs: Buffer::dirty(groups * at_once * size_of::<Bytes>()),
        totals: Buffer::dirty(groups * at_once * size_of::<[f32; GROUP]>()),
        bits: Buffer::dirty(per * at_once * size_of::<Bytes>()),
        levels: Buffer::dirty(per * at_once * size_of::<Levels>()),
        sums: Buffer::dirty(2 * AHEAD * size_of::<Bytes>()),
    };
    // SAFETY: as the caller vouches.
    let registers = unsafe { Tiles::new() };
    for from in (0..f.samples()).step_by(AT_ONCE) {
        let part = f.of(from..f.samples().min(from + AT_ONCE));
        let groups = part.samples().div_ceil(GROUP);
        for first in (0..f.w.blocks).step_by(BLOCKS) {
            let blocks = BLOCKS.min(f.w.blocks - first);
            let (inputs, totals) = (scratch.inputs.slice_mut::<Bytes>(), scratch.totals.slice_mut::<[f32; GROUP]>());
            for g in 0..groups {
                for j in 0..blocks {
                    totals[g * blocks + j] = set_inputs(&part, g, first + j, &mut inputs[g * blocks + j]);
                }
            }
            for r in f.tiles.clone().step_by(per) {
                let tiles = per.min(f.tiles.end - r);
                let (bits, levels) = (scratch.bits.slice_mut::<Bytes>(), scratch.levels.slice_mut::<Levels>());
                for t in 0..tiles {
                    for j in 0..blocks {
                        let tile = f.w.tile(r + t, first + j);
                        set_bits(tile, &mut bits[t * blocks + j]);
                        levels[t * blocks + j] = Levels::of(tile, f.w.scale);
                    }
                }
                let pass = Pass {
                    f: &part,
                    inputs,
                    totals,
                    bits,
                    levels,
                    groups,
                    blocks,
                    r,
                    tiles,
                    first: first == 0,
                    last: first + blocks == f.w.blocks,
                };
                // SAFETY: as the caller vouches.
                unsafe { pass.run(&registers, scratch.sums.slice_mut()) };
            }
        }
    }
}

/// Block `j` of the samples of group `g`, zeros where there are none; their sums.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
fn set_inputs(f: &QuantisedForward<'_>, g: usize, j: usize, out: &mut Bytes) -> [f32; GROUP] {
    let (cols, used) = (f.w.cols, f.w.cols_in(j));
    let mask = u64::MAX >> (BITS - used);
    let mut sums = [_mm512_setzero_si512(); GROUP];
    for (s, (out, sum)) in out.iter_mut().zip(&mut sums).enumerate() {
        let b = g * GROUP + s;
        let mut v = _mm512_setzero_si512();
        if b < f.samples() {
            let from = &f.x.values[b * cols + j * BITS..][..used];
            // SAFETY: only the values that are there are read.
            v = unsafe { _mm512_maskz_loadu_epi8(mask, from.as_ptr()) };
        }
        // SAFETY: sixteen words are writable.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), v) };
        *sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), v);
    }
    let mut totals = [0.0; GROUP];
    // SAFETY: sixteen floats are writable.
    unsafe { _mm512_storeu_ps(totals.as_mut_ptr(), _mm512_cvtepi32_ps(sums_of_lanes(sums))) };
    totals
}

/// The sums over the lanes of sixteen registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn sums_of_lanes(v: [__m512i; 16]) -> __m512i {
    let by_two: [_; 8] = std::array::from_fn(|i| {
        let (a, b) = (v[2 * i], v[2 * i + 1]);
        _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b))
    });
    let by_four: [_; 4] = std::array::from_fn(|i| {
        let (a, b) = (by_two[2 * i], by_two[2 * i + 1]);
        _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
    });
    let by_eight: [_; 2] = std::array::from_fn(|i| {
        let (a, b) = (by_four[2 * i], by_four[2 * i + 1]);
        _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b))
    });
    let [a, b] = by_eight;
    _mm512_add_epi32(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b))
}

/// The bits of a tile as bytes: line i has columns 4 i to 4 i + 3 of every row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn set_bits(tile: &Tile, out: &mut Bytes) {
    let four = _mm512_set1_epi8(4);
    for (half, out) in [&tile.low, &tile.high].into_iter().zip(out.as_chunks_mut::<8>().0) {
        let words = load_words(half);
        // A lane of 64 bits has the words of two rows: from each four bits, brought to the ends of bytes.
        let mut places = _mm512_set1_epi64(0x2322_2120_0302_0100);
        for out in out {
            let bits = _mm512_and_si512(_mm512_multishift_epi64_epi8(places, words), _mm512_set1_epi8(1));
            // SAFETY: sixteen words are writable.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), bits) };
            places = _mm512_add_epi8(places, four);
        }
    }
}

impl Pass<'_> {
    /// Adds the pass to `y`. A product's sums are used when [`AHEAD`] more have been started: what is stored from tile registers cannot be
    /// loaded before it has reached the cache.
    ///
    /// # Safety
    /// As [`forward`].
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,avx512vnni,avx2,fma")]
    unsafe fn run(&self, _: &Tiles, sums: &mut [Bytes]) {
        let shape = (self.tiles, self.blocks);
        let products = self.tiles * self.groups * self.blocks;
        let (mut started, mut used) = (Place::default(), Place::default());
        let mut y = [_mm512_setzero_ps(); GROUP];
        let mut step = 0;
        macro_rules! start {
            ($i:literal, $t:literal, $x:literal, $w:literal) => {
                if step + $i < products {
                    let Place { r, g, j } = started;
                    zero!($t);
                    load!($x, self.inputs[g * self.blocks + j].as_ptr(), LINE);
                    load!($w, self.bits[r * self.blocks + j].as_ptr(), LINE);
                    product!("tdpbsud", $t, $x, $w);
                    started = started.next(shape);
                }
            };
        }
        while step < products + AHEAD {
            // SAFETY: AMX is there, as the caller vouches; every tile is sixteen lines of 64 bytes.
            unsafe {
                start!(0, "0", "4", "6");
                start!(1, "1", "5", "7");
                start!(2, "2", "4", "6");
                start!(3, "3", "5", "7");
            }
            let (even, odd) = sums.split_at_mut(AHEAD);
            let (to, from) = if step % (2 * AHEAD) == 0 { (even, &*odd) } else { (odd, &*even) };
            for (i, sums) in from.iter().enumerate() {
                if step >= AHEAD && step - AHEAD + i < products {
                    // SAFETY: as the caller vouches.
                    unsafe { self.use_sums(used, sums, &mut y) };
                    used = used.next(shape);
                }
            }
            // SAFETY: as above.
            unsafe {
                store!("0", to[0].as_mut_ptr(), LINE);
                store!("1", to[1].as_mut_ptr(), LINE);
                store!("2", to[2].as_mut_ptr(), LINE);
                store!("3", to[3].as_mut_ptr(), LINE);
            }
            step += AHEAD;
        }
    }

    /// Adds a block's sums over set bits and over all to those of the blocks before, `y`, which is in memory between passes.
    ///
    /// # Safety
    /// As [`forward`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,avx512vnni,avx2,fma")]
    unsafe fn use_sums(&self, Place { r, g, j }: Place, set: &Bytes, y: &mut [__m512; GROUP]) {
        let f = self.f;
        let row = (self.r + r) * TILE_ROWS;
        let (here, samples) = (f.w.rows_in(self.r + r), GROUP.min(f.samples() - g * GROUP));
        let mask = u16::MAX >> (TILE_ROWS - here);
        // SAFETY: the caller owns these rows of these samples.
        let part = |s: usize| unsafe { f.y.part(f.first + g * GROUP + s, row, here) };
        if j == 0 {
            *y = [_mm512_setzero_ps(); GROUP];
            if !self.first {
                for (s, y) in y.iter_mut().enumerate().take(samples) {
                    // SAFETY: as many floats are readable as the mask has bits.
                    *y = unsafe { _mm512_maskz_loadu_ps(mask, part(s).as_ptr()) };
                }
            }
        }
        let levels = &self.levels[r * self.blocks + j];
        let (v0, gap) = (load_floats(&levels.v0), load_floats(&levels.gap));
        let totals = &self.totals[g * self.blocks + j];
        for s in 0..GROUP {
            let set = _mm512_cvtepi32_ps(load_words(&set[s]));
            y[s] = _mm512_fmadd_ps(gap, set, _mm512_fmadd_ps(v0, _mm512_set1_ps(totals[s]), y[s]));
        }
        if j + 1 < self.blocks {
            return;
        }
        let bias = match f.bias {
            // SAFETY: as many numbers as the mask has bits are read.
            Some(bias) if self.last => unsafe { _mm512_maskz_loadu_ps(mask, bias[row..][..here].as_ptr()) },
            _ => _mm512_setzero_ps(),
        };
        for s in 0..samples {
            let v = if self.last { _mm512_fmadd_ps(_mm512_set1_ps(f.x.scales[g * GROUP + s]), y[s], bias) } else { y[s] };
            // SAFETY: as many floats are writable as the mask has bits.
            unsafe { _mm512_mask_storeu_ps(part(s).as_mut_ptr(), mask, v) };
        }
    }
}
