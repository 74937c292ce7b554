//! Detection of AMX, which Linux gives a process on request.
#![allow(unsafe_code)]

use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

/// Whether the processor has tiles with products of int8 and of bfloat16, and the system lets this process use them.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        const BF16_TILE_INT8: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        // All processors with AMX have these parts of AVX-512, which kernels use beside tiles.
        let beside = is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("avx512vnni");
        beside && __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & BF16_TILE_INT8 == BF16_TILE_INT8 && permitted()
    })
}

/// Asks the system for the state of the tile registers, which Linux gives a process only on request.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XTILEDATA: libc::c_long = 18;
    // SAFETY: a request without pointers; systems that do not know it refuse.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
