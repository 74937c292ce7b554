//! `dx = dy W` of one, two or three samples, of which preparing tiles as [`super::dx`] does would be the larger part of the work: tables are
//! made in registers. With `u = dy (v1 - v0)`, a column of a block gets `Σ dy v0` and the sum of u over the rows whose bit is set.

use std::arch::x86_64::*;

use super::lanes::{load, load_words, store};
use crate::kernel::packed::lane_layout::SAMPLES;
use crate::kernel::packed::operands::Dx;
use crate::kernel::packed::samples_in_lanes_dx::Columns;
use crate::packed::BITS;

#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(index: impl Fn(u32) -> u32) -> __m512i {
    load_words(&std::array::from_fn(|l| index(l as u32)))
}

/// Columns of block `j` of `dx (batch, cols)` for the samples of chunk `c`.
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
pub(super) unsafe fn rows(tiles: &[Columns], c: usize, p: Dx<'_>) {
    let mut b = 0;
    while b < p.dy.samples(c) {
        // SAFETY: the caller owns these columns.
        b += unsafe {
            match p.dy.samples(c) - b {
                2.. => samples::<2>(tiles, (c, b), p),
                _ => samples::<1>(tiles, (c, b), p),
            }
        };
    }
}

/// `B` samples from number `b` of chunk `c` on; returns `B`.
///
/// # Safety
/// As [`rows`].
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
unsafe fn samples<const B: usize>(tiles: &[Columns], (c, b): (usize, usize), p: Dx<'_>) -> usize {
    let Dx { dy, w, j, dx } = p;
    // From u of sixteen rows to the sums over pairs, four to a group of four lanes, and on to those over fours.
    let pair = [lanes(|l| 2 * (l / 4)), lanes(|l| 2 * (l / 4) + 1), lanes(|l| 2 * (l / 4) + 8), lanes(|l| 2 * (l / 4) + 9)];
    let four = [lanes(|l| l & 3), lanes(|l| 4 + (l >> 2)), lanes(|l| 8 + (l & 3)), lanes(|l| 12 + (l >> 2))];
    let mut sums = [[_mm512_setzero_ps(); 4]; B];
    let mut base = [_mm512_setzero_ps(); B];
    for (r, tile) in tiles.iter().enumerate() {
        let upstream: &[[f32; 16]; B] = match dy.rows(c, r)[b..].first_chunk() {
            Some(upstream) => upstream,
            None => return B,
        };
        let (v0, gap) = (load(&tile.levels.v0), load(&tile.levels.gap));
        let mut tables = [[_mm512_setzero_ps(); 4]; B];
        for i in 0..B {
            let d = load(&upstream[i]);
            base[i] = _mm512_fmadd_ps(d, v0, base[i]);
            let u = _mm512_mul_ps(d, gap);
            let p0 = _mm512_add_ps(_mm512_maskz_permutexvar_ps(0xaaaa, pair[0], u), _mm512_maskz_permutexvar_ps(0xcccc, pair[1], u));
            let p1 = _mm512_add_ps(_mm512_maskz_permutexvar_ps(0xaaaa, pair[2], u), _mm512_maskz_permutexvar_ps(0xcccc, pair[3], u));
            tables[i] = [
                _mm512_add_ps(_mm512_permutexvar_ps(four[0], p0), _mm512_permutexvar_ps(four[1], p0)),
                _mm512_add_ps(_mm512_permutexvar_ps(four[2], p0), _mm512_permutexvar_ps(four[3], p0)),
                _mm512_add_ps(_mm512_permutexvar_ps(four[0], p1), _mm512_permutexvar_ps(four[1], p1)),
                _mm512_add_ps(_mm512_permutexvar_ps(four[2], p1), _mm512_permutexvar_ps(four[3], p1)),
            ];
        }
        for q in 0..4 {
            // SAFETY: sixteen 16-bit words are readable.
            let i0 = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(tile.bits[16 * q..][..16].as_ptr().cast()) });
            let (i1, i2, i3) = (_mm512_srli_epi32::<4>(i0), _mm512_srli_epi32::<8>(i0), _mm512_srli_epi32::<12>(i0));
            for i in 0..B {
                let t = &tables[i];
                let low = _mm512_add_ps(_mm512_permutexvar_ps(i0, t[0]), _mm512_permutexvar_ps(i1, t[1]));
                let high = _mm512_add_ps(_mm512_permutexvar_ps(i2, t[2]), _mm512_permutexvar_ps(i3, t[3]));
                sums[i][q] = _mm512_add_ps(sums[i][q], _mm512_add_ps(low, high));
            }
        }
    }
    let used = w.cols_in(j);
    for i in 0..B {
        let base = _mm512_set1_ps(_mm512_reduce_add_ps(base[i]));
        let mut out = [0.0f32; BITS];
        for (q, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            store(out, _mm512_add_ps(base, sums[i][q]));
        }
        // SAFETY: the caller owns these columns.
        unsafe { dx.part(c * SAMPLES + b + i, j * BITS, used) }.copy_from_slice(&out[..used]);
    }
    B
}
