//! Evidence in whole numbers for AVX2: products of bytes by `vpmaddubsw`, so small that some add up in 16 bits.

use std::arch::x86_64::*;

use crate::kernel::step::rounded::{self, CHUNK_ROWS, Quad, TOGETHER, WORDS, Words};

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
pub(in crate::kernel) unsafe fn maxima(samples: &[&[f32]], most: &mut [f32]) {
    rounded::maxima(samples, most);
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

/// See [`rounded::Words`]: sums (rows of the chunk, columns). A few words' products are added in 16 bits, four rows of sixteen
/// columns in registers; their sums in 32 bits lie in `out`, in the first-level cache.
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn sums(w: &Words<'_>, out: &mut [i32]) {
    const ROWS: usize = 4;
    const DEEP: usize = TOGETHER / 2; // words: each gives a lane of 16 bits two products
    assert!(w.fit(out), "sums: lengths");
    let (width, ones) = (w.columns.len(), _mm256_set1_epi16(1));
    if w.used == 0 {
        out.fill(0);
    }
    for first in (0..w.used).step_by(DEEP) {
        for k in (0..width).step_by(16) {
            for r in (0..CHUNK_ROWS).step_by(ROWS) {
                // SAFETY: groups of words are whole, so DEEP words from `first` on are there, of these columns of x and these rows of dy
                // and of the sums: as just asserted.
                unsafe {
                    let x = w.x.as_ptr().add(first * w.width + w.columns.start + k);
                    let dy = w.dy.as_ptr().add((first / WORDS * CHUNK_ROWS + r) * WORDS + first % WORDS);
                    let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
                    for i in 0..DEEP {
                        let x = [0, 8].map(|at| _mm256_loadu_si256(x.add(i * w.width + at).cast()));
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let dy = _mm256_set1_epi32(dy.add(row * WORDS + i).read().cast_signed());
                            for h in 0..2 {
                                let products = _mm256_maddubs_epi16(x[h], dy);
                                sums[h] = if i == 0 { products } else { _mm256_add_epi16(sums[h], products) };
                            }
                        }
                    }
                    let out = out.as_mut_ptr().add(r * width + k);
                    for (row, sums) in sums.into_iter().enumerate() {
                        for (h, sum) in sums.into_iter().enumerate() {
                            let out = out.add(row * width + 8 * h).cast();
                            let sum = _mm256_madd_epi16(sum, ones);
                            _mm256_storeu_si256(out, if first == 0 { sum } else { _mm256_add_epi32(_mm256_loadu_si256(out), sum) });
                        }
                    }
                }
            }
        }
    }
}
