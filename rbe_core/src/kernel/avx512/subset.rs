//! Subset sums of four inputs, the tables that all rows share (the method of four Russians).

use std::arch::x86_64::*;

use crate::kernel::view::View;
use crate::packed::{BITS, Tile};

/// Samples whose tables of one block stay in the first-level cache together: 1 KB each.
pub(super) const SAMPLES: usize = crate::kernel::dy_tiles::DyTiles::SAMPLES;
/// Sums of the sixteen subsets of four inputs, for each of a block's sixteen groups of four.
pub(super) type Table = [[f32; 16]; 16];

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(from: &[f32; 16]) -> __m512 {
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
pub(super) fn load_words(from: &[u32; 16]) -> __m512i {
    // SAFETY: sixteen words are readable.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// Tables of block `j` of the rows `x (samples, cols)`, and the sums of the block's inputs.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn build(x: &[f32], w: &View<'_>, j: usize, tables: &mut [Table], totals: &mut [f32]) {
    let used = w.cols_in(j);
    let mut padded = [0.0f32; BITS];
    for (row, (table, total)) in x.chunks_exact(w.cols).zip(tables.iter_mut().zip(totals)) {
        let inputs = &row[j * BITS..j * BITS + used];
        let inputs: &[f32; BITS] = match inputs.try_into() {
            Ok(whole) => whole,
            Err(_) => {
                padded[..used].copy_from_slice(inputs);
                &padded
            }
        };
        let mut sum = _mm512_setzero_ps();
        for (four, out) in inputs.as_chunks::<4>().0.iter().zip(table) {
            let mut t = _mm512_maskz_mov_ps(0xaaaa, _mm512_set1_ps(four[0]));
            t = _mm512_mask_add_ps(t, 0xcccc, t, _mm512_set1_ps(four[1]));
            let mut u = _mm512_maskz_mov_ps(0xf0f0, _mm512_set1_ps(four[2]));
            u = _mm512_mask_add_ps(u, 0xff00, u, _mm512_set1_ps(four[3]));
            store(out, _mm512_add_ps(t, u));
        }
        for sixteen in inputs.as_chunks::<16>().0 {
            sum = _mm512_add_ps(sum, load(sixteen));
        }
        *total = _mm512_reduce_add_ps(sum);
    }
}

/// The sixteen groups of four bits of every row, ready for `vpermps` (which reads the low four bits of an index).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn indices(tile: &Tile) -> [__m512i; 16] {
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
pub(super) fn set_sums(index: &[__m512i; 16], table: &Table) -> __m512 {
    let pair = |g: usize| {
        _mm512_add_ps(_mm512_permutexvar_ps(index[g], load(&table[g])), _mm512_permutexvar_ps(index[g + 1], load(&table[g + 1])))
    };
    let a = _mm512_add_ps(_mm512_add_ps(pair(0), pair(2)), _mm512_add_ps(pair(4), pair(6)));
    let b = _mm512_add_ps(_mm512_add_ps(pair(8), pair(10)), _mm512_add_ps(pair(12), pair(14)));
    _mm512_add_ps(a, b)
}
