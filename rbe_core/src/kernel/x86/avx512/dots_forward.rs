//! The forward product of many int8 inputs by dot products of bytes (`vpdpbusd`): the bits of sixteen rows become bytes 0 and 1 once, in the
//! first-level cache, and are multiplied by the inputs of many samples. It needs no tables, whose sums few rows would not repay.

use std::arch::x86_64::*;

use crate::kernel::packed::quantised::operands::QuantisedForward;
use crate::kernel::packed::tile_levels::Levels;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Bytes of a column in a lane, and so the inputs of a product.
const FOUR: usize = 4;
/// Products of a block.
const STEPS: usize = BITS / FOUR;
/// Row tiles at once: each input that is loaded serves as many products.
const TILES: usize = 2;
/// Samples for which the bits of a tile are made bytes once.
pub(super) const AT_ONCE: usize = 64;
/// Samples whose sums for [`TILES`] tiles are in registers.
const IN_REGISTERS: usize = 8;

/// The bits of a tile as bytes: of every step four columns of each of sixteen rows.
type Bits = [__m512i; STEPS];
/// The inputs of one block of a sample, four to a word, in the order of [`Bits`].
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Inputs([i32; STEPS]);
/// Sums of the sixteen rows of a tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Sums([f32; TILE_ROWS]);

/// The inputs of some samples.
struct Chunk<'a> {
    /// (blocks, samples)
    inputs: &'a [Inputs],
    /// Their sums, of the same shape.
    totals: &'a [f32],
    samples: usize,
}

/// See [`QuantisedForward`]; for any number of samples.
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with VNNI and FMA; nobody else may touch these elements of `y`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,fma")]
pub(super) unsafe fn forward(f: QuantisedForward<'_>) {
    let (blocks, most) = (f.w.blocks, f.samples().min(AT_ONCE));
    let (mut inputs, mut totals) = (crate::Buffer::dirty(blocks * most * BITS), crate::Buffer::dirty(blocks * most * size_of::<f32>()));
    let (inputs, totals) = (inputs.slice_mut::<Inputs>(), totals.slice_mut::<f32>());
    for from in (0..f.samples()).step_by(AT_ONCE) {
        let part = f.of(from..f.samples().min(from + AT_ONCE));
        let samples = part.samples();
        for (b, row) in part.x.values.chunks_exact(f.w.cols).enumerate() {
            for (j, values) in row.chunks(BITS).enumerate() {
                (inputs[j * samples + b], totals[j * samples + b]) = in_order(values);
            }
        }
        let chunk = Chunk { inputs, totals, samples };
        let mut r = f.tiles.start;
        while r < f.tiles.end {
            // SAFETY: as the caller vouches.
            r += unsafe {
                match f.tiles.end - r {
                    TILES.. => of_tiles::<TILES>(&part, &chunk, r),
                    _ => of_tiles::<1>(&part, &chunk, r),
                }
            };
        }
    }
}

/// The values of a block in the order of [`Bits`], and their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
fn in_order(values: &[i8]) -> (Inputs, f32) {
    // Step i of half h has the columns 32 h + i + {0, 8, 16, 24}: first the words of such columns come together, then their bytes.
    let words = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    let bytes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    // SAFETY: only the values that are there are read.
    let v = unsafe { _mm512_maskz_loadu_epi8(u64::MAX >> (BITS - values.len()), values.as_ptr()) };
    let total = _mm512_reduce_add_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), v));
    let mut out = Inputs([0; STEPS]);
    // SAFETY: sixteen words are writable.
    unsafe { _mm512_store_si512(out.0.as_mut_ptr().cast(), _mm512_shuffle_epi8(_mm512_permutexvar_epi32(words, v), bytes)) };
    (out, total as f32)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn as_bytes(tile: &Tile, out: &mut Bits) {
    for (half, out) in [&tile.low, &tile.high].into_iter().zip(out.as_chunks_mut::<{ STEPS / 2 }>().0) {
        let mut words = super::lanes::load_words(half);
        for out in out {
            *out = _mm512_and_si512(words, _mm512_set1_epi8(1));
            words = _mm512_srli_epi32::<1>(words);
        }
    }
}

