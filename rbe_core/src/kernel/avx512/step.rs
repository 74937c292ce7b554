//! The optimiser step, compiled for AVX-512.

use super::super::{charge, wide};

/// See [`charge::row`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in super::super) unsafe fn charge_row(row: charge::Row<'_>) -> u32 {
    charge::row(row)
}

/// See [`wide::points`].
///
/// # Safety
/// AVX-512 must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in super::super) unsafe fn points(p: wide::Points<'_>) {
    wide::points(p);
}
