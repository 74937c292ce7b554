//! Eight and sixteen samples in registers of eight, and the transposes.

use std::arch::x86_64::*;

use crate::kernel::packed::lanes::{Lanes, Transpose};
use crate::packed::{BITS, Tile};

/// AVX2 with FMA is there.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The machine must have AVX2 and FMA.
    #[inline(always)]
    pub(in crate::kernel) unsafe fn new() -> Avx2 {
        Avx2(())
    }
}

impl Transpose for Avx2 {
    #[inline(always)]
    fn transpose(self, rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
        // SAFETY: `self` is the proof that AVX2 is there.
        unsafe { transpose(rows) }
    }
    #[inline(always)]
    fn column_bits(self, tile: &Tile) -> [u16; BITS] {
        // SAFETY: as above.
        unsafe { column_bits(tile) }
    }
}

impl Lanes<8> for Avx2 {
    type V = __m256;

    #[inline(always)]
    fn splat(self, v: f32) -> __m256 {
        // SAFETY: `self` is the proof that AVX2 is there.
        unsafe { _mm256_set1_ps(v) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; 8]) -> __m256 {
        // SAFETY: as above; eight floats are readable.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 8], v: __m256) {
        // SAFETY: as above; eight floats are writable.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as above, and FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn across(self, rows: &[[f32; 8]; 8]) -> [f32; 8] {
        // SAFETY: as above.
        unsafe { across(rows.each_ref().map(|row| _mm256_loadu_ps(row.as_ptr()))) }
    }
}

impl Lanes<16> for Avx2 {
    type V = [__m256; 2];

    #[inline(always)]
    fn splat(self, v: f32) -> Self::V {
        [Lanes::<8>::splat(self, v); 2]
    }
    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> Self::V {
        let (halves, _) = from.as_chunks::<8>();
        [self.load(&halves[0]), self.load(&halves[1])]
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 16], v: Self::V) {
        let (halves, _) = to.as_chunks_mut::<8>();
        self.store(&mut halves[0], v[0]);
        self.store(&mut halves[1], v[1]);
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        [Lanes::<8>::add(self, a[0], b[0]), Lanes::<8>::add(self, a[1], b[1])]
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        [Lanes::<8>::mul(self, a[0], b[0]), Lanes::<8>::mul(self, a[1], b[1])]
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        [Lanes::<8>::mul_add(self, a[0], b[0], c[0]), Lanes::<8>::mul_add(self, a[1], b[1], c[1])]
    }
    #[inline(always)]
    fn across(self, rows: &[[f32; 16]; 8]) -> [f32; 8] {
        // SAFETY: `self` is the proof that AVX2 is there.
        unsafe { across_halves(rows) }
    }
}

/// Sums of the numbers of each of eight vectors of eight.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn across(rows: [__m256; 8]) -> [f32; 8] {
    let pairs = |i: usize| _mm256_hadd_ps(rows[i], rows[i + 1]);
    let (a, b) = (_mm256_hadd_ps(pairs(0), pairs(2)), _mm256_hadd_ps(pairs(4), pairs(6)));
    let sums = _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
    let mut out = [0.0; 8];
    // SAFETY: eight floats are writable.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// Sums of the numbers of each of eight vectors of sixteen.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernel) fn across_halves(rows: &[[f32; 16]; 8]) -> [f32; 8] {
    // SAFETY: twice eight floats are readable.
    let halves = |row: &[f32; 16]| unsafe { _mm256_add_ps(_mm256_loadu_ps(row.as_ptr()), _mm256_loadu_ps(row.as_ptr().add(8))) };
    across(rows.each_ref().map(halves))
}

/// Columns of eight rows of eight.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernel) fn transpose(rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
    // SAFETY: eight floats are readable.
    let r = rows.map(|row| unsafe { _mm256_loadu_ps(row.as_ptr()) });
    // Pairs of rows, then fours, then the halves.
    let (mut pair, mut four, mut out) = (r, r, [[0.0; 8]; 8]);
    for i in 0..4 {
        pair[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        pair[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for i in [0, 4] {
        four[i] = _mm256_shuffle_ps::<0x44>(pair[i], pair[i + 2]);
        four[i + 1] = _mm256_shuffle_ps::<0xee>(pair[i], pair[i + 2]);
        four[i + 2] = _mm256_shuffle_ps::<0x44>(pair[i + 1], pair[i + 3]);
        four[i + 3] = _mm256_shuffle_ps::<0xee>(pair[i + 1], pair[i + 3]);
    }
    for i in 0..4 {
        let (low, high) = (_mm256_permute2f128_ps::<0x20>(four[i], four[i + 4]), _mm256_permute2f128_ps::<0x31>(four[i], four[i + 4]));
        // SAFETY: eight floats are writable.
        unsafe {
            _mm256_storeu_ps(out[i].as_mut_ptr(), low);
            _mm256_storeu_ps(out[i + 4].as_mut_ptr(), high);
        }
    }
    out
}

/// Transposes the 8 x 8 bits of every 64-bit lane: swaps of single bits, then pairs, then fours across the diagonal.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_bits(x: __m256i) -> __m256i {
    macro_rules! swap {
        ($x:expr, $by:literal, $mask:literal) => {{
            let t = _mm256_and_si256(_mm256_xor_si256($x, _mm256_srli_epi64::<$by>($x)), _mm256_set1_epi64x($mask));
            _mm256_xor_si256($x, _mm256_xor_si256(t, _mm256_slli_epi64::<$by>(t)))
        }};
    }
    let x = swap!(x, 7, 0x00aa_00aa_00aa_00aa);
    let x = swap!(x, 14, 0x0000_cccc_0000_cccc);
    swap!(x, 28, 0x0000_0000_f0f0_f0f0)
}

/// The bits of the sixteen rows at every column, row 0 in bit 0.
#[inline]
#[target_feature(enable = "avx2")]
fn column_bits(tile: &Tile) -> [u16; BITS] {
    // Words of four rows in a lane of 16 bytes: first their bytes together, then those of eight rows.
    let bytes = _mm256_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0, 15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    let eights = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
    let mut out = [0; BITS];
    for (words, out) in [&tile.low, &tile.high].into_iter().zip(out.as_chunks_mut::<32>().0) {
        let half = |h: usize| {
            // SAFETY: eight words are readable.
            let words = unsafe { _mm256_loadu_si256(words.as_ptr().add(8 * h).cast()) };
            transpose_bits(_mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(words, bytes), eights))
        };
        let (a, b) = (half(0), half(1));
        let (even, odd) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
        // SAFETY: 32 words of 16 bits are writable.
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm256_permute2x128_si256::<0x20>(even, odd));
            _mm256_storeu_si256(out.as_mut_ptr().add(16).cast(), _mm256_permute2x128_si256::<0x31>(even, odd));
        }
    }
    out
}
