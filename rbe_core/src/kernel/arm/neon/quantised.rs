//! Products with int8 inputs for NEON: sixteen samples of 16 bits in two registers, or eight in one.

use std::arch::aarch64::*;
use std::array::from_fn;

use super::few;
use super::lanes::Neon;
use crate::kernel::packed::quantised::operands::{Method, OrderDy, Product, QuantisedDx, QuantisedForward};
use crate::kernel::packed::quantised::short_lanes::{ColumnSums, ShortLanes};
use crate::kernel::packed::quantised::{dx, dx_few, order_dy, subset_sums};
use crate::kernel::packed::view::View;
use crate::packed::BITS;

macro_rules! short_lanes {
    ($lanes:literal in $registers:literal, floats in $of_floats:literal) => {
        impl ShortLanes<$lanes> for Neon {
            type Shorts = [int16x8_t; $registers];
            type Floats = [float32x4_t; $of_floats];

            #[inline(always)]
            fn zero(self) -> Self::Shorts {
                // SAFETY: `self` is the proof that NEON is there.
                unsafe { [vdupq_n_s16(0); $registers] }
            }
            #[inline(always)]
            fn load(self, from: &[i16; $lanes]) -> Self::Shorts {
                // SAFETY: as above; eight integers are readable.
                from_fn(|q| unsafe { vld1q_s16(from[8 * q..][..8].as_ptr()) })
            }
            #[inline(always)]
            fn store(self, to: &mut [i16; $lanes], v: Self::Shorts) {
                for (to, v) in to.as_chunks_mut::<8>().0.iter_mut().zip(v) {
                    // SAFETY: as above; eight integers are writable.
                    unsafe { vst1q_s16(to.as_mut_ptr(), v) };
                }
            }
            #[inline(always)]
            fn splat_short(self, v: i16) -> Self::Shorts {
                // SAFETY: as above.
                unsafe { [vdupq_n_s16(v); $registers] }
            }
            #[inline(always)]
            fn load_bytes(self, from: &[u8; $lanes]) -> Self::Shorts {
                // SAFETY: as above; eight bytes are readable.
                from_fn(|q| unsafe { vreinterpretq_s16_u16(vmovl_u8(vld1_u8(from[8 * q..][..8].as_ptr()))) })
            }
            #[inline(always)]
            fn add(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts {
                // SAFETY: as above.
                from_fn(|q| unsafe { vaddq_s16(a[q], b[q]) })
            }
            #[inline(always)]
            fn sub(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts {
                // SAFETY: as above.
                from_fn(|q| unsafe { vsubq_s16(a[q], b[q]) })
            }
            #[inline(always)]
            fn mul_fraction(self, a: Self::Shorts, b: Self::Shorts) -> Self::Shorts {
                // SAFETY: as above. It differs from that of other instruction sets for twice -2^15, which levels never are.
                from_fn(|q| unsafe { vqrdmulhq_s16(a[q], b[q]) })
            }
            #[inline(always)]
            fn upper_byte(self, v: Self::Shorts) -> Self::Shorts {
                // SAFETY: as above.
                from_fn(|q| unsafe { vshrq_n_s16::<8>(v[q]) })
            }
            #[inline(always)]
            fn floats(self, v: Self::Shorts) -> Self::Floats {
                // SAFETY: as above.
                from_fn(|q| unsafe {
                    let half = if q % 2 == 0 { vget_low_s16(v[q / 2]) } else { vget_high_s16(v[q / 2]) };
                    vcvtq_f32_s32(vmovl_s16(half))
                })
            }
            #[inline(always)]
            fn splat(self, v: f32) -> Self::Floats {
                // SAFETY: as above.
                unsafe { [vdupq_n_f32(v); $of_floats] }
            }
            #[inline(always)]
            fn load_floats(self, from: &[f32; $lanes]) -> Self::Floats {
                // SAFETY: as above; four floats are readable.
                from_fn(|q| unsafe { vld1q_f32(from[4 * q..][..4].as_ptr()) })
            }
            #[inline(always)]
            fn store_floats(self, to: &mut [f32; $lanes], v: Self::Floats) {
                for (to, v) in to.as_chunks_mut::<4>().0.iter_mut().zip(v) {
                    // SAFETY: as above; four floats are writable.
                    unsafe { vst1q_f32(to.as_mut_ptr(), v) };
                }
            }
            #[inline(always)]
            fn add_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
                // SAFETY: as above.
                from_fn(|q| unsafe { vaddq_f32(a[q], b[q]) })
            }
            #[inline(always)]
            fn mul_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
                // SAFETY: as above.
                from_fn(|q| unsafe { vmulq_f32(a[q], b[q]) })
            }
            #[inline(always)]
            fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
                // SAFETY: as above.
                from_fn(|q| unsafe { vfmaq_f32(c[q], a[q], b[q]) })
            }
        }
    };
}
short_lanes!(8 in 1, floats in 2);
short_lanes!(16 in 2, floats in 4);

