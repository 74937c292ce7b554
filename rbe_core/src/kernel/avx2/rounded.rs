//! Evidence in whole numbers for AVX2: products of bytes by `vpmaddubsw` on magnitudes, which 127 · 127 · 2 do not overflow.

use std::arch::x86_64::*;

use crate::kernel::step::rounded::{self, CHUNK_ROWS, Quad, WORDS, Words};

/// See [`rounded::quad`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn quad(quad: Quad<'_>) {
    rounded::quad(quad);
}

/// See [`rounded::maxima`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn maxima(sample: &[f32], most: &mut [f32]) {
    rounded::maxima(sample, most);
}

/// See [`rounded::add_excess`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn add_excess(dy: &[u32], excess: &mut [i32]) {
    rounded::add_excess(dy, excess);
}

/// See [`rounded::scaled`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn scaled(g: &mut [f32], excess: i32, columns: &[f32], row: f32) {
    rounded::scaled(g, excess, columns, row);
}

/// See [`rounded::Words`]: sums (rows of the chunk, columns), four rows of sixteen columns in registers.
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn sums(w: &Words<'_>, out: &mut [i32]) {
    const ROWS: usize = 4;
    let (sign, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
    assert!(w.fit(out), "sums: lengths");
    let width = w.columns.len();
    for k in (0..width).step_by(16) {
        for r in (0..CHUNK_ROWS).step_by(ROWS) {
            // Below, the offset is taken off `x`: the excess is added at the start instead.
            let mut sums: [[__m256i; 2]; ROWS] = std::array::from_fn(|i| [_mm256_set1_epi32(w.excess[r + i]); 2]);
            for (x, dy) in w.lines() {
                // SAFETY: sixteen words from k on, inside the line.
                let x = unsafe { [0, 8].map(|at| _mm256_loadu_si256(x[k..k + 16].as_ptr().add(at).cast())) };
                let x = x.map(|x| _mm256_xor_si256(x, sign));
                let size = x.map(|x| _mm256_abs_epi8(x));
                for (i, sums) in sums.iter_mut().enumerate() {
                    let dy = _mm256_set1_epi32(dy[(r + i) * WORDS].cast_signed());
                    for i in 0..2 {
                        let pairs = _mm256_maddubs_epi16(size[i], _mm256_sign_epi8(dy, x[i]));
                        sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                let out = &mut out[(r + i) * width + k..][..16];
                // SAFETY: sixteen numbers.
                unsafe {
                    _mm256_storeu_si256(out.as_mut_ptr().cast(), sums[0]);
                    _mm256_storeu_si256(out.as_mut_ptr().add(8).cast(), sums[1]);
                }
            }
        }
    }
}
