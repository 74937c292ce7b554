//! The products, compiled for AVX2 with FMA.

use super::lanes::Avx2;
use crate::kernel::packed::lane_layout::Family;
use crate::kernel::packed::operands::{Dx, Forward, LevelGradient};
use crate::kernel::packed::view::View;
use crate::kernel::packed::{rows_in_lanes, samples_in_lanes, samples_in_lanes_dx, tile_levels};

/// See [`Forward`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward(family: Family, f: Forward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        match family {
            Family::Rows => rows_in_lanes::forward(s, f),
            Family::Eight => samples_in_lanes::forward::<_, 8>(s, f),
            Family::Sixteen => samples_in_lanes::forward::<_, 16>(s, f),
        }
    }
}

/// See [`Dx`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx(p: Dx<'_>) {
    let mut columns = samples_in_lanes_dx::column_scratch(&p.w);
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        samples_in_lanes_dx::columns::<_, 8>(s, &p.w, p.j, columns.slice_mut());
        for c in 0..p.dy.chunks() {
            match p.dy.family(c) {
                Family::Rows => super::dx::rows(columns.slice(), c, p),
                Family::Eight => samples_in_lanes_dx::dx::<_, 8>(s, columns.slice(), c, p),
                Family::Sixteen => samples_in_lanes_dx::dx::<_, 16>(s, columns.slice(), c, p),
            }
        }
    }
}

/// See [`LevelGradient`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn level_gradient(p: LevelGradient<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        let sixteens = p.dy.sixteens();
        let rest = LevelGradient { fresh: p.fresh && sixteens.is_empty(), ..p };
        if !sixteens.is_empty() || p.dy.rest().is_none() {
            samples_in_lanes::level_gradient::<_, 16>(s, sixteens, p);
        }
        match p.dy.rest() {
            Some((c, Family::Eight)) => samples_in_lanes::level_gradient::<_, 8>(s, c..c + 1, rest),
            Some((c, _)) => rows_in_lanes::level_gradient(s, c..c + 1, rest),
            None => {}
        }
    }
}

/// See [`tile_levels::flips`].
///
/// # Safety
/// The machine must have AVX2 with FMA.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn flips(w: &View<'_>, r: usize, g: &mut [f32], sums: &mut [f32]) {
    tile_levels::flips(w, r, g, sums);
}

/// Writes `dy (samples, rows)` of one chunk as (row tile, row, sample).
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn order(family: Family, dy: &[f32], w: &View<'_>, out: &mut [f32]) {
    // SAFETY: as the caller vouches.
    let s = unsafe { Avx2::new() };
    match family {
        Family::Rows => {}
        Family::Eight => samples_in_lanes::order::<_, 8>(s, dy, w, out),
        Family::Sixteen => samples_in_lanes::order::<_, 16>(s, dy, w, out),
    }
}
