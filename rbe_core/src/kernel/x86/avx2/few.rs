//! Byte products of few samples on AVX2: eight rows in a register, products added in pairs (`vpmaddubsw`).

use std::arch::x86_64::*;

use super::lanes::Avx2;
use crate::kernel::packed::quantised::few::ByteProducts;
use crate::packed::TILE_ROWS;

impl ByteProducts for Avx2 {
    type Words = [__m256i; 2];
    type Sums = [__m256i; 2]; // 16-bit: two of each row, which sixteen additions of up to 254 do not fill
    type Floats = [__m256; 2];

    #[inline(always)]
    fn words(self, from: &[u32; TILE_ROWS]) -> [__m256i; 2] {
        // SAFETY: `self` is the proof that AVX2 is there; sixteen words are readable.
        unsafe { [_mm256_loadu_si256(from.as_ptr().cast()), _mm256_loadu_si256(from.as_ptr().add(8).cast())] }
    }
    #[inline(always)]
    fn lowest(self, words: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_and_si256(words[0], _mm256_set1_epi8(1)), _mm256_and_si256(words[1], _mm256_set1_epi8(1))] }
    }
    #[inline(always)]
    fn next(self, words: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_srli_epi32::<1>(words[0]), _mm256_srli_epi32::<1>(words[1])] }
    }
    #[inline(always)]
    fn zero(self) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe { [_mm256_setzero_si256(); 2] }
    }
    #[inline(always)]
    fn add(self, sums: [__m256i; 2], bytes: [__m256i; 2], inputs: i32) -> [__m256i; 2] {
        // SAFETY: as above.
        unsafe {
            let inputs = _mm256_set1_epi32(inputs);
            [
                _mm256_add_epi16(sums[0], _mm256_maddubs_epi16(bytes[0], inputs)),
                _mm256_add_epi16(sums[1], _mm256_maddubs_epi16(bytes[1], inputs)),
            ]
        }
    }
    #[inline(always)]
    fn floats(self, sums: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: as above.
        unsafe {
            let one = _mm256_set1_epi16(1);
            [_mm256_cvtepi32_ps(_mm256_madd_epi16(sums[0], one)), _mm256_cvtepi32_ps(_mm256_madd_epi16(sums[1], one))]
        }
    }
}