/// `R` row tiles from tile `r` on; returns `R`.
///
/// # Safety
/// As [`forward`].
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,fma")]
unsafe fn of_tiles<const R: usize>(f: &QuantisedForward<'_>, chunk: &Chunk<'_>, r: usize) -> usize {
    let mut bits = [[_mm512_setzero_si512(); STEPS]; R];
    let mut sums = [[Sums([0.0; TILE_ROWS]); R]; AT_ONCE];
    for j in 0..f.w.blocks {
        let mut levels = [[_mm512_setzero_ps(); 2]; R];
        for i in 0..R {
            let tile = f.w.tile(r + i, j);
            as_bytes(tile, &mut bits[i]);
            let of_tile = Levels::of(tile, f.w.scale);
            levels[i] = [super::lanes::load(&of_tile.v0), super::lanes::load(&of_tile.gap)];
        }
        let (inputs, totals) = (&chunk.inputs[j * chunk.samples..][..chunk.samples], &chunk.totals[j * chunk.samples..][..chunk.samples]);
        let mut s = 0;
        while s < chunk.samples {
            let (inputs, totals, sums) = (&inputs[s..], &totals[s..], &mut sums[s..]);
            s += match inputs.len() {
                IN_REGISTERS.. => block::<R, IN_REGISTERS>(&bits, &levels, inputs, totals, sums),
                4.. => block::<R, 4>(&bits, &levels, inputs, totals, sums),
                2.. => block::<R, 2>(&bits, &levels, inputs, totals, sums),
                _ => block::<R, 1>(&bits, &levels, inputs, totals, sums),
            };
        }
    }
    for i in 0..R {
        let here = f.w.rows_in(r + i);
        let used = u16::MAX >> (TILE_ROWS - here);
        let bias = match f.bias {
            // SAFETY: as many numbers as the mask has bits are read.
            Some(bias) => unsafe { _mm512_maskz_loadu_ps(used, bias[(r + i) * TILE_ROWS..][..here].as_ptr()) },
            None => _mm512_setzero_ps(),
        };
        for (b, (scale, sums)) in f.x.scales.iter().zip(&sums).enumerate() {
            let y = _mm512_fmadd_ps(_mm512_set1_ps(*scale), super::lanes::load(&sums[i].0), bias);
            // SAFETY: the caller owns these rows of these samples, as many as the mask has bits.
            unsafe { _mm512_mask_storeu_ps(f.y.part(f.first + b, (r + i) * TILE_ROWS, here).as_mut_ptr(), used, y) };
        }
    }
    R
}

/// Adds a block of the first `S` samples to their sums; returns `S`.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,fma")]
fn block<const R: usize, const S: usize>(
    bits: &[Bits; R],
    levels: &[[__m512; 2]; R],
    inputs: &[Inputs],
    totals: &[f32],
    sums: &mut [[Sums; R]],
) -> usize {
    let (inputs, totals, sums) = (&inputs[..S], &totals[..S], &mut sums[..S]);
    let mut set = [[_mm512_setzero_si512(); R]; S];
    for k in 0..STEPS {
        for s in 0..S {
            let four = _mm512_set1_epi32(inputs[s].0[k]);
            for i in 0..R {
                set[s][i] = _mm512_dpbusd_epi32(set[s][i], bits[i][k], four);
            }
        }
    }
    for s in 0..S {
        for i in 0..R {
            let [v0, gap] = levels[i];
            let all = _mm512_fmadd_ps(v0, _mm512_set1_ps(totals[s]), super::lanes::load(&sums[s][i].0));
            super::lanes::store(&mut sums[s][i].0, _mm512_fmadd_ps(gap, _mm512_cvtepi32_ps(set[s][i]), all));
        }
    }
    S
}
