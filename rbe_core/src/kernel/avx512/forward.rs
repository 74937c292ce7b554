//! `y = x Wᵀ + b`: a block of a row gives `v0 T + (v1 - v0) S`, T the sum of its inputs, S that over its set bits.

use std::arch::x86_64::*;

use super::subset::{SAMPLES, Table, build, indices, load, set_sums, store};
use crate::kernel::levels::tile_levels;
use crate::kernel::strip::scratch;
use crate::kernel::view::{Shared, View};
use crate::packed::TILE_ROWS;

/// Rows `tiles` of `y (batch, rows)` for `x (samples, cols)`, the samples from `first` on.
///
/// # Safety
/// The machine must have AVX-512 F; nobody else may touch these elements of `y`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
pub(in crate::kernel) unsafe fn forward(
    x: &[f32],
    first: usize,
    w: View<'_>,
    tiles: std::ops::Range<usize>,
    bias: Option<&[f32]>,
    y: Shared<'_, f32>,
) {
    let samples = x.len() / w.cols;
    let (mut tables, mut totals) = (scratch(SAMPLES * 256), [0.0f32; SAMPLES]);
    let mut sums = scratch(tiles.len() * SAMPLES.min(samples) * TILE_ROWS);
    for (c, x) in x.chunks(SAMPLES * w.cols).enumerate() {
        let batch = x.len() / w.cols;
        let tables: &mut [Table] = &mut tables.slice_mut()[..batch];
        let sums: &mut [[f32; TILE_ROWS]] = &mut sums.slice_mut()[..tiles.len() * batch]; // (row tiles, batch)
        for (sums, r) in sums.chunks_exact_mut(batch).zip(tiles.clone()) {
            let mut start = [0.0; TILE_ROWS];
            if let Some(bias) = bias {
                start[..w.rows_in(r)].copy_from_slice(&bias[r * TILE_ROWS..][..w.rows_in(r)]);
            }
            sums.fill(start);
        }
        for j in 0..w.blocks {
            build(x, &w, j, tables, &mut totals);
            for (sums, r) in sums.chunks_exact_mut(batch).zip(tiles.clone()) {
                let tile = w.tile(r, j);
                let (mut v0, mut v1) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS]);
                tile_levels(tile, w.scale, &mut v0, &mut v1);
                let (v0, gap) = (load(&v0), _mm512_sub_ps(load(&v1), load(&v0)));
                let index = indices(tile);
                for ((y, table), total) in sums.iter_mut().zip(tables.iter()).zip(&totals) {
                    let sum = _mm512_fmadd_ps(v0, _mm512_set1_ps(*total), load(y));
                    store(y, _mm512_fmadd_ps(gap, set_sums(&index, table), sum));
                }
            }
        }
        for (sums, r) in sums.chunks_exact(batch).zip(tiles.clone()) {
            let here = w.rows_in(r);
            for (b, sums) in sums.iter().enumerate() {
                // SAFETY: the caller owns these rows of these samples.
                unsafe { y.part(first + c * SAMPLES + b, r * TILE_ROWS, here) }.copy_from_slice(&sums[..here]);
            }
        }
    }
}
