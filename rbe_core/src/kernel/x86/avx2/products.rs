//! The products, compiled for AVX2 with FMA.

use std::ops::Range;

use super::lanes::Avx2;
use crate::kernel::packed::dy_layout::DyTiles;
use crate::kernel::packed::lane_layout::Family;
use crate::kernel::packed::view::View;
use crate::kernel::packed::{rows_in_lanes, samples_in_lanes, samples_in_lanes_dx, tile_levels};
use crate::kernel::shared::Shared;

/// Rows `tiles` of `y (batch, rows)` for `x (samples, cols)`, the samples from `first` on.
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2; nobody else may touch these elements of `y`.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward(
    family: Family,
    x: &[f32],
    first: usize,
    w: View<'_>,
    tiles: Range<usize>,
    bias: Option<&[f32]>,
    y: Shared<'_, f32>,
) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        match family {
            Family::Rows => rows_in_lanes::forward(s, x, first, w, tiles, bias, y),
            Family::Eight => samples_in_lanes::forward::<_, 8>(s, x, first, w, tiles, bias, y),
            Family::Sixteen => samples_in_lanes::forward::<_, 16>(s, x, first, w, tiles, bias, y),
        }
    }
}

/// Columns of block `j` of `dx (batch, cols)`.
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2; nobody else may touch these columns of `dx`.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx(dy: DyTiles<'_>, w: View<'_>, j: usize, dx: Shared<'_, f32>) {
    let mut columns = samples_in_lanes_dx::column_scratch(&w);
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        samples_in_lanes_dx::columns::<_, 8>(s, &w, j, columns.slice_mut());
        for c in 0..dy.chunks() {
            match dy.family(c) {
                Family::Rows => super::dx::rows(columns.slice(), dy, c, &w, j, dx),
                Family::Eight => samples_in_lanes_dx::dx::<_, 8>(s, columns.slice(), dy, c, &w, j, dx),
                Family::Sixteen => samples_in_lanes_dx::dx::<_, 16>(s, columns.slice(), dy, c, &w, j, dx),
            }
        }
    }
}

/// Block column `j` of `gv (rows, blocks * 2)`: the gradient of the levels for `x (batch, cols)` is added, or with `fresh`
/// written.
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2; nobody else may touch this block column of `gv`.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn level_gradient(x: &[f32], dy: DyTiles<'_>, w: View<'_>, j: usize, gv: Shared<'_, f32>, fresh: bool) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        let sixteens = dy.sixteens();
        let fresh_rest = fresh && sixteens.is_empty();
        if !sixteens.is_empty() || dy.rest().is_none() {
            samples_in_lanes::level_gradient::<_, 16>(s, x, dy, sixteens, w, j, gv, fresh);
        }
        match dy.rest() {
            Some((c, Family::Eight)) => samples_in_lanes::level_gradient::<_, 8>(s, x, dy, c..c + 1, w, j, gv, fresh_rest),
            Some((c, _)) => rows_in_lanes::level_gradient(s, x, dy, c..c + 1, w, j, gv, fresh_rest),
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
