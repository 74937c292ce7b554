//! Byte products of few samples on AVX-512: sixteen rows in a register, with VNNI (`vpdpbusd`) or without (`vpmaddubsw`).

use std::arch::x86_64::*;

use super::lanes::{Avx512, load_words};
use crate::kernel::packed::quantised::few::ByteProducts;
use crate::packed::TILE_ROWS;

/// AVX-512 with VNNI is there.
#[derive(Clone, Copy)]
pub(super) struct Vnni(Avx512);

impl Vnni {
    /// # Safety
    /// As [`Avx512::new`], and the machine must have VNNI.
    #[inline(always)]
    pub(super) unsafe fn new() -> Vnni {
        // SAFETY: as the caller vouches.
        Vnni(unsafe { Avx512::new() })
    }
}

impl ByteProducts for Avx512 {
    type Words = __m512i;
    type Sums = __m512i; // 16-bit: two of each row, which sixteen additions of up to 254 do not fill
    type Floats = __m512;

    #[inline(always)]
    fn words(self, from: &[u32; TILE_ROWS]) -> __m512i {
        // SAFETY: `self` is the proof that AVX-512 is there.
        unsafe { load_words(from) }
    }
    #[inline(always)]
    fn lowest(self, words: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_and_si512(words, _mm512_set1_epi8(1)) }
    }
    #[inline(always)]
    fn next(self, words: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_srli_epi32::<1>(words) }
    }
    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    fn add(self, sums: __m512i, bytes: __m512i, inputs: i32) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_add_epi16(sums, _mm512_maddubs_epi16(bytes, _mm512_set1_epi32(inputs))) }
    }
    #[inline(always)]
    fn floats(self, sums: __m512i) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(_mm512_madd_epi16(sums, _mm512_set1_epi16(1))) }
    }
}

impl ByteProducts for Vnni {
    type Words = __m512i;
    type Sums = __m512i;
    type Floats = __m512;

    #[inline(always)]
    fn words(self, from: &[u32; TILE_ROWS]) -> __m512i {
        self.0.words(from)
    }
    #[inline(always)]
    fn lowest(self, words: __m512i) -> __m512i {
        self.0.lowest(words)
    }
    #[inline(always)]
    fn next(self, words: __m512i) -> __m512i {
        self.0.next(words)
    }
    #[inline(always)]
    fn zero(self) -> __m512i {
        ByteProducts::zero(self.0)
    }
    #[inline(always)]
    fn add(self, sums: __m512i, bytes: __m512i, inputs: i32) -> __m512i {
        // SAFETY: `self` is the proof that VNNI is there.
        unsafe { _mm512_dpbusd_epi32(sums, bytes, _mm512_set1_epi32(inputs)) }
    }
    #[inline(always)]
    fn floats(self, sums: __m512i) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(sums) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, VectorIsa};
    use crate::kernel::packed::quantised::operands::QuantisedForward;
    use crate::kernel::packed::quantised::{few, reference};
    use crate::kernel::packed::view::View;
    use crate::kernel::shared::Shared;
    use crate::packed::{PackedTensor, Quantised};
    use crate::random::Generator;

    /// Machines with VNNI never take this way otherwise.
    #[test]
    fn products_without_vnni_are_the_same() {
        if !Isa::for_tests().iter().any(|isa| isa.vectors() == Some(VectorIsa::Avx512)) {
            return;
        }
        for (rows, cols) in [(1, 1), (16, 64), (203, 130), (64, 700)] {
            let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
            let tiles = w.tiles();
            let view = View::new(&w, &tiles);
            for samples in 1..=few::MOST {
                let mut x = vec![0.0f32; samples * cols];
                Generator::new(2).stream().normal(&mut x);
                let mut values: Vec<i8> = x.iter().map(|x| (x * 60.0) as i8).collect();
                values[..cols].fill(Quantised::MOST); // the largest sums
                let x = Quantised { values: &values, scales: &[0.5, 2.0, 0.0, 1.0, 1e-20, 3.0, f32::NAN, 1.0][..samples] };
                let (mut y, mut want) = (vec![f32::NAN; samples * rows], vec![0.0; samples * rows]);
                reference::forward(x, &w, None, &mut want);
                let y_of = Shared::new(&mut y, rows);
                let f = QuantisedForward { x, first: 0, w: view, tiles: 0..view.row_tiles(), bias: None, y: y_of, dots: false };
                // SAFETY: AVX-512 is available, and nobody else has the output.
                unsafe { without_vnni(f) };
                let bits = |v: &[f32]| v.iter().map(|v| if v.is_nan() { 0 } else { v.to_bits() }).collect::<Vec<_>>();
                assert_eq!(bits(&y), bits(&want), "{rows} {cols} {samples}");
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")]
    unsafe fn without_vnni(f: QuantisedForward<'_>) {
        // SAFETY: as the caller vouches.
        unsafe { few::forward(Avx512::new(), Avx512::new(), f) }
    }
}
