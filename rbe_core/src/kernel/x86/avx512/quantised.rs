//! Products with int8 inputs for AVX-512: 32 samples of 16 bits in a register, or sixteen in half a one.

use std::arch::x86_64::*;

use super::few::Vnni;
use super::lanes::Avx512;
use super::{dots_dx, dots_forward};
use crate::kernel::packed::quantised::operands::{Method, OrderDy, Product, QuantisedDx, QuantisedForward};
use crate::kernel::packed::quantised::short_lanes::{ColumnSums, ShortLanes};
use crate::kernel::packed::quantised::{dx, dx_few, few, order_dy, subset_sums};
use crate::kernel::packed::view::View;
use crate::kernel::x86::avx2::Avx2;
use crate::packed::BITS;

impl ShortLanes<32> for Avx512 {
    type Shorts = __m512i;
    type Floats = [__m512; 2];

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: `self` is the proof that AVX-512 is there.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn load(self, from: &[i16; 32]) -> __m512i {
        // SAFETY: as above; 32 integers are readable.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [i16; 32], v: __m512i) {
        // SAFETY: as above; 32 integers are writable.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), v) }
    }
    #[inline(always)]
    fn splat_short(self, v: i16) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_set1_epi16(v) }
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; 32]) -> __m512i {
        // SAFETY: as above; 32 bytes are readable.
        unsafe { _mm512_cvtepu8_epi16(_mm256_loadu_si256(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_sub_epi16(a, b) }
    }
    #[inline(always)]
    fn mul_fraction(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_mulhrs_epi16(a, b) }
    }
    #[inline(always)]
    fn upper_byte(self, v: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_srai_epi16::<8>(v) }
    }
    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_add_epi16(a, b) }
    }
    #[inline(always)]
    fn floats(self, v: __m512i) -> [__m512; 2] {
        // SAFETY: as above.
        unsafe {
            [_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v)].map(|half| _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(half)))
        }
    }
    #[inline(always)]
    fn splat(self, v: f32) -> [__m512; 2] {
        // SAFETY: as above.
        unsafe { [_mm512_set1_ps(v); 2] }
    }
    #[inline(always)]
    fn load_floats(self, from: &[f32; 32]) -> [__m512; 2] {
        // SAFETY: as above; 32 floats are readable.
        unsafe { [_mm512_loadu_ps(from.as_ptr()), _mm512_loadu_ps(from.as_ptr().add(16))] }
    }
    #[inline(always)]
    fn store_floats(self, to: &mut [f32; 32], v: [__m512; 2]) {
        // SAFETY: as above; 32 floats are writable.
        unsafe {
            _mm512_storeu_ps(to.as_mut_ptr(), v[0]);
            _mm512_storeu_ps(to.as_mut_ptr().add(16), v[1]);
        }
    }
    #[inline(always)]
    fn add_floats(self, a: [__m512; 2], b: [__m512; 2]) -> [__m512; 2] {
        // SAFETY: as above.
        unsafe { [_mm512_add_ps(a[0], b[0]), _mm512_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul_floats(self, a: [__m512; 2], b: [__m512; 2]) -> [__m512; 2] {
        // SAFETY: as above.
        unsafe { [_mm512_mul_ps(a[0], b[0]), _mm512_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul_add(self, a: [__m512; 2], b: [__m512; 2], c: [__m512; 2]) -> [__m512; 2] {
        // SAFETY: as above, and FMA.
        unsafe { [_mm512_fmadd_ps(a[0], b[0], c[0]), _mm512_fmadd_ps(a[1], b[1], c[1])] }
    }
}

impl ColumnSums for Avx512 {
    type Sums = [__m512i; 2];

    #[inline(always)]
    fn zero_sums(self) -> [__m512i; 2] {
        // SAFETY: `self` is the proof that AVX-512 is there.
        unsafe { [_mm512_setzero_si512(); 2] }
    }
    #[inline(always)]
    fn add_where(self, sums: [__m512i; 2], hi: u64, v: i16) -> [__m512i; 2] {
        // SAFETY: as above.
        unsafe {
            let v = _mm512_set1_epi16(v);
            [_mm512_mask_add_epi16(sums[0], hi as u32, sums[0], v), _mm512_mask_add_epi16(sums[1], (hi >> 32) as u32, sums[1], v)]
        }
    }
    #[inline(always)]
    fn store_sums(self, sums: [__m512i; 2]) -> [i16; BITS] {
        let mut out = [0i16; BITS];
        for (out, sums) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
            self.store(out, sums);
        }
        out
    }
}

/// Samples of a register.
const LANES: usize = 32;
/// Of half a one.
const HALF: usize = LANES / 2;

/// Rows up to which dot products of bytes are faster than tables forward: fewer do not repay the sums.
const DOT_ROWS: usize = 128;
/// Columns up to which they are faster in dx, where the upstream gradient need not be brought into lanes. With more columns they are so for
/// [`HALF`] samples, half the lanes of tables.
const DOT_COLUMNS: usize = 128;

/// The samples that dot products of bytes take at once, if they compute a product (`make bench-crossover` measures where they are faster).
pub(in crate::kernel) fn dots_at_once(method: Method, product: Product, w: &View<'_>, samples: usize) -> Option<usize> {
    let faster = || match product {
        Product::Forward => samples > few::MOST && w.rows <= DOT_ROWS,
        Product::Dx => samples > FEW_DX && (w.cols <= DOT_COLUMNS || samples <= HALF),
    };
    let dots = is_x86_feature_detected!("avx512vnni") && method != Method::Tables && (method == Method::Dots || faster());
    dots.then_some(dots_forward::AT_ONCE)
}

/// See [`QuantisedForward`].
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2, and VNNI for dot products of bytes; nobody else may touch these elements
/// of `y`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward_quantised(f: QuantisedForward<'_>) {
    if f.dots {
        // SAFETY: as the caller vouches.
        return unsafe { dots_forward::forward(f) };
    }
    let samples = f.samples();
    let in_lanes = subset_sums::in_whole_registers(samples, LANES);
    // SAFETY: as the caller vouches; AVX-512 implies AVX2.
    unsafe {
        if in_lanes > 0 {
            subset_sums::forward::<_, LANES>(Avx512::new(), f.of(0..in_lanes));
        }
        match samples - in_lanes {
            0 => {}
            1..=few::MOST if is_x86_feature_detected!("avx512vnni") => with_vnni(f.of(in_lanes..samples)),
            1..=few::MOST => few::forward(Avx512::new(), Avx512::new(), f.of(in_lanes..samples)),
            _ => subset_sums::forward::<_, HALF>(Avx2::new(), f.of(in_lanes..samples)),
        }
    }
}

/// See [`few`].
///
/// # Safety
/// As [`forward_quantised`], and the machine must have VNNI.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma,bmi2")]
unsafe fn with_vnni(f: QuantisedForward<'_>) {
    // SAFETY: as the caller vouches.
    unsafe { few::forward(Avx512::new(), Vnni::new(), f) }
}

/// Samples up to which [`dx_few`] is faster than the others.
const FEW_DX: usize = 8;

/// Samples in lanes of the upstream gradient of `samples`.
pub(in crate::kernel) fn lanes_quantised(samples: usize) -> usize {
    if samples <= FEW_DX { 1 } else { LANES }
}

/// See [`OrderDy`], for [`lanes_quantised`] samples in lanes.
///
/// # Safety
/// The machine must have AVX-512 F, DQ, BW and VL with FMA and BMI2.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn order_quantised(lanes: usize, task: OrderDy<'_>) {
    match lanes {
        1 => order_dy::order_one(task),
        _ => order_dy::order::<LANES>(task),
    }
}

/// See [`QuantisedDx`]; for the samples of some chunks of [`lanes_quantised`] samples.
///
/// # Safety
/// As [`forward_quantised`], of `dx`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx_quantised(lanes: usize, p: QuantisedDx<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        match lanes {
            1 if p.dots => dots_dx::dx(p),
            1 => dx_few::dx(Avx2::new(), Avx512::new(), p),
            _ => dx::dx::<_, LANES>(Avx512::new(), p),
        }
    }
}
