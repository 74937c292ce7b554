//! The optimiser step, compiled for AVX2 with FMA.

use super::super::packed::Factor;
use super::super::step::{accumulate_row as accumulate, charge, points as of_points};

/// See [`charge::row`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    charge::row(row)
}

/// See [`of_points::points`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn points(p: of_points::Points<'_>) {
    of_points::points(p);
}

/// See [`accumulate`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn accumulate_row(factors: &[Factor<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    accumulate(factors, rows, cols, n, g);
}
