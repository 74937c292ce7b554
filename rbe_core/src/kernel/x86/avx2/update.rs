//! The optimiser step for AVX2 with FMA: charges in intrinsics, the rest compiled for it.

use std::arch::x86_64::*;

use super::lanes::across;
use crate::kernel::noise::words;
use crate::kernel::update::{accumulate_row as accumulate, charge, level_parameters};
use crate::packed::BITS;
use crate::packed::FactorPair;

/// Moves every charge of the row by its flip score and flips the bits whose charge is used up; the number of flips. As for AVX-512, with 32 charges in a register.
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2,popcnt")]
pub(in crate::kernel) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    match row.g {
        charge::RowGradient::Real(_) => charges::<false>(row),
        charge::RowGradient::Integer(..) => charges::<true>(row),
    }
}

/// Blocks whose sums are taken across the lanes together.
const FOUR: usize = 4;

/// [`charge_row`] of integers, or of real numbers.
#[target_feature(enable = "avx2,fma,bmi2,popcnt")]
fn charges<const WHOLE: bool>(row: charge::Row<'_>) -> u32 {
    let (g, scale) = row.numbers();
    let charge::Row { unit, tiles, rates, col_scale, charges, squares, square, levels, lane, block, stream, .. } = row;
    // Packing 32 numbers to bytes leaves their fours in the first order; the second brings them back.
    let (packed, natural) = (_mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    // What brings bit 8q + i of a word to the sign of lane i.
    let to_sign = [0, 8, 16, 24].map(|q| _mm256_sub_epi32(_mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24), _mm256_set1_epi32(q)));
    let (minus, most, units) = (_mm256_set1_ps(-0.0), _mm256_set1_ps(charge::MOST), _mm256_set1_ps(unit));
    let hysteresis = _mm256_set1_epi8(charge::HYSTERESIS as i8);
    let (mut total, mut flips) = ([_mm256_setzero_ps(); 2], 0);
    for (four, (tiles, levels)) in tiles.chunks_mut(FOUR).zip(levels.chunks_mut(FOUR)).enumerate() {
        // First the flip scores of all four blocks, in parts, and then their charges: what depends on each other stays close together, so
        // that a processor finds enough that does not.
        let mut parts = [[[_mm256_setzero_si256(); 2]; 2]; FOUR];
        let mut random = [[0u32; BITS / 4]; FOUR];
        // Of each block the sums of G over the bits that are 0 and 1, of sixteen lanes whose halves lie upon each other.
        let mut sums = [_mm256_setzero_ps(); 2 * FOUR];
        for (i, tile) in tiles.iter().enumerate() {
            let (j, hi) = (four * FOUR + i, tile.hi(lane));
            random[i] = words(block + j, stream);
            let rate = _mm256_set1_ps(rates[j][lane]);
            let (mut all, mut set) = ([_mm256_setzero_ps(); 2], [_mm256_setzero_ps(); 2]);
            for half in 0..2 {
                let word = _mm256_set1_epi32((hi >> (32 * half)) as i32);
                let mut eights = [_mm256_setzero_si256(); 4];
                for q in 0..4 {
                    let at = j * BITS + half * 32 + q * 8;
                    // SAFETY: `at + 8` is at most the length of all four slices, 64 for each block.
                    let (g, col_scale, squares) = unsafe {
                        let g = if WHOLE {
                            let g = _mm256_cvtepi32_ps(_mm256_loadu_si256(g.as_ptr().add(at).cast()));
                            _mm256_mul_ps(g, _mm256_loadu_ps(scale.as_ptr().add(at)))
                        } else {
                            _mm256_loadu_ps(g.as_ptr().add(at))
                        };
                        (g, _mm256_loadu_ps(col_scale.as_ptr().add(at)), squares.as_mut_ptr().add(at))
                    };
                    // A set bit turns the sign of the score.
                    let bit = _mm256_castsi256_ps(_mm256_sllv_epi32(word, to_sign[q]));
                    let turning = _mm256_xor_ps(g, _mm256_and_ps(bit, minus));
                    all[q % 2] = _mm256_add_ps(all[q % 2], g);
                    set[q % 2] = _mm256_add_ps(set[q % 2], _mm256_blendv_ps(_mm256_setzero_ps(), g, bit));
                    let score = _mm256_mul_ps(_mm256_mul_ps(rate, turning), col_scale);
                    // Numbers too low for 32 bits become the lowest.
                    eights[q] = _mm256_cvtps_epi32(_mm256_min_ps(score, most));
                    total[q % 2] = _mm256_fmadd_ps(g, g, total[q % 2]);
                    let g = if WHOLE { _mm256_mul_ps(g, units) } else { g };
                    // SAFETY: as above.
                    unsafe { _mm256_storeu_ps(squares, _mm256_fmadd_ps(g, g, _mm256_loadu_ps(squares))) };
                }
                parts[i][half] = [_mm256_packs_epi32(eights[0], eights[1]), _mm256_packs_epi32(eights[2], eights[3])];
            }
            sums[2 * i] = _mm256_add_ps(_mm256_sub_ps(all[0], set[0]), _mm256_sub_ps(all[1], set[1]));
            sums[2 * i + 1] = _mm256_add_ps(set[0], set[1]);
        }
        for (i, tile) in tiles.iter_mut().enumerate() {
            let mut flipped = 0u64;
            for half in 0..2 {
                // SAFETY: 32 charges from there on are inside their slice, which has 64 for each block; half of sixteen words is eight.
                let (at, random) = unsafe {
                    let at = charges.as_mut_ptr().add((four * FOUR + i) * BITS + half * 32);
                    (at, _mm256_loadu_si256(random[i][8 * half..].as_ptr().cast()))
                };
                // SAFETY: as above.
                let now = _mm256_permutevar8x32_epi32(unsafe { _mm256_loadu_si256(at.cast()) }, packed);
                let random = _mm256_permutevar8x32_epi32(random, packed);
                let moved = |above: __m256i, parts: __m256i| _mm256_srai_epi16::<8>(_mm256_adds_epi16(above, parts));
                let moved = _mm256_packs_epi16(
                    moved(_mm256_unpacklo_epi8(random, now), parts[i][half][0]),
                    moved(_mm256_unpackhi_epi8(random, now), parts[i][half][1]),
                );
                let moved = _mm256_permutevar8x32_epi32(moved, natural);
                let next = _mm256_blendv_epi8(moved, _mm256_subs_epi8(hysteresis, moved), moved);
                // SAFETY: as above.
                unsafe { _mm256_storeu_si256(at.cast(), next) };
                flipped |= u64::from(_mm256_movemask_epi8(moved).cast_unsigned()) << (32 * half);
            }
            flips += flipped.count_ones();
            tile.set_hi(lane, tile.hi(lane) ^ flipped);
        }
        let sums = across(sums);
        for (levels, [clear, set]) in levels.iter_mut().zip(sums.as_chunks().0) {
            [levels[0][lane], levels[1][lane]] = [unit * clear, unit * set];
        }
    }
    let zero = _mm256_setzero_ps();
    *square += unit * unit * across([_mm256_add_ps(total[0], total[1]), zero, zero, zero, zero, zero, zero, zero])[0];
    flips
}

/// See [`level_parameters::adam_step`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn adam_step(p: level_parameters::AdamStep<'_>) {
    level_parameters::adam_step(p);
}

/// See [`accumulate`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn accumulate_row(factors: &[FactorPair<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    accumulate(factors, rows, cols, n, g);
}
