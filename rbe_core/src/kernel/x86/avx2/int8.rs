//! Sums of int8 products for AVX2: products of bytes by `vpmaddubsw`, so small that those of a part of the samples add up in 16 bits.

use std::arch::x86_64::*;

use crate::kernel::update::int8::{self, CHUNK_ROWS, FourSamples, Int8Operands, PANEL, PART_WORDS, WORDS};

/// See [`int8::round_four`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn round_four(four: FourSamples<'_>) {
    int8::round_four(four);
}

/// See [`int8::measure`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn measure(samples: &[&[f32]], most: &mut [f32], squares: &mut [f32]) {
    int8::measure(samples, most, squares);
}

/// See [`int8::add_excess`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn add_excess(dy: &[u32], excess: [&mut [i32]; 2]) {
    int8::add_excess(dy, excess);
}

/// See [`int8::scaled`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn scaled(g: &mut [f32], columns: &[f32], row: f32) {
    int8::scaled(g, columns, row);
}

/// See [`int8::Int8Operands`]: sums (rows of the chunk, columns). Four rows of sixteen columns are summed in registers, modulo 2^16, and begin below zero
/// by what they would have too much; what is left fits. The sums of parts are added in `out`.
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dot_u8_i8(w: &Int8Operands<'_>, out: &mut [i32]) {
    const ROWS: usize = 4;
    assert!(w.fit(out), "sums: lengths");
    let (words, ones) = (w.words(), _mm256_set1_epi16(1));
    let width = w.x.len() / words;
    for (part, first) in (0..w.used).step_by(PART_WORDS).enumerate() {
        let last = (first + PART_WORDS).min(w.used);
        for (k, panel) in w.x.chunks_exact(words * PANEL).enumerate() {
            for r in (0..CHUNK_ROWS).step_by(ROWS) {
                let excess = &w.excess_pairs[part * CHUNK_ROWS + r..][..ROWS];
                let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
                for (sums, excess) in sums.iter_mut().zip(excess) {
                    *sums = [_mm256_sub_epi16(sums[0], _mm256_set1_epi32(excess.cast_signed())); 2];
                }
                for group in (first..last).step_by(WORDS) {
                    // SAFETY: groups of words are whole, so WORDS words from `group` on are there, of this panel of x and of these rows
                    // of dy: as just asserted.
                    unsafe {
                        let x = panel.as_ptr().add(group * PANEL);
                        let dy = w.dy.as_ptr().add((group / WORDS * CHUNK_ROWS + r) * WORDS);
                        for i in 0..WORDS.min(last - group) {
                            let x = [0, 8].map(|at| _mm256_loadu_si256(x.add(i * PANEL + at).cast()));
                            for (row, sums) in sums.iter_mut().enumerate() {
                                let dy = _mm256_set1_epi32(dy.add(row * WORDS + i).read().cast_signed());
                                sums[0] = _mm256_add_epi16(sums[0], _mm256_maddubs_epi16(x[0], dy));
                                sums[1] = _mm256_add_epi16(sums[1], _mm256_maddubs_epi16(x[1], dy));
                            }
                        }
                    }
                }
                for (row, sums) in sums.into_iter().enumerate() {
                    let out = &mut out[(r + row) * width + k * PANEL..][..PANEL];
                    for (out, sums) in out.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
                        let sum = _mm256_madd_epi16(sums, ones);
                        // SAFETY: eight numbers.
                        unsafe {
                            let out = out.as_mut_ptr().cast();
                            _mm256_storeu_si256(out, if part == 0 { sum } else { _mm256_add_epi32(_mm256_loadu_si256(out), sum) });
                        }
                    }
                }
            }
        }
    }
}
