//! Products with int8 inputs: which kernels compute them.

use super::{quantised_dx, quantised_forward};
use crate::kernel::packed::quantised::operands::{Method, Product, QuantisedDx, QuantisedForward};
use crate::kernel::packed::view::View;
use crate::kernel::x86::avx512;

/// Samples up to which tile registers, which have sixteen lines, are too empty.
const FEW: usize = 8;

/// See [`Product`] (`make bench-crossover` measures where products of tiles are faster).
pub(in crate::kernel) fn dots_at_once(method: Method, _: Product, _: &View<'_>, samples: usize) -> Option<usize> {
    let dots = match method {
        Method::Fastest => samples > FEW,
        Method::Dots => true,
        Method::Tables => false,
    };
    dots.then_some(quantised_forward::AT_ONCE)
}

/// See [`QuantisedForward`].
///
/// # Safety
/// The machine must have AMX with int8 and bfloat16, and AVX-512 with VBMI and VNNI; nobody else may touch these elements of `y`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,avx512vnni,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward_quantised(f: QuantisedForward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe { if f.dots { quantised_forward::forward(f) } else { avx512::forward_quantised(f) } }
}

/// See [`QuantisedDx`]; for the samples of some chunks of `lanes` samples.
///
/// # Safety
/// As [`forward_quantised`], of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi,avx512vnni,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx_quantised(lanes: usize, p: QuantisedDx<'_>) {
    // SAFETY: as the caller vouches.
    unsafe { if p.dots { quantised_dx::dx(p) } else { avx512::dx_quantised(lanes, p) } }
}
