//! Evidence in whole numbers for AVX-512: `vpdpbusd` where the machine has VNNI, else as AVX2.

use std::arch::x86_64::*;

use crate::kernel::avx2;
use crate::kernel::step::rounded::{self, CHUNK_ROWS, Quad, WORDS, Words};
use crate::packed::BITS;

/// See [`rounded::quad`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn quad(quad: Quad<'_>) {
    rounded::quad(quad);
}

/// See [`rounded::maxima`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn maxima(samples: &[&[f32]], most: &mut [f32]) {
    rounded::maxima(samples, most);
}

/// See [`rounded::add_excess`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn add_excess(dy: &[u32], excess: &mut [i32]) {
    rounded::add_excess(dy, excess);
}

/// See [`rounded::scaled`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn scaled(g: &mut [f32], excess: i32, columns: &[f32], row: f32) {
    rounded::scaled(g, excess, columns, row);
}

/// See [`rounded::Words`]: sums (rows of the chunk, columns).
///
/// # Safety
/// AVX-512 must be available.
pub(in crate::kernel) unsafe fn sums(w: &Words<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums: lengths");
    // SAFETY: AVX-512 is available as the caller vouches, and VNNI as just asked.
    unsafe { if is_x86_feature_detected!("avx512vnni") { of_words(w, out) } else { avx2::sums(w, out) } }
}

/// Four rows of 64 columns in registers.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
fn of_words(w: &Words<'_>, out: &mut [i32]) {
    const ROWS: usize = 4;
    let width = w.columns.len();
    for k in (0..width).step_by(BITS) {
        for r in (0..CHUNK_ROWS).step_by(ROWS) {
            let mut sums = [[_mm512_setzero_si512(); 4]; ROWS];
            for (x, dy) in w.lines() {
                // SAFETY: 64 words from k on, inside the line.
                let x = unsafe { [0, 16, 32, 48].map(|at| _mm512_loadu_si512(x[k..k + BITS].as_ptr().add(at).cast())) };
                for (i, sums) in sums.iter_mut().enumerate() {
                    let dy = _mm512_set1_epi32(dy[(r + i) * WORDS].cast_signed());
                    for i in 0..4 {
                        sums[i] = _mm512_dpbusd_epi32(sums[i], x[i], dy);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                let out = &mut out[(r + i) * width + k..][..BITS];
                for (out, sums) in out.as_chunks_mut::<16>().0.iter_mut().zip(sums) {
                    // SAFETY: sixteen numbers.
                    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), *sums) };
                }
            }
        }
    }
}
