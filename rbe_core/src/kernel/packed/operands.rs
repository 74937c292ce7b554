//! What the kernels of one product take, whatever the instruction set.

use std::ops::Range;

use super::dy_layout::DyTiles;
use super::view::View;
use crate::kernel::shared::Shared;
use crate::packed::TILE_ROWS;

/// Rows `tiles` of `y (batch, rows)` for `x (samples, cols)`, the samples from `first` on. Nobody else may touch these elements of `y`.
pub(in crate::kernel) struct Forward<'a> {
    pub x: &'a [f32],
    pub first: usize,
    pub w: View<'a>,
    pub tiles: Range<usize>,
    pub bias: Option<&'a [f32]>,
    pub y: Shared<'a, f32>,
}

/// Columns of block `j` of `dx (batch, cols)`. Nobody else may touch them.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Dx<'a> {
    pub dy: DyTiles<'a>,
    pub w: View<'a>,
    pub j: usize,
    pub dx: Shared<'a, f32>,
}

/// Block column `j` of `gv (rows, blocks * 2)`: the gradient of the levels for `x (batch, cols)` is added, or with `fresh` written. Nobody
/// else may touch the block column.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct LevelGradient<'a> {
    pub x: &'a [f32],
    pub dy: DyTiles<'a>,
    pub w: View<'a>,
    pub j: usize,
    pub gv: Shared<'a, f32>,
    pub fresh: bool,
}

/// Adds to the gradient of the levels of tile `r` and block `j` what the sums of `dy T` and `dy S` give, or with `fresh` writes it.
///
/// # Safety
/// Nobody else may touch this block column of `gv`.
#[inline(always)]
pub(in crate::kernel) unsafe fn gv_rows(
    w: &View<'_>,
    r: usize,
    j: usize,
    [all, set]: &[[f32; TILE_ROWS]; 2],
    gv: Shared<'_, f32>,
    fresh: bool,
) {
    let mut pairs = [[0.0; 2]; TILE_ROWS];
    for i in 0..TILE_ROWS {
        pairs[i] = [all[i] - set[i], set[i]];
    }
    for (lane, pair) in pairs.iter().enumerate().take(w.rows_in(r)) {
        // SAFETY: the caller owns this block column.
        let out = unsafe { gv.part(r * TILE_ROWS + lane, 2 * j, 2) };
        if fresh {
            out.copy_from_slice(pair);
        } else {
            out.iter_mut().zip(pair).for_each(|(out, v)| *out += v);
        }
    }
}
