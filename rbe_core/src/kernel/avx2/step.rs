//! The optimiser step, compiled for AVX2 with FMA.

use super::super::{charge, wide};

/// See [`charge::row`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    charge::row(row)
}

/// See [`wide::points`].
///
/// # Safety
/// AVX2 with FMA must be available.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in super::super) unsafe fn points(p: wide::Points<'_>) {
    wide::points(p);
}
