//! Sums of int8 products for AVX-512: `vpdpbusd` where the machine has VNNI, else as AVX2.

use std::arch::x86_64::*;

use crate::kernel::update::int8::{self, CHUNK_ROWS, FourSamples, Int8Operands, PANEL, WORDS};
use crate::kernel::x86::avx2;
use crate::packed::BITS;

/// See [`int8::round_four`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn round_four(four: FourSamples<'_>) {
    int8::round_four(four);
}

/// See [`int8::measure`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn measure(samples: &[&[f32]], most: &mut [f32], squares: &mut [f32]) {
    int8::measure(samples, most, squares);
}

/// See [`int8::add_excess`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn add_excess(dy: &[u32], excess: [&mut [i32]; 2]) {
    int8::add_excess(dy, excess);
}

/// See [`int8::scaled`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn scaled(g: &mut [f32], columns: &[f32], row: f32) {
    int8::scaled(g, columns, row);
}

/// See [`int8::Int8Operands`]: sums (rows of the chunk, columns).
///
/// # Safety
/// AVX-512 must be available.
pub(in crate::kernel) unsafe fn dot_u8_i8(w: &Int8Operands<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    // SAFETY: AVX-512 is available as the caller vouches, and VNNI as just asked.
    unsafe { if is_x86_feature_detected!("avx512vnni") { of_words(w, out) } else { avx2::dot_u8_i8(w, out) } }
}

/// Four rows of 64 columns in registers.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
fn of_words(w: &Int8Operands<'_>, out: &mut [i32]) {
    const ROWS: usize = 4;
    const PANELS: usize = BITS / PANEL;
    let words = w.words();
    let width = w.x.len() / words;
    for (k, panels) in w.x.chunks_exact(words * BITS).enumerate() {
        for r in (0..CHUNK_ROWS).step_by(ROWS) {
            // Loops over numbers, here and below: those of iterators kept the sums in memory.
            let mut sums = [[_mm512_setzero_si512(); PANELS]; ROWS];
            for row in 0..ROWS {
                for p in 0..PANELS {
                    sums[row][p] = _mm512_set1_epi32(w.excess[r + row].wrapping_neg());
                }
            }
            for i in 0..w.used {
                // SAFETY: sixteen words of each panel from word i on, and word i of four rows: as the lengths fit.
                unsafe {
                    let x = [0, 1, 2, 3].map(|p| _mm512_loadu_si512(panels.as_ptr().add((p * words + i) * PANEL).cast()));
                    let dy = w.dy.as_ptr().add((i / WORDS * CHUNK_ROWS + r) * WORDS + i % WORDS);
                    for row in 0..ROWS {
                        let dy = _mm512_set1_epi32(dy.add(row * WORDS).read().cast_signed());
                        for p in 0..PANELS {
                            sums[row][p] = _mm512_dpbusd_epi32(sums[row][p], x[p], dy);
                        }
                    }
                }
            }
            for row in 0..ROWS {
                let out = &mut out[(r + row) * width + k * BITS..][..BITS];
                for p in 0..PANELS {
                    // SAFETY: sixteen numbers from 16 p on, of 64.
                    unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(p * PANEL).cast(), sums[row][p]) };
                }
            }
        }
    }
}
