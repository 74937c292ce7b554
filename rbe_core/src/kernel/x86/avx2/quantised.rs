//! Products with int8 inputs for AVX2: sixteen samples of 16 bits in a register.

use std::arch::x86_64::*;

use super::lanes::Avx2;
use super::products;
use crate::kernel::packed::lane_layout::Family;
use crate::kernel::packed::quantised::operands::{Method, OrderDy, Product, QuantisedDx, QuantisedForward};
use crate::kernel::packed::quantised::short_lanes::{ColumnSums, ShortLanes};
use crate::kernel::packed::quantised::{dx, dx_few, few, few_floats, order_dy, subset_sums};
use crate::kernel::packed::view::View;
use crate::packed::BITS;

impl ShortLanes<16> for Avx2 {
    type Shorts = __m256i;
    type Floats = [__m256; 2];

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: `self` is the proof that AVX2 is there.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    fn load(self, from: &[i16; 16]) -> __m256i {
        // SAFETY: as above; sixteen integers are readable.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [i16; 16], v: __m256i) {
        // SAFETY: as above; sixteen integers are writable.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), v) }
    }
    #[inline(always)]
    fn splat_short(self, v: i16) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_set1_epi16(v) }
    }
    #[inline(always)]
    fn load_bytes(self, from: &[u8; 16]) -> __m256i {
        // SAFETY: as above; sixteen bytes are readable.
        unsafe { _mm256_cvtepu8_epi16(_mm_loadu_si128(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_sub_epi16(a, b) }
    }
    #[inline(always)]
    fn mul_fraction(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_mulhrs_epi16(a, b) }
    }
    #[inline(always)]
    fn upper_byte(self, v: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_srai_epi16::<8>(v) }
    }
    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_add_epi16(a, b) }
    }
    #[inline(always)]
    fn floats(self, v: __m256i) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v)].map(|half| _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(half))) }
    }
    #[inline(always)]
    fn splat(self, v: f32) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_set1_ps(v); 2] }
    }
    #[inline(always)]
    fn load_floats(self, from: &[f32; 16]) -> [__m256; 2] {
        // SAFETY: as above; sixteen floats are readable.
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn store_floats(self, to: &mut [f32; 16], v: [__m256; 2]) {
        // SAFETY: as above; sixteen floats are writable.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), v[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), v[1]);
        }
    }
    #[inline(always)]
    fn add_floats(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul_floats(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as above, and FMA.
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
}

impl ColumnSums for Avx2 {
    type Sums = [__m256i; 4];

    #[inline(always)]
    fn zero_sums(self) -> [__m256i; 4] {
        [self.zero(); 4]
    }
    #[inline(always)]
    fn add_where(self, mut sums: [__m256i; 4], hi: u64, v: i16) -> [__m256i; 4] {
        for (q, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `self` is the proof that AVX2 is there.
            unsafe {
                // A column's lane keeps its bit alone, and becomes all ones if it is set.
                let one = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, i16::MIN);
                let bits = _mm256_and_si256(_mm256_set1_epi16((hi >> (LANES * q)) as i16), one);
                *sums = _mm256_add_epi16(*sums, _mm256_and_si256(_mm256_cmpeq_epi16(bits, one), _mm256_set1_epi16(v)));
            }
        }
        sums
    }
    #[inline(always)]
    fn store_sums(self, sums: [__m256i; 4]) -> [i16; BITS] {
        let mut out = [0i16; BITS];
        for (out, sums) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(sums) {
            self.store(out, sums);
        }
        out
    }
}

/// Samples of a register.
const LANES: usize = 16;

/// Samples up to which byte products are faster than eight samples in lanes of a kernel for floats: the sums of more do not fit in registers.
const FEW_BYTES: usize = 4;

/// Whether dot products of bytes compute a product of many samples: there are no such kernels for this instruction set.
pub(in crate::kernel) fn dots_at_once(_: Method, _: Product, _: &View<'_>, _: usize) -> Option<usize> {
    None
}

/// See [`QuantisedForward`].
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2; nobody else may touch these elements of `y`.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn forward_quantised(f: QuantisedForward<'_>) {
    let samples = f.samples();
    let rest = samples % LANES;
    let in_lanes = if rest <= few::MOST { samples - rest } else { samples };
    // SAFETY: as the caller vouches.
    unsafe {
        let s = Avx2::new();
        if in_lanes > 0 {
            subset_sums::forward::<_, LANES>(s, f.of(0..in_lanes));
        }
        if in_lanes < samples {
            match f.of(in_lanes..samples) {
                f if samples - in_lanes <= FEW_BYTES => few::forward(s, s, f),
                f => few_floats::forward(f, |f| products::forward(Family::Eight, f)),
            }
        }
    }
}

/// Samples up to which [`dx_few`] is faster than tables.
const FEW_DX: usize = 3;

/// Samples in lanes of the upstream gradient of `samples`.
pub(in crate::kernel) fn lanes_quantised(samples: usize) -> usize {
    if samples <= FEW_DX { 1 } else { LANES }
}

/// See [`OrderDy`], for [`lanes_quantised`] samples in lanes.
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn order_quantised(lanes: usize, task: OrderDy<'_>) {
    match lanes {
        1 => order_dy::order_one(task),
        _ => order_dy::order::<LANES>(task),
    }
}

/// See [`QuantisedDx`]; for the samples of some chunks of [`lanes_quantised`] samples.
///
/// # Safety
/// The machine must have AVX2 with FMA and BMI2; nobody else may touch these elements of `dx`.
#[target_feature(enable = "avx2,fma,bmi2")]
pub(in crate::kernel) unsafe fn dx_quantised(lanes: usize, p: QuantisedDx<'_>) {
    // SAFETY: as the caller vouches.
    unsafe {
        match lanes {
            1 => dx_few::dx(Avx2::new(), Avx2::new(), p),
            _ => dx::dx::<_, LANES>(Avx2::new(), p),
        }
    }
}
