//! Sixteen samples in a register, and the transpose of bits.

use std::arch::x86_64::*;

use crate::kernel::packed::lanes::{Lanes, Transpose};
use crate::packed::{BITS, Tile};

/// AVX-512 F, DQ, BW and VL with FMA are there.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The machine must have AVX-512 F, DQ, BW and VL, and FMA.
    #[inline(always)]
    pub(in crate::kernel) unsafe fn new() -> Avx512 {
        Avx512(())
    }
}

impl Transpose for Avx512 {
    #[inline(always)]
    fn transpose(self, rows: [&[f32; 8]; 8]) -> [[f32; 8]; 8] {
        // SAFETY: `self` is the proof that AVX-512 is there, which implies AVX2.
        unsafe { crate::kernel::x86::avx2::transpose(rows) }
    }
    #[inline(always)]
    fn column_bits(self, tile: &Tile) -> [u16; BITS] {
        // SAFETY: as above.
        unsafe { column_bits(tile) }
    }
}

impl Lanes<16> for Avx512 {
    type V = __m512;

    #[inline(always)]
    fn splat(self, v: f32) -> __m512 {
        // SAFETY: `self` is the proof that AVX-512 is there.
        unsafe { _mm512_set1_ps(v) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> __m512 {
        // SAFETY: as above.
        unsafe { load(from) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32; 16], v: __m512) {
        // SAFETY: as above.
        unsafe { store(to, v) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn across(self, rows: &[[f32; 16]; 8]) -> [f32; 8] {
        // SAFETY: as above; AVX-512 implies AVX2.
        unsafe { crate::kernel::x86::avx2::across_halves(rows) }
    }
}

/// The bits of the sixteen rows at every column, row 0 in bit 0.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
pub(in crate::kernel::x86) fn column_bits(tile: &Tile) -> [u16; BITS] {
    // Words of four rows in a lane of 16 bytes: first their bytes together, then those of sixteen rows; so every
    // 64-bit lane holds a byte of eight rows.
    let bytes = _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    let sixteens = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    // Afterwards a byte of eight rows for every column: those of rows 0 to 7 beside those of rows 8 to 15.
    let pairs = _mm512_broadcast_i32x4(_mm_set_epi8(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0));
    let mut out = [0; BITS];
    for (words, out) in [&tile.low, &tile.high].into_iter().zip(out.as_chunks_mut::<32>().0) {
        let x = _mm512_permutexvar_epi32(sixteens, _mm512_shuffle_epi8(load_words(words), bytes));
        let x = _mm512_shuffle_epi8(transpose_bits(x), pairs);
        // SAFETY: 32 words of 16 bits are writable.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), x) };
    }
    out
}

/// Transposes the 8 x 8 bits of every 64-bit lane: exchanges of single bits, then pairs, then fours across the diagonal.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_bits(x: __m512i) -> __m512i {
    const XOR_AND: i32 = 0x28; // (a ^ b) & c
    const XOR_XOR: i32 = 0x96; // a ^ b ^ c
    macro_rules! exchange {
        ($x:expr, $by:literal, $mask:literal) => {{
            let t = _mm512_ternarylogic_epi64::<XOR_AND>($x, _mm512_srli_epi64::<$by>($x), _mm512_set1_epi64($mask));
            _mm512_ternarylogic_epi64::<XOR_XOR>($x, t, _mm512_slli_epi64::<$by>(t))
        }};
    }
    let x = exchange!(x, 7, 0x00aa_00aa_00aa_00aa);
    let x = exchange!(x, 14, 0x0000_cccc_0000_cccc);
    exchange!(x, 28, 0x0000_0000_f0f0_f0f0)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::kernel::x86) fn load(from: &[f32; 16]) -> __m512 {
    // SAFETY: sixteen floats are readable.
    unsafe { _mm512_loadu_ps(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(to: &mut [f32; 16], v: __m512) {
    // SAFETY: sixteen floats are writable.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr(), v) }
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::kernel::x86) fn load_words(from: &[u32; 16]) -> __m512i {
    // SAFETY: sixteen words are readable.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}
