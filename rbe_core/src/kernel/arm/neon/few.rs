//! The forward product of few int8 inputs with a block's columns in lanes: the bits of a row become bytes that select among its inputs.

use std::arch::aarch64::*;
use std::array::from_fn;

use super::dot::{dot, has_dot};
use crate::kernel::packed::quantised::operands::QuantisedForward;
use crate::kernel::packed::tile_levels::Levels;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Samples up to which this serves, without and with dot products of bytes. It executes as many instructions as tables do at six samples, and
/// at eight (`make count-arm`), but nearly all of them use the vector units, which are fewer than what else a processor has.
const MOST: usize = 4;
const MOST_BY_DOT: usize = 6;

/// Samples up to which [`forward`] serves.
pub(super) fn most() -> usize {
    if has_dot() { MOST_BY_DOT } else { MOST }
}

/// See [`QuantisedForward`]; for up to [`most`] samples.
///
/// # Safety
/// The machine must have NEON; nobody else may touch these elements of `y`.
pub(super) unsafe fn forward(f: QuantisedForward<'_>) {
    // SAFETY: as the caller vouches; dot products are there if they are used.
    unsafe { if has_dot() { forward_by_dot(f) } else { rows::<false>(f) } }
}

/// # Safety
/// As [`forward`], and the machine must have dot products of bytes.
#[target_feature(enable = "neon,dotprod")]
unsafe fn forward_by_dot(f: QuantisedForward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe { rows::<true>(f) };
}

/// Registers of the columns of a block, a byte each.
const BYTES: usize = BITS / 16;
/// Rows whose sums are taken across the lanes together.
const FOUR: usize = 4;

/// # Safety
/// As [`forward`]; with `DOT` the machine must have dot products of bytes.
#[inline(always)]
unsafe fn rows<const DOT: bool>(f: QuantisedForward<'_>) {
    let QuantisedForward { x, first, w, tiles, bias, y, .. } = f;
    let samples = x.batch();
    assert!(samples <= MOST_BY_DOT, "few samples");
    let mut sums = crate::Buffer::zeroed(tiles.len() * samples * TILE_ROWS * size_of::<f32>());
    let sums: &mut [[f32; TILE_ROWS]] = sums.slice_mut(); // (row tile, sample)
    for j in 0..w.blocks {
        let (mut inputs, mut totals) = ([[0i8; BITS]; MOST_BY_DOT], [0.0f32; MOST_BY_DOT]);
        for b in 0..samples {
            inputs[b][..w.cols_in(j)].copy_from_slice(&x.values[b * w.cols + j * BITS..][..w.cols_in(j)]);
            totals[b] = inputs[b].iter().map(|v| i32::from(*v)).sum::<i32>() as f32;
        }
        for (sums, r) in sums.chunks_exact_mut(samples).zip(tiles.clone()) {
            let tile = w.tile(r, j);
            w.prefetch_bits(r + 1, j);
            let levels = Levels::of(tile, w.scale);
            for four in (0..TILE_ROWS).step_by(FOUR) {
                // SAFETY: as the caller vouches; four floats are readable, and writable where they are written.
                unsafe {
                    let selected = selected(tile, four);
                    let (v0, gap) = (vld1q_f32(levels.v0[four..][..FOUR].as_ptr()), vld1q_f32(levels.gap[four..][..FOUR].as_ptr()));
                    for b in 0..samples {
                        let set = vcvtq_f32_s32(set_sums::<DOT>(&selected, &inputs[b]));
                        let sum = sums[b][four..][..FOUR].as_mut_ptr();
                        vst1q_f32(sum, vfmaq_f32(vfmaq_n_f32(vld1q_f32(sum), v0, totals[b]), gap, set));
                    }
                }
            }
        }
    }
    for (sums, r) in sums.chunks_exact(samples).zip(tiles) {
        for (b, (sums, scale)) in sums.iter().zip(x.scales).enumerate() {
            // SAFETY: the caller owns these rows of these samples.
            let out = unsafe { y.part(first + b, r * TILE_ROWS, w.rows_in(r)) };
            for (i, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
                *out = scale.mul_add(*sum, bias.map_or(0.0, |bias| bias[r * TILE_ROWS + i]));
            }
        }
    }
}

/// Of four rows from row `first` of a tile on, for every column all ones where its bit is set.
///
/// # Safety
/// The machine must have NEON.
#[inline(always)]
unsafe fn selected(tile: &Tile, first: usize) -> [[int8x16_t; BYTES]; FOUR] {
    const BIT: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    /// Of every row the places of its bytes among those of four words, each eight times.
    const SPREAD: [[[u8; 16]; 2]; FOUR] = {
        let mut out = [[[0; 16]; 2]; FOUR];
        let mut i = 0;
        while i < FOUR * 32 {
            out[i / 32][i / 16 % 2][i % 16] = (i / 8) as u8;
            i += 1;
        }
        out
    };
    // SAFETY: as the caller vouches; the sixteen bytes of four words, and of the constants, are readable.
    unsafe {
        let halves = [&tile.low, &tile.high].map(|words| vld1q_u8(words[first..][..FOUR].as_ptr().cast()));
        let bit = vld1q_u8(BIT.as_ptr());
        from_fn(|r| {
            from_fn(|q| {
                let bytes = vqtbl1q_u8(halves[q / 2], vld1q_u8(SPREAD[r][q % 2].as_ptr()));
                vreinterpretq_s8_u8(vtstq_u8(bytes, bit))
            })
        })
    }
}

/// Of four rows the sum of the selected inputs.
///
/// # Safety
/// The machine must have NEON, and with `DOT` dot products of bytes.
#[inline(always)]
unsafe fn set_sums<const DOT: bool>(selected: &[[int8x16_t; BYTES]; FOUR], inputs: &[i8; BITS]) -> int32x4_t {
    // SAFETY: as the caller vouches; sixteen bytes are readable.
    unsafe {
        let x: [int8x16_t; BYTES] = from_fn(|q| vld1q_s8(inputs[16 * q..][..16].as_ptr()));
        if DOT {
            let of_row = |r: usize| {
                let row: &[int8x16_t; BYTES] = &selected[r];
                dot(dot(dot(dot(vdupq_n_s32(0), row[0], x[0]), row[1], x[1]), row[2], x[2]), row[3], x[3])
            };
            let sums = vpaddq_s32(vpaddq_s32(of_row(0), of_row(1)), vpaddq_s32(of_row(2), of_row(3)));
            vnegq_s32(sums) // all ones are -1
        } else {
            // 64 inputs fit in 16 bits.
            let of_row = |r: usize| {
                let of = |q: usize| vandq_s8(selected[r][q], x[q]);
                vpadalq_s8(vpadalq_s8(vpadalq_s8(vpaddlq_s8(of(0)), of(1)), of(2)), of(3))
            };
            let pairs = vpaddq_s16(vpaddq_s16(of_row(0), of_row(1)), vpaddq_s16(of_row(2), of_row(3)));
            vpaddlq_s16(pairs)
        }
    }
}
