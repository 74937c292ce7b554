//! The optimiser step for AVX2 with FMA: charges in intrinsics, the rest compiled for it.

use std::arch::x86_64::*;

use super::super::packed::Factor;
use super::super::step::{accumulate_row as accumulate, charge, points as of_points, words};
use crate::packed::BITS;

/// Moves every charge of the row by its evidence and flips the bits whose charge is used up; the number of flips. As for AVX-512, with 32 charges in a register.
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    let charge::Row { g, hi, rate, col_scale, charges, squares, square, levels, lane, block, stream } = row;
    let width = hi.len() * BITS;
    assert!(
        [rate.len(), levels.len()] == [hi.len(); 2] && [g.len(), col_scale.len(), charges.len(), squares.len()] == [width; 4],
        "charges: lengths"
    );
    // Packing 32 numbers to bytes leaves their fours in the first order; the second brings them back.
    let (packed, natural) = (_mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    // What brings bit 8q + i of a word to the sign of lane i.
    let to_sign = [0, 8, 16, 24].map(|q| _mm256_sub_epi32(_mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24), _mm256_set1_epi32(q)));
    let (minus, most) = (_mm256_set1_ps(-0.0), _mm256_set1_ps(charge::MOST));
    let hysteresis = _mm256_set1_epi8(charge::HYSTERESIS as i8);
    let (mut total, mut flips) = ([_mm256_setzero_ps(); 4], 0);
    for (j, (hi, levels)) in hi.iter_mut().zip(levels).enumerate() {
        let random = words(block + j, stream);
        let rate = _mm256_set1_ps(rate[j]);
        let mut flipped = 0u64;
        let (mut all, mut set) = (_mm256_setzero_ps(), _mm256_setzero_ps());
        for half in 0..2 {
            let at = j * BITS + half * 32;
            let word = _mm256_set1_epi32((*hi >> (32 * half)) as i32);
            let mut parts = [_mm256_setzero_si256(); 4];
            for q in 0..4 {
                let at = at + q * 8;
                // SAFETY: `at + 8 <= width`, the length of all three slices.
                let (g, scale, sums) = unsafe {
                    let sums = squares.as_mut_ptr().add(at);
                    (_mm256_loadu_ps(g.as_ptr().add(at)), _mm256_loadu_ps(col_scale.as_ptr().add(at)), sums)
                };
                let evidence = _mm256_mul_ps(_mm256_mul_ps(rate, g), scale);
                // A set bit turns the evidence around.
                let bits = _mm256_castsi256_ps(_mm256_sllv_epi32(word, to_sign[q]));
                let sign = _mm256_and_ps(bits, minus);
                all = _mm256_add_ps(all, g);
                set = _mm256_add_ps(set, _mm256_blendv_ps(_mm256_setzero_ps(), g, bits));
                // Numbers too low for 32 bits become the lowest.
                parts[q] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_xor_ps(evidence, sign), most));
                total[q] = _mm256_fmadd_ps(g, g, total[q]);
                // SAFETY: as above.
                unsafe { _mm256_storeu_ps(sums, _mm256_fmadd_ps(g, g, _mm256_loadu_ps(sums))) };
            }
            // SAFETY: `at + 32 <= width`, the length of the charges.
            let at = unsafe { charges.as_mut_ptr().add(at) };
            // SAFETY: as above; half of the sixteen words is eight.
            let (now, random) = unsafe { (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(random[8 * half..].as_ptr().cast())) };
            let (now, random) = (_mm256_permutevar8x32_epi32(now, packed), _mm256_permutevar8x32_epi32(random, packed));
            let moved = |above: __m256i, a: __m256i, b: __m256i| _mm256_srai_epi16::<8>(_mm256_adds_epi16(above, _mm256_packs_epi32(a, b)));
            let moved = _mm256_packs_epi16(
                moved(_mm256_unpacklo_epi8(random, now), parts[0], parts[1]),
                moved(_mm256_unpackhi_epi8(random, now), parts[2], parts[3]),
            );
            let moved = _mm256_permutevar8x32_epi32(moved, natural);
            let next = _mm256_blendv_epi8(moved, _mm256_subs_epi8(hysteresis, moved), moved);
            // SAFETY: as above.
            unsafe { _mm256_storeu_si256(at.cast(), next) };
            flipped |= u64::from(_mm256_movemask_epi8(moved).cast_unsigned()) << (32 * half);
        }
        flips += flipped.count_ones();
        *hi ^= flipped;
        let [all, set] = both_sums(all, set);
        [levels[0][lane], levels[1][lane]] = [all - set, set];
    }
    let total = _mm256_add_ps(_mm256_add_ps(total[0], total[1]), _mm256_add_ps(total[2], total[3]));
    *square += both_sums(total, total)[0];
    flips
}

/// Sums of the lanes of both.
#[inline]
#[target_feature(enable = "avx2,fma,bmi2")]
pub(super) fn both_sums(a: __m256, b: __m256) -> [f32; 2] {
    let pairs = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    let pairs = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
    let pair = _mm_add_ps(pairs, _mm_movehl_ps(pairs, pairs));
    [_mm_cvtss_f32(pair), _mm_cvtss_f32(_mm_movehdup_ps(pair))]
}

/// See [`of_points::points`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn points(p: of_points::Points<'_>) {
    of_points::points(p);
}

/// See [`accumulate`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn accumulate_row(factors: &[Factor<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    accumulate(factors, rows, cols, n, g);
}
