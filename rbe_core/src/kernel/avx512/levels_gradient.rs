//! Gradient of the levels from the forward's sums: `∂L/∂v1 = Σ_b dy S`, `∂L/∂v0 = Σ_b dy (T - S)`; G is never formed.

use std::arch::x86_64::*;

use super::subset::{SAMPLES, Table, build, indices, load, set_sums, store};
use crate::kernel::dy_tiles::DyTiles;
use crate::kernel::strip::scratch;
use crate::kernel::view::{Shared, View};
use crate::packed::TILE_ROWS;

/// Block column `j` of `gv (rows, blocks * 2)`, the gradient of the levels for `x (batch, cols)`.
///
/// # Safety
/// The machine must have AVX-512 F; nobody else may touch this block column of `gv`.
#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,fma")]
pub(in crate::kernel) unsafe fn level_gradient(x: &[f32], dy: DyTiles<'_>, w: View<'_>, j: usize, gv: Shared<'_, f32>) {
    let (mut tables, mut totals) = (scratch(SAMPLES * 256), [0.0f32; SAMPLES]);
    let mut sums = crate::Buffer::zeroed(w.row_tiles() * 2 * TILE_ROWS * size_of::<f32>());
    let sums: &mut [[[f32; TILE_ROWS]; 2]] = sums.slice_mut();
    for (c, x) in x.chunks(SAMPLES * w.cols).enumerate() {
        let batch = x.len() / w.cols;
        let tables: &mut [Table] = &mut tables.slice_mut()[..batch];
        build(x, &w, j, tables, &mut totals);
        for (r, sums) in sums.iter_mut().enumerate() {
            let index = indices(w.tile(r, j));
            let (mut set, mut all) = (load(&sums[1]), load(&sums[0]));
            for ((dy, table), total) in dy.samples(c, r).iter().zip(tables.iter()).zip(&totals) {
                let dy = load(dy);
                set = _mm512_fmadd_ps(dy, set_sums(&index, table), set);
                all = _mm512_fmadd_ps(dy, _mm512_set1_ps(*total), all);
            }
            store(&mut sums[1], set);
            store(&mut sums[0], all);
        }
    }
    for (r, [all, set]) in sums.iter().enumerate() {
        for lane in 0..w.rows_in(r) {
            // SAFETY: the caller owns this block column.
            let out = unsafe { gv.part(r * TILE_ROWS + lane, 2 * j, 2) };
            out[0] = all[lane] - set[lane];
            out[1] = set[lane];
        }
    }
}
