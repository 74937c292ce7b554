//! Products of windows for AVX2: sixteen positions of 16 bits in a register.

use std::arch::x86_64::*;

use super::lanes::Avx2;
use crate::kernel::packed::quantised::dx::{Panel, prepare};
use crate::kernel::packed::quantised::windows::operands::{DOT_ROWS, DotOfWindows, DxOfWindows, ForwardOfWindows};
use crate::kernel::packed::quantised::windows::{dx, forward};
use crate::kernel::packed::view::View;

/// Positions of a register.
const LANES: usize = 16;

/// Positions in lanes of the upstream gradient.
pub(in crate::kernel) fn lanes_of_windows() -> usize {
    LANES
}

/// See [`ForwardOfWindows`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward_of_windows(mut f: ForwardOfWindows<'_>) {
    let all = 0..f.x.positions;
    // SAFETY: as the caller vouches.
    forward::forward::<_, LANES>(unsafe { Avx2::new() }, &mut f, all);
}

/// See [`prepare`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn prepare_dx(w: &View<'_>, j: usize, panels: &mut [Panel]) -> f32 {
    // SAFETY: as the caller vouches.
    prepare(unsafe { Avx2::new() }, w, j, panels)
}

/// See [`DxOfWindows`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx_of_windows(p: DxOfWindows<'_>) {
    // SAFETY: as the caller vouches.
    dx::dx::<_, LANES>(unsafe { Avx2::new() }, p);
}

/// See [`DotOfWindows`].
///
/// # Safety
/// The machine must have AVX2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dot_of_windows(w: &DotOfWindows<'_>, out: &mut [i32]) {
    const AT_ONCE: usize = 3;
    assert!(w.fit(out), "sums of windows: lengths");
    let cols = w.x.starts.len();
    let whole = cols - cols % AT_ONCE;
    for r in (0..w.excess.len()).step_by(DOT_ROWS) {
        // SAFETY: there are so many columns and rows.
        unsafe {
            (0..whole).step_by(AT_ONCE).for_each(|k| columns::<AT_ONCE>(w, k, r, out));
            (whole..cols).for_each(|k| columns::<1>(w, k, r, out));
        }
    }
}

/// Sums of `K` columns from column `first` on and [`DOT_ROWS`] rows from row `r` on. Bytes become 16 bits, of which a product adds pairs.
///
/// # Safety
/// They must be there, and `w` fit `out`.
#[target_feature(enable = "avx2,fma,bmi2")]
unsafe fn columns<const K: usize>(w: &DotOfWindows<'_>, first: usize, r: usize, out: &mut [i32]) {
    const FOURS: usize = DOT_ROWS / 4; // rows of a register
    let rows = w.excess.len();
    let mut sums = [[_mm256_setzero_si256(); FOURS]; K];
    let mut from = [w.x.values.as_ptr(); K];
    for k in 0..K {
        // SAFETY: every row begins inside the values.
        from[k] = unsafe { w.x.values.as_ptr().add(w.x.starts[first + k] + w.from) };
    }
    for i in 0..w.words() {
        // SAFETY: four bytes of each column's word i, and word i of sixteen rows: as `fit` says.
        unsafe {
            let dy = w.dy.as_ptr().add(i * rows + r);
            let mut words = [_mm256_setzero_si256(); FOURS];
            for q in 0..FOURS {
                words[q] = _mm256_cvtepi8_epi16(_mm_loadu_si128(dy.add(4 * q).cast()));
            }
            for k in 0..K {
                let x = _mm256_cvtepu8_epi16(_mm_set1_epi32(from[k].add(4 * i).cast::<i32>().read_unaligned()));
                for q in 0..FOURS {
                    sums[k][q] = _mm256_add_epi32(sums[k][q], _mm256_madd_epi16(x, words[q]));
                }
            }
        }
    }
    for k in 0..K {
        let out = &mut out[(first + k) * rows + r..][..DOT_ROWS];
        let excess = &w.excess[r..][..DOT_ROWS];
        for q in 0..FOURS {
            let mut pairs = [[0i32; 2]; 4];
            // SAFETY: eight numbers.
            unsafe { _mm256_storeu_si256(pairs.as_mut_ptr().cast(), sums[k][q]) };
            for i in 0..4 {
                out[4 * q + i] = pairs[i][0].wrapping_add(pairs[i][1]).wrapping_sub(excess[4 * q + i]);
            }
        }
    }
}