impl ColumnSums for Neon {
    type Sums = [int16x8_t; BITS / 8];

    #[inline(always)]
    fn zero_sums(self) -> Self::Sums {
        // SAFETY: `self` is the proof that NEON is there.
        unsafe { [vdupq_n_s16(0); BITS / 8] }
    }
    #[inline(always)]
    fn add_where(self, mut sums: Self::Sums, hi: u64, v: i16) -> Self::Sums {
        const ONE: [u16; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: as above; eight integers are readable.
        unsafe {
            let low = vld1q_u16(ONE.as_ptr());
            let (high, words, v) = (vshlq_n_u16::<8>(low), vcreate_u16(hi), vdupq_n_s16(v));
            macro_rules! sixteen {
                ($q:literal) => {
                    let word = vdupq_lane_u16::<$q>(words);
                    for (half, one) in [low, high].into_iter().enumerate() {
                        let set = vreinterpretq_s16_u16(vtstq_u16(word, one));
                        sums[2 * $q + half] = vaddq_s16(sums[2 * $q + half], vandq_s16(set, v));
                    }
                };
            }
            sixteen!(0);
            sixteen!(1);
            sixteen!(2);
            sixteen!(3);
        }
        sums
    }
    #[inline(always)]
    fn store_sums(self, sums: Self::Sums) -> [i16; BITS] {
        let mut out = [0i16; BITS];
        for (out, sums) in out.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: as above; eight integers are writable.
            unsafe { vst1q_s16(out.as_mut_ptr(), sums) };
        }
        out
    }
}

/// Samples of two registers.
const LANES: usize = 16;
/// Of one.
const HALF: usize = LANES / 2;

/// Whether dot products of bytes compute a product of many samples: there are no such kernels for this instruction set.
pub(in crate::kernel) fn dots_at_once(_: Method, _: Product, _: &View<'_>, _: usize) -> Option<usize> {
    None
}

/// See [`QuantisedForward`].
///
/// # Safety
/// The machine must have NEON; nobody else may touch these elements of `y`.
pub(in crate::kernel) unsafe fn forward_quantised(f: QuantisedForward<'_>) {
    let samples = f.samples();
    let in_lanes = subset_sums::in_whole_registers(samples, LANES);
    // SAFETY: as the caller vouches.
    unsafe {
        if in_lanes > 0 {
            subset_sums::forward::<_, LANES>(Neon::new(), f.of(0..in_lanes));
        }
        match samples - in_lanes {
            0 => {}
            some if some <= few::most() => few::forward(f.of(in_lanes..samples)),
            _ => subset_sums::forward::<_, HALF>(Neon::new(), f.of(in_lanes..samples)),
        }
    }
}

/// Samples up to which [`dx_few`] executes fewer instructions than tables (`make count-arm`).
const FEW_DX: usize = 2;

/// Samples in lanes of the upstream gradient of `samples`.
pub(in crate::kernel) fn lanes_quantised(samples: usize) -> usize {
    if samples <= FEW_DX {
        1
    } else if samples <= HALF {
        HALF
    } else {
        LANES
    }
}

/// See [`OrderDy`], for [`lanes_quantised`] samples in lanes.
///
/// # Safety
/// The machine must have NEON.
pub(in crate::kernel) unsafe fn order_quantised(lanes: usize, task: OrderDy<'_>) {
    match lanes {
        1 => order_dy::order_one(task),
        HALF => order_dy::order::<HALF>(task),
        _ => order_dy::order::<LANES>(task),
    }
}

/// See [`QuantisedDx`]; for the samples of some chunks of [`lanes_quantised`] samples.
///
/// # Safety
/// The machine must have NEON; nobody else may touch these elements of `dx`.
pub(in crate::kernel) unsafe fn dx_quantised(lanes: usize, p: QuantisedDx<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Neon::new();
        match lanes {
            1 => dx_few::dx(s, s, p),
            HALF => dx::dx::<_, HALF>(s, p),
            _ => dx::dx::<_, LANES>(s, p),
        }
    }
}
