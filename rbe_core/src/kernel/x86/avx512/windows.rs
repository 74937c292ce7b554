//! Products of windows for AVX-512: 32 positions of 16 bits in a register, or sixteen in half a one.

use std::arch::x86_64::*;

use super::lanes::Avx512;
use crate::kernel::packed::quantised::dx::{Panel, prepare};
use crate::kernel::packed::quantised::windows::operands::{DOT_ROWS, DotOfWindows, DxOfWindows, ForwardOfWindows};
use crate::kernel::packed::quantised::windows::{dx, forward};
use crate::kernel::packed::view::View;
use crate::kernel::x86::avx2::{self, Avx2};

/// Positions of a register.
const LANES: usize = 32;
/// Of half a one.
const HALF: usize = LANES / 2;

/// Positions in lanes of the upstream gradient.
pub(in crate::kernel) fn lanes_of_windows() -> usize {
    LANES
}

/// See [`ForwardOfWindows`].
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward_of_windows(mut f: ForwardOfWindows<'_>) {
    let positions = f.x.positions;
    let rest = positions % LANES;
    let whole = if rest <= HALF { positions - rest } else { positions };
    // SAFETY: as the caller vouches; AVX-512 implies AVX2.
    unsafe {
        forward::forward::<_, LANES>(Avx512::new(), &mut f, 0..whole);
        if whole < positions {
            forward::forward::<_, HALF>(Avx2::new(), &mut f, whole..positions);
        }
    }
}

/// See [`prepare`].
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn prepare_dx(w: &View<'_>, j: usize, panels: &mut [Panel]) -> f32 {
    // SAFETY: as the caller vouches.
    prepare::<_, LANES>(unsafe { Avx512::new() }, w, j, panels)
}

/// See [`DxOfWindows`].
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx_of_windows(p: DxOfWindows<'_>) {
    // SAFETY: as the caller vouches.
    dx::dx::<_, LANES>(unsafe { Avx512::new() }, p);
}

/// See [`DotOfWindows`]: `vpdpbusd` where the machine has VNNI, else as AVX2.
///
/// # Safety
/// AVX-512 must be available.
pub(in crate::kernel) unsafe fn dot_of_windows(w: &DotOfWindows<'_>, out: &mut [i32]) {
    assert!(w.fit(out), "sums of windows: lengths");
    // SAFETY: AVX-512 is available as the caller vouches, and VNNI as just asked.
    unsafe { if is_x86_feature_detected!("avx512vnni") { dot(w, out) } else { avx2::dot_of_windows(w, out) } }
}

#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
fn dot(w: &DotOfWindows<'_>, out: &mut [i32]) {
    let (mut r, rows) = (0, w.excess.len());
    while r < rows {
        let registers = match (rows - r) / DOT_ROWS {
            1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        // SAFETY: so many rows are left.
        unsafe {
            match registers {
                1 => all_columns::<1>(w, r, out),
                2 => all_columns::<2>(w, r, out),
                _ => all_columns::<4>(w, r, out),
            }
        }
        r += registers * DOT_ROWS;
    }
}

/// Sums of all columns and `V` registers of rows from row `r` on.
///
/// # Safety
/// These rows must be there, and `w` fit the sums.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
unsafe fn all_columns<const V: usize>(w: &DotOfWindows<'_>, r: usize, out: &mut [i32]) {
    let (mut k, cols) = (0, w.x.starts.len());
    while k < cols {
        // SAFETY: so many columns are left.
        unsafe {
            match cols - k {
                6.. => {
                    columns::<V, 6>(w, k, r, out);
                    k += 6;
                }
                3.. => {
                    columns::<V, 3>(w, k, r, out);
                    k += 3;
                }
                _ => {
                    columns::<V, 1>(w, k, r, out);
                    k += 1;
                }
            }
        }
    }
}

/// Sums of `K` columns from column `first` on and `V` registers of rows from row `r` on.
///
/// # Safety
/// They must be there, and `w` fit the sums.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")]
unsafe fn columns<const V: usize, const K: usize>(w: &DotOfWindows<'_>, first: usize, r: usize, out: &mut [i32]) {
    let rows = w.excess.len();
    let mut sums = [[_mm512_setzero_si512(); V]; K];
    let mut from = [w.x.values.as_ptr(); K];
    for k in 0..K {
        // SAFETY: every row begins inside the values.
        from[k] = unsafe { w.x.values.as_ptr().add(w.x.starts[first + k] + w.from) };
    }
    for i in 0..w.words() {
        // SAFETY: four bytes of each column's word i, and word i of these rows: as `fit` says.
        unsafe {
            let dy = w.dy.as_ptr().add(i * rows + r);
            let mut words = [_mm512_setzero_si512(); V];
            for v in 0..V {
                words[v] = _mm512_loadu_si512(dy.add(v * DOT_ROWS).cast());
            }
            for k in 0..K {
                let x = _mm512_set1_epi32(from[k].add(4 * i).cast::<i32>().read_unaligned());
                for v in 0..V {
                    sums[k][v] = _mm512_dpbusd_epi32(sums[k][v], x, words[v]);
                }
            }
        }
    }
    for k in 0..K {
        for v in 0..V {
            let at = r + v * DOT_ROWS;
            // SAFETY: sixteen numbers of these rows.
            unsafe {
                let excess = _mm512_loadu_si512(w.excess.as_ptr().add(at).cast());
                let out = out.as_mut_ptr().add((first + k) * rows + at).cast();
                _mm512_storeu_si512(out, _mm512_sub_epi32(sums[k][v], excess));
            }
        }
    }
}
