//! The optimiser step for AVX-512: charges in intrinsics, the rest compiled for it.

use std::arch::x86_64::*;

use super::super::packed::Factor;
use super::super::step::{FULL_CHARGE, HYSTERESIS, accumulate_row as accumulate, charge, points as of_points};
use crate::packed::BITS;

/// Twin of [`charge::row`], to the bit: the same roundings in the same order.
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in super::super) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    const FLOOR: i32 = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
    let charge::Row { g, hi, rate, col_scale, charges, squares, square, block, stream } = row;
    let width = hi.len() * BITS;
    assert!(
        rate.len() == hi.len() && g.len() == width && col_scale.len() == width && charges.len() == width && squares.len() == width,
        "charges: lengths"
    );
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let (minus, full, hysteresis) = (_mm512_set1_ps(-0.0), _mm512_set1_ps(FULL_CHARGE), _mm512_set1_ps(HYSTERESIS));
    let (byte, half, step) = (_mm512_set1_epi32(255), _mm512_set1_ps(0.5), _mm512_set1_ps(1.0 / 256.0));
    let (mut total, mut flips) = (_mm512_setzero_ps(), 0);
    for (j, hi) in hi.iter_mut().enumerate() {
        let counter = (((block + j) * 16) as u32).wrapping_add(stream);
        let random = hash(_mm512_add_epi32(_mm512_set1_epi32(counter.cast_signed()), lanes));
        let rate = _mm512_set1_ps(rate[j]);
        let mut flipped = 0u64;
        for q in 0..4 {
            let at = j * BITS + q * 16;
            // SAFETY: `at + 16 <= width`, the length of all four slices.
            let (g, scale, charge, squares_now) = unsafe {
                (
                    _mm512_loadu_ps(g.as_ptr().add(at)),
                    _mm512_loadu_ps(col_scale.as_ptr().add(at)),
                    _mm_loadu_si128(charges.as_ptr().add(at).cast()),
                    _mm512_loadu_ps(squares.as_ptr().add(at)),
                )
            };
            let evidence = _mm512_mul_ps(_mm512_mul_ps(rate, g), scale);
            // A set bit turns the evidence around.
            let evidence = _mm512_mask_xor_ps(evidence, (*hi >> (16 * q)) as u16, evidence, minus);
            let of_group = _mm512_and_si512(_mm512_srl_epi32(random, _mm_cvtsi32_si128(8 * q as i32)), byte);
            let u = _mm512_mul_ps(_mm512_add_ps(_mm512_cvtepi32_ps(of_group), half), step);
            let charge = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(charge));
            let moved = _mm512_roundscale_ps::<FLOOR>(_mm512_add_ps(_mm512_add_ps(charge, evidence), u));
            let flip = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(moved, _mm512_setzero_ps());
            let next = _mm512_min_ps(_mm512_mask_sub_ps(moved, flip, hysteresis, moved), full);
            let gg = _mm512_mul_ps(g, g);
            total = _mm512_add_ps(total, gg);
            flipped |= u64::from(flip) << (16 * q);
            // SAFETY: as above.
            unsafe {
                _mm_storeu_si128(charges.as_mut_ptr().add(at).cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(next)));
                _mm512_storeu_ps(squares.as_mut_ptr().add(at), _mm512_add_ps(squares_now, gg));
            }
        }
        flips += flipped.count_ones();
        *hi ^= flipped;
    }
    let mut lanes = [0.0f32; 16];
    // SAFETY: sixteen numbers.
    unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), total) };
    *square = lanes.iter().sum();
    flips
}

/// Twin of [`noise::hash`](super::super::step), whose seed has been added.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
fn hash(x: __m512i) -> __m512i {
    let x = _mm512_xor_si512(x, _mm512_srli_epi32::<16>(x));
    let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x21f0_aaad));
    let x = _mm512_xor_si512(x, _mm512_srli_epi32::<15>(x));
    let x = _mm512_mullo_epi32(x, _mm512_set1_epi32(0x735a_2d97));
    _mm512_xor_si512(x, _mm512_srli_epi32::<15>(x))
}

/// See [`of_points::points`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in super::super) unsafe fn points(p: of_points::Points<'_>) {
    of_points::points(p);
}

/// See [`accumulate`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in super::super) unsafe fn accumulate_row(factors: &[Factor<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    accumulate(factors, rows, cols, n, g);
}
