//! Sixteen rows in lanes on AVX-512: `vpermps` looks up sixteen sums, so four inputs make a group.

use std::arch::x86_64::*;

use super::lanes::{Avx512, load, load_words, store};
use crate::kernel::packed::rows_in_lanes::RowLanes;
use crate::packed::{BITS, Tile};

/// Groups of four inputs of a block.
const GROUPS: usize = 16;

impl RowLanes for Avx512 {
    type Table = [[f32; 16]; GROUPS];
    type Index = [__m512i; GROUPS];

    #[inline(always)]
    fn index(self, tile: &Tile) -> Self::Index {
        // SAFETY: `self` is the proof that AVX-512 is there.
        unsafe { indices(tile) }
    }

    #[inline(always)]
    fn fill(self, inputs: &[f32; BITS], table: &mut Self::Table) {
        // SAFETY: as above.
        unsafe { fill(inputs, table) }
    }

    #[inline(always)]
    fn set_sums(self, index: &Self::Index, table: &Self::Table) -> __m512 {
        // SAFETY: as above.
        unsafe { set_sums(index, table) }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn fill(inputs: &[f32; BITS], table: &mut [[f32; 16]; GROUPS]) {
    for (four, out) in inputs.as_chunks::<4>().0.iter().zip(table) {
        let mut t = _mm512_maskz_mov_ps(0xaaaa, _mm512_set1_ps(four[0]));
        t = _mm512_mask_add_ps(t, 0xcccc, t, _mm512_set1_ps(four[1]));
        let mut u = _mm512_maskz_mov_ps(0xf0f0, _mm512_set1_ps(four[2]));
        u = _mm512_mask_add_ps(u, 0xff00, u, _mm512_set1_ps(four[3]));
        store(out, _mm512_add_ps(t, u));
    }
}

/// The sixteen groups of four bits of every row, ready for `vpermps` (which reads the low four bits of an index).
#[inline]
#[target_feature(enable = "avx512f")]
fn indices(tile: &Tile) -> [__m512i; 16] {
    let (a, b) = (load_words(&tile.low), load_words(&tile.high));
    [
        a,
        _mm512_srli_epi32::<4>(a),
        _mm512_srli_epi32::<8>(a),
        _mm512_srli_epi32::<12>(a),
        _mm512_srli_epi32::<16>(a),
        _mm512_srli_epi32::<20>(a),
        _mm512_srli_epi32::<24>(a),
        _mm512_srli_epi32::<28>(a),
        b,
        _mm512_srli_epi32::<4>(b),
        _mm512_srli_epi32::<8>(b),
        _mm512_srli_epi32::<12>(b),
        _mm512_srli_epi32::<16>(b),
        _mm512_srli_epi32::<20>(b),
        _mm512_srli_epi32::<24>(b),
        _mm512_srli_epi32::<28>(b),
    ]
}

/// Sums over the set bits of every row of a tile.
#[inline]
#[target_feature(enable = "avx512f")]
fn set_sums(index: &[__m512i; 16], table: &[[f32; 16]; GROUPS]) -> __m512 {
    let pair = |g: usize| {
        _mm512_add_ps(_mm512_permutexvar_ps(index[g], load(&table[g])), _mm512_permutexvar_ps(index[g + 1], load(&table[g + 1])))
    };
    let a = _mm512_add_ps(_mm512_add_ps(pair(0), pair(2)), _mm512_add_ps(pair(4), pair(6)));
    let b = _mm512_add_ps(_mm512_add_ps(pair(8), pair(10)), _mm512_add_ps(pair(12), pair(14)));
    _mm512_add_ps(a, b)
}
