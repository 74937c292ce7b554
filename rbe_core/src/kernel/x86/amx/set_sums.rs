//! Sums of inputs over set bits by products of bfloat16 tiles: inputs of sixteen samples times the bits of sixteen rows, as 0.0
//! and [`ONE`]. A number in single precision is exactly the sum of three bfloat16 numbers, so three products lose nothing.

use std::arch::x86_64::*;

use super::tiles::{LINE, Tiles, load, product, store, zero};
use crate::kernel::packed::lane_layout::SAMPLES;
use crate::packed::{BITS, TILE_ROWS, Tile};

/// Parts of a number.
pub(super) const PARTS: usize = 3;
/// What stands for a set bit: 2.0, the number that is a single bit in bfloat16, so that a rotation and a mask make it.
pub(super) const ONE: f32 = 2.0;
/// Place of that bit in the lower number of a pair.
const PLACE: u32 = 14;
/// [`ONE`] twice.
const ONES: i32 = 0x4000_4000;

/// A tile register's worth of pairs of bfloat16.
pub(super) type Pairs = [[u32; 16]; 16];

/// One block of sixteen rows: (half of the block, i, row), the pair being positions i and i + 16 of the half.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(super) struct Bits([Pairs; 2]);

/// One block of sixteen samples: (half of the block, part, sample, i).
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(super) struct Inputs(pub [[Pairs; PARTS]; 2]);

/// [`ONE`] times sums over set bits, (sample, row).
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub(super) struct Sums(pub [[f32; TILE_ROWS]; SAMPLES]);

/// The three parts of the numbers of `a` and `b` in pairs, `a` in the low halves: the upper eight bits of the significand, the
/// next eight, the rest.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn split(a: __m512, b: __m512) -> [__m512i; PARTS] {
    let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
    let (mut a, mut b) = (a, b);
    std::array::from_fn(|_| {
        let (x, y) = (_mm512_and_si512(_mm512_castps_si512(a), upper), _mm512_and_si512(_mm512_castps_si512(b), upper));
        a = _mm512_sub_ps(a, _mm512_castsi512_ps(x));
        b = _mm512_sub_ps(b, _mm512_castsi512_ps(y));
        _mm512_or_si512(_mm512_srli_epi32::<16>(x), y)
    })
}

/// Pairs of [`ONE`] or 0 from bits: in every lane, bit `i` and bit `i + 16` of the word, `i` being `PLACE` less the lane's `turn`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn pairs(words: __m512i, turn: __m512i) -> __m512i {
    _mm512_and_si512(_mm512_rolv_epi32(words, turn), _mm512_set1_epi32(ONES))
}

/// The turn of bit `i`.
pub(super) const fn turn(i: u32) -> u32 {
    PLACE.wrapping_sub(i) % 32
}

impl Bits {
    /// Sets pair `i` of both halves.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn set(&mut self, tile: &Tile, i: usize) {
        let turn = _mm512_set1_epi32(turn(i as u32) as i32);
        for (half, words) in self.0.iter_mut().zip([&tile.low, &tile.high]) {
            // SAFETY: sixteen words each.
            unsafe {
                let words = _mm512_loadu_si512(words.as_ptr().cast());
                _mm512_storeu_si512(half[i].as_mut_ptr().cast(), pairs(words, turn));
            }
        }
    }
}

impl Inputs {
    /// Sets sample `b`; the sum over the block.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn set(&mut self, b: usize, inputs: &[f32; BITS]) -> f32 {
        let mut total = _mm512_setzero_ps();
        for (half, inputs) in self.0.iter_mut().zip(inputs.as_chunks::<32>().0) {
            // SAFETY: 32 numbers.
            let [x, y] = [0, 16].map(|at| unsafe { _mm512_loadu_ps(inputs.as_ptr().add(at)) });
            total = _mm512_add_ps(total, _mm512_add_ps(x, y));
            for (part, words) in half.iter_mut().zip(split(x, y)) {
                // SAFETY: sixteen words.
                unsafe { _mm512_storeu_si512(part[b].as_mut_ptr().cast(), words) };
            }
        }
        _mm512_reduce_add_ps(total)
    }
}

/// Products of one step.
pub(super) const PRODUCTS: usize = 4 * 2 * PARTS;

/// Sums of two groups of samples over the bits of two row tiles: (group, row tile). `between(i)` is called after every product:
/// one takes sixteen cycles, and work that stands between two of them is done at the same time.
///
/// # Safety
/// AMX with bfloat16 must be available.
#[inline(always)]
pub(super) unsafe fn two_by_two(_: &Tiles, inputs: &[Inputs; 2], bits: &[Bits; 2], sums: &mut [Sums; 4], mut between: impl FnMut(usize)) {
    // SAFETY: tiles are configured, as the argument shows; each load and store is of a whole tile of sixteen lines of 64 bytes.
    unsafe {
        zero!("0");
        zero!("1");
        zero!("2");
        zero!("3");
        for half in 0..2 {
            load!("6", bits[0].0[half].as_ptr(), LINE);
            load!("7", bits[1].0[half].as_ptr(), LINE);
            for part in 0..PARTS {
                let step = 4 * (half * PARTS + part);
                load!("4", inputs[0].0[half][part].as_ptr(), LINE);
                product!("tdpbf16ps", "0", "4", "6");
                between(step);
                product!("tdpbf16ps", "1", "4", "7");
                between(step + 1);
                load!("5", inputs[1].0[half][part].as_ptr(), LINE);
                product!("tdpbf16ps", "2", "5", "6");
                between(step + 2);
                product!("tdpbf16ps", "3", "5", "7");
                between(step + 3);
            }
        }
        store!("0", sums[0].0.as_mut_ptr(), LINE);
        store!("1", sums[1].0.as_mut_ptr(), LINE);
        store!("2", sums[2].0.as_mut_ptr(), LINE);
        store!("3", sums[3].0.as_mut_ptr(), LINE);
    }
}

/// Sums of one group of samples over the bits of four row tiles; `between` as above.
///
/// # Safety
/// AMX with bfloat16 must be available.
#[inline(always)]
pub(super) unsafe fn one_by_four(_: &Tiles, inputs: &Inputs, bits: &[Bits; 4], sums: &mut [Sums; 4], mut between: impl FnMut(usize)) {
    // SAFETY: as above.
    unsafe {
        zero!("0");
        zero!("1");
        zero!("2");
        zero!("3");
        for half in 0..2 {
            for part in 0..PARTS {
                let step = 4 * (half * PARTS + part);
                load!("4", inputs.0[half][part].as_ptr(), LINE);
                load!("5", bits[0].0[half].as_ptr(), LINE);
                product!("tdpbf16ps", "0", "4", "5");
                between(step);
                load!("6", bits[1].0[half].as_ptr(), LINE);
                product!("tdpbf16ps", "1", "4", "6");
                between(step + 1);
                load!("7", bits[2].0[half].as_ptr(), LINE);
                product!("tdpbf16ps", "2", "4", "7");
                between(step + 2);
                load!("5", bits[3].0[half].as_ptr(), LINE);
                product!("tdpbf16ps", "3", "4", "5");
                between(step + 3);
            }
        }
        store!("0", sums[0].0.as_mut_ptr(), LINE);
        store!("1", sums[1].0.as_mut_ptr(), LINE);
        store!("2", sums[2].0.as_mut_ptr(), LINE);
        store!("3", sums[3].0.as_mut_ptr(), LINE);
    }
}
