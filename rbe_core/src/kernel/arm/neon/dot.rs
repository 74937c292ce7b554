//! Dot products of bytes, which an extension has.

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

/// Whether the processor has them.
pub(super) fn has_dot() -> bool {
    is_aarch64_feature_detected!("dotprod")
}

/// Adds to every 32-bit lane the products of four pairs of bytes. The intrinsic is not stable yet.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn dot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction reads and writes these registers alone.
    unsafe {
        asm!("sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b", sums = inout(vreg) sums, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    sums
}
