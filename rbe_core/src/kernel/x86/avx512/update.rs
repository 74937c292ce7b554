//! The optimiser step for AVX-512: charges in intrinsics, the rest compiled for it.

use std::arch::x86_64::*;

use crate::kernel::update::{accumulate_row as accumulate, charge, level_parameters};
use crate::packed::BITS;
use crate::packed::FactorPair;

/// Moves every charge of the row by its flip score and flips the bits whose charge is used up; the number of flips. Twin of
/// [`charge::discharge`], to the bit: 64 charges in a register.
///
/// A charge above its random byte is a number of 16 bits that counts parts, to which flip scores are added with saturation: an
/// addition and a shift for 32 weights.
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2,popcnt")]
pub(in crate::kernel) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    match row.g {
        charge::RowGradient::Real(_) => charges::<false>(row),
        charge::RowGradient::Integer(..) => charges::<true>(row),
    }
}

/// [`charge_row`] of integers, or of real numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2,popcnt")]
fn charges<const WHOLE: bool>(row: charge::Row<'_>) -> u32 {
    let (g, scale) = row.numbers();
    let charge::Row { unit, tiles, rates, col_scale, charges, squares, square, levels, lane, block, stream, .. } = row;
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // Packing 64 numbers to bytes leaves them in the order of these fours, which is an order and its own inverse.
    let fours = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let (most, units) = (_mm512_set1_ps(charge::MOST), _mm512_set1_ps(unit));
    let hysteresis = _mm512_set1_epi8(charge::HYSTERESIS as i8);
    let (mut total, mut flips) = (_mm512_setzero_ps(), 0);
    for (j, ((tile, rates), levels)) in tiles.iter_mut().zip(rates).zip(levels).enumerate() {
        let hi = tile.hi(lane);
        let counter = (((block + j) * 16) as u32).wrapping_add(stream);
        let random = hash(_mm512_add_epi32(_mm512_set1_epi32(counter.cast_signed()), lanes));
        // A set bit turns the sign of the score.
        let (clear_rate, set_rate) = (_mm512_set1_ps(rates[lane]), _mm512_set1_ps(-rates[lane]));
        let mut parts = [_mm512_setzero_si512(); 4];
        let (mut all, mut set) = (_mm512_setzero_ps(), _mm512_setzero_ps());
        for q in 0..4 {
            let at = j * BITS + q * 16;
            // SAFETY: `at + 16` is at most the length of all four slices, 64 for each block.
            let (g, col_scale, sums) = unsafe {
                let g = if WHOLE {
                    let g = _mm512_cvtepi32_ps(_mm512_loadu_si512(g.as_ptr().add(at).cast()));
                    _mm512_mul_ps(g, _mm512_loadu_ps(scale.as_ptr().add(at)))
                } else {
                    _mm512_loadu_ps(g.as_ptr().add(at))
                };
                (g, _mm512_loadu_ps(col_scale.as_ptr().add(at)), squares.as_mut_ptr().add(at))
            };
            let bits = (hi >> (16 * q)) as u16;
            let score = _mm512_mul_ps(_mm512_mul_ps(_mm512_mask_blend_ps(bits, clear_rate, set_rate), g), col_scale);
            all = _mm512_add_ps(all, g);
            set = _mm512_mask_add_ps(set, bits, set, g);
            // Numbers too low for 32 bits become the lowest.
            parts[q] = _mm512_cvtps_epi32(_mm512_min_ps(score, most));
            total = _mm512_fmadd_ps(g, g, total);
            let g = if WHOLE { _mm512_mul_ps(g, units) } else { g };
            // SAFETY: as above.
            unsafe { _mm512_storeu_ps(sums, _mm512_fmadd_ps(g, g, _mm512_loadu_ps(sums))) };
        }
        // SAFETY: `j * BITS + BITS` is at most the length of the charges.
        let at = unsafe { charges.as_mut_ptr().add(j * BITS) };
        // Pieces of rows come in an order that the hardware does not prefetch.
        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(2 * BITS).cast());
        // SAFETY: as above.
        let now = _mm512_permutexvar_epi32(fours, unsafe { _mm512_loadu_si512(at.cast()) });
        let random = _mm512_permutexvar_epi32(fours, random);
        let moved = |above: __m512i, a: __m512i, b: __m512i| _mm512_srai_epi16::<8>(_mm512_adds_epi16(above, _mm512_packs_epi32(a, b)));
        let moved = _mm512_packs_epi16(
            moved(_mm512_unpacklo_epi8(random, now), parts[0], parts[1]),
            moved(_mm512_unpackhi_epi8(random, now), parts[2], parts[3]),
        );
        let moved = _mm512_permutexvar_epi32(fours, moved);
        let flipped = _mm512_movepi8_mask(moved);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(at.cast(), _mm512_mask_subs_epi8(moved, flipped, hysteresis, moved)) };
        flips += flipped.count_ones();
        tile.set_hi(lane, hi ^ flipped);
        [levels[0][lane], levels[1][lane]] = both_sums(_mm512_sub_ps(all, set), set).map(|sum| unit * sum);
    }
    *square += unit * unit * both_sums(total, total)[0];
    flips
}

/// Sums of the lanes of both, in the order of the plain twin.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(super) fn both_sums(a: __m512, b: __m512) -> [f32; 2] {
    let halves = |v: __m512| _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
    let pairs = _mm256_hadd_ps(halves(a), halves(b));
    let quarters = _mm256_hadd_ps(pairs, pairs);
    let pair = _mm_add_ps(_mm256_castps256_ps128(quarters), _mm256_extractf128_ps::<1>(quarters));
    [_mm_cvtss_f32(pair), _mm_cvtss_f32(_mm_movehdup_ps(pair))]
}

/// Sixteen of the hashes of a step's random numbers (`noise::hash`), whose seed has been added.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
fn hash(x: __m512i) -> __m512i {
    let x = _mm512_xor_si512(x, _mm512_srli_epi32::<16>(x));
    let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x21f0_aaad));
    let x = _mm512_xor_si512(x, _mm512_srli_epi32::<15>(x));
    let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x735a_2d97));
    _mm512_xor_si512(x, _mm512_srli_epi32::<15>(x))
}

/// See [`level_parameters::adam_step`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn adam_step(p: level_parameters::AdamStep<'_>) {
    level_parameters::adam_step(p);
}

/// See [`accumulate`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn accumulate_row(factors: &[FactorPair<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    accumulate(factors, rows, cols, n, g);
}
