//! Products with packed tensors in f32: the driver that picks the kernels, cuts the work and owns the bounds.
//!
//! Every sum runs in an order that the shapes alone decide, so results do not depend on the number of threads.

// Without vector kernels there is no `VectorIsa`: code that is given one compiles there, and never runs.
#![cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(unreachable_code, unused_imports, unused_variables))]

use super::dy_layout::{DyOrder, DyTiles};
use super::lane_layout::{Family, SAMPLES};
use super::operands::{Dx, Forward, LevelGradient};
use super::view::View;
use super::{portable, tile_levels};
use crate::isa::{self, Isa, VectorIsa};
use crate::kernel::dispatch::vector_kernel;
use crate::kernel::scratch::scratch;
use crate::kernel::shared::Shared;
use crate::packed::{BITS, FactorPair, PackedTensor, TILE_ROWS};
use crate::parallel;

/// What [`backward`] is to compute.
#[derive(Default)]
pub struct Grads<'a> {
    /// (batch, cols), overwritten.
    pub dx: Option<&'a mut [f32]>,
    /// Gradient of the levels (rows, blocks, 2), overwritten.
    pub levels: Option<&'a mut [f32]>,
    /// (rows), overwritten.
    pub bias: Option<&'a mut [f32]>,
}

/// Multiplications and additions below which handing over to another thread costs more than it saves.
pub(super) const WORTH_SHARING: usize = 1 << 20;
/// Samples of a piece of the forward product: more decode the levels less often, fewer keep their sums nearer.
const PIECE_SAMPLES: usize = 2 * SAMPLES;
/// Pieces of one product for each thread where there are several.
const PIECES: usize = 4;
/// Rows of a piece of `G`: many, for every piece brings `x` into order anew.
const GRADIENT_ROWS: usize = 256;
/// Samples of which the backward products are computed at once: their upstream gradient, in another order, is read once for each block
/// column and shall stay in the cache.
const PART_SAMPLES: usize = 8 * SAMPLES;
/// Fewest row tiles of a piece: fewer, and building the tables dominates.
const ROW_TILES: usize = 24;

/// `y (batch, rows) = x (batch, cols) Wᵀ + bias (rows)`.
///
/// # Panics
/// If a slice has another length.
pub fn forward(x: &[f32], batch: usize, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    forward_on(isa::current(), x, batch, w, bias, y);
}

fn forward_on(isa: Isa, x: &[f32], batch: usize, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let (rows, cols) = (w.rows(), w.cols());
    assert!(x.len() == batch * cols && y.len() == batch * rows && bias.is_none_or(|b| b.len() == rows), "packed forward: lengths");
    let Some(set) = isa.vectors() else { return portable::forward(x, batch, w, bias, y) };
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    let y = Shared::new(y, rows);
    let Pieces { samples, tiles: per } = pieces(batch, &view, &WITH_TABLES);
    let (across, down) = (view.row_tiles().div_ceil(per), batch.div_ceil(samples));
    parallel::for_each(across * down, |p| {
        let (first, r) = (p / across * samples, p % across * per);
        let r = r..(r + per).min(view.row_tiles());
        let last = (first + samples).min(batch);
        // Whole chunks, and what is left of the batch.
        let family = Family::of_rest(set, last % SAMPLES);
        let rest = if family == Family::Sixteen { last } else { last - last % SAMPLES };
        for (family, samples) in [(Family::Sixteen, first..rest), (family, rest..last)] {
            if !samples.is_empty() {
                let x = &x[samples.start * cols..samples.end * cols];
                // SAFETY: `isa` is one of this machine's; every piece has rows and samples of its own.
                unsafe { vector_kernel!(set, forward(family, Forward { x, first: samples.start, w: view, tiles: r.clone(), bias, y })) }
            }
        }
    });
}

/// Samples and row tiles of one piece of the forward product.
pub(super) struct Pieces {
    pub samples: usize,
    pub tiles: usize,
}

/// The fewest that kernels with tables are given.
pub(super) const WITH_TABLES: Pieces = Pieces { samples: PIECE_SAMPLES, tiles: ROW_TILES };

/// The pieces of a product, not smaller than `fewest` unless a thread would be left without one.
pub(super) fn pieces(batch: usize, w: &View<'_>, fewest: &Pieces) -> Pieces {
    let tiles = w.row_tiles();
    if batch * w.rows * w.cols < WORTH_SHARING {
        return Pieces { samples: batch.max(1).next_multiple_of(SAMPLES), tiles };
    }
    let most = match parallel::num_threads() {
        1 => 1,
        threads => PIECES * threads,
    };
    let chunks = batch.div_ceil(fewest.samples);
    // Twice the fewest row tiles, unless a thread would be left without a piece.
    let worth = (tiles / (2 * fewest.tiles)).max(parallel::num_threads().min(tiles.div_ceil(fewest.tiles)));
    let across = (most / chunks.min(most)).min(worth).max(1);
    Pieces { samples: fewest.samples, tiles: tiles.div_ceil(across) }
}

/// `dx (batch, cols) = dy (batch, rows) W`.
///
/// # Panics
/// If a slice has another length.
pub fn dx(dy: &[f32], batch: usize, w: &PackedTensor, dx: &mut [f32]) {
    backward_on(isa::current(), Use { x: None, dy, batch }, w, Grads { dx: Some(dx), ..Grads::default() }, true);
}

fn check(factors: &[FactorPair<'_>], w: &PackedTensor) {
    assert!(factors.iter().all(|f| f.x.len() == f.batch * w.cols() && f.dy.len() == f.batch * w.rows()), "packed gradient: lengths");
}

/// `g (rows, blocks, 64) = Σ dyᵀ x`, zero at unused bits.
///
/// # Panics
/// If a slice has another length.
pub fn weight_gradient(factors: &[FactorPair<'_>], w: &PackedTensor, g: &mut [f32]) {
    gradient(factors, w, g, |_, _| {});
}

/// The change of the loss for each flip, `G_k (v_{1-b} - v_b)`: (rows, blocks, 64), zero at unused bits. `levels (rows, blocks, 2)`
/// gets the gradient of the levels, which is found on the way.
///
/// # Panics
/// If a slice has another length.
pub fn flip_gradient(factors: &[FactorPair<'_>], w: &PackedTensor, g: &mut [f32], levels: &mut [f32]) {
    flip_gradient_on(isa::current(), factors, w, g, levels);
}

fn flip_gradient_on(isa: Isa, factors: &[FactorPair<'_>], w: &PackedTensor, g: &mut [f32], levels: &mut [f32]) {
    let tiles = w.tiles();
    let flips = Flips::new(isa, View::new(w, &tiles), levels);
    // SAFETY: every piece has rows of its own.
    gradient(factors, w, g, |first, piece| unsafe { flips.of_rows(first, piece) });
}

/// `G (rows, blocks, 64)` to the change of the loss for each flip, with the gradient of the levels as above.
///
/// # Panics
/// If a slice has another length.
pub fn to_flips(w: &PackedTensor, g: &mut [f32], levels: &mut [f32]) {
    let width = w.blocks() * BITS;
    assert!(g.len() == w.rows() * width, "flip gradient: length");
    let tiles = w.tiles();
    let flips = Flips::new(isa::current(), View::new(w, &tiles), levels);
    // SAFETY: every piece has rows of its own.
    parallel::for_each_piece(g, GRADIENT_ROWS * width, |p, piece| unsafe { flips.of_rows(p * GRADIENT_ROWS, piece) });
}

/// Calls `then(first row, rows)` with rows of `G` while they are in the cache.
fn gradient(factors: &[FactorPair<'_>], w: &PackedTensor, g: &mut [f32], then: impl Fn(usize, &mut [f32]) + Sync + Send) {
    check(factors, w);
    let width = w.blocks() * BITS;
    assert!(g.len() == w.rows() * width, "packed gradient: lengths");
    parallel::for_each_piece(g, GRADIENT_ROWS * width, |p, piece| {
        portable::rows_gradient(factors, w, p * GRADIENT_ROWS, piece);
        then(p * GRADIENT_ROWS, piece);
    });
}

/// What turns rows of `G` into the change of the loss for each flip.
struct Flips<'a> {
    isa: Isa,
    w: View<'a>,
    levels: Shared<'a, f32>,
}

impl<'a> Flips<'a> {
    fn new(isa: Isa, w: View<'a>, levels: &'a mut [f32]) -> Flips<'a> {
        assert!(levels.len() == w.rows * w.blocks * 2, "flip gradient: levels");
        Flips { isa, w, levels: Shared::whole(levels) }
    }

    /// Rows from row `first` of a tile on, times `v_{1-b} - v_b`.
    ///
    /// # Safety
    /// No two calls at the same time may be about the same rows.
    unsafe fn of_rows(&self, first: usize, g: &mut [f32]) {
        let (w, width) = (&self.w, self.w.blocks * BITS);
        for (t, tile) in g.chunks_mut(TILE_ROWS * width).enumerate() {
            let (r, rows) = (first / TILE_ROWS + t, tile.len() / width);
            // SAFETY: the levels of these rows are the caller's alone.
            let sums = unsafe { self.levels.part(0, r * TILE_ROWS * w.blocks * 2, rows * w.blocks * 2) };
            vector_kernel!(self.isa, flips(w, r, tile, sums), else tile_levels::flips);
        }
    }
}

/// Gradient of the levels (rows, blocks, 2): sums of `G = Σ dyᵀ x` over each block's bits that are 0 and 1.
///
/// # Panics
/// If a slice has another length.
pub fn level_gradient(factors: &[FactorPair<'_>], w: &PackedTensor, gv: &mut [f32]) {
    level_gradient_on(isa::current(), factors, w, gv);
}

fn level_gradient_on(isa: Isa, factors: &[FactorPair<'_>], w: &PackedTensor, gv: &mut [f32]) {
    check(factors, w);
    assert!(gv.len() == w.rows() * w.blocks() * 2, "packed gradient: lengths");
    if isa == Isa::SCALAR || factors.is_empty() {
        return portable::level_gradient(factors, w, gv);
    }
    for (i, f) in factors.iter().enumerate() {
        backward_on(isa, Use::from(*f), w, Grads { levels: Some(gv), ..Grads::default() }, i == 0);
    }
}

/// All gradients of one use that `wanted` names, in one entry into the pool.
///
/// # Panics
/// If a slice has another length.
pub fn backward(f: FactorPair<'_>, w: &PackedTensor, wanted: Grads<'_>) {
    backward_on(isa::current(), Use::from(f), w, wanted, true);
}

/// Gradient of a bias (rows), the sum of `dy (batch, rows)` over the batch.
///
/// # Panics
/// If `dy` has no whole rows.
pub fn bias_gradient(dy: &[f32], out: &mut [f32]) {
    assert!(dy.len().is_multiple_of(out.len().max(1)), "bias gradient: lengths");
    out.fill(0.0);
    for row in dy.chunks_exact(out.len().max(1)) {
        out.iter_mut().zip(row).for_each(|(o, d)| *o += d);
    }
}

/// Row tiles of a piece of the levels' gradient.
const LEVEL_TILES: usize = 96;

/// A use of a packed tensor; dx does not need `x`.
struct Use<'a> {
    x: Option<&'a [f32]>,
    dy: &'a [f32],
    batch: usize,
}

impl<'a> From<FactorPair<'a>> for Use<'a> {
    fn from(f: FactorPair<'a>) -> Use<'a> {
        Use { x: Some(f.x), dy: f.dy, batch: f.batch }
    }
}

/// With `fresh` the gradient of the levels is written, else added.
fn backward_on(isa: Isa, Use { x, dy, batch }: Use<'_>, w: &PackedTensor, wanted: Grads<'_>, fresh: bool) {
    let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
    let fits = |have: Option<&[f32]>, want: usize| have.is_none_or(|have| have.len() == want);
    assert!(
        dy.len() == batch * rows
            && fits(x, batch * cols)
            && fits(wanted.dx.as_deref(), batch * cols)
            && fits(wanted.levels.as_deref(), rows * blocks * 2)
            && fits(wanted.bias.as_deref(), rows),
        "packed backward: lengths"
    );
    if let Some(out) = wanted.bias {
        bias_gradient(dy, out);
    }
    let Some(set) = isa.vectors() else {
        if let Some(out) = wanted.dx {
            portable::dx(dy, batch, w, out);
        }
        if let (Some(out), Some(x)) = (wanted.levels, x) {
            portable::level_gradient(&[FactorPair { x, dy, batch }], w, out);
        }
        return;
    };
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    let Grads { mut dx, mut levels, .. } = wanted;
    // An empty batch too has a gradient of the levels: zeros.
    for first in (0..batch.max(1)).step_by(PART_SAMPLES) {
        let here = first..(first + PART_SAMPLES).min(batch);
        let (of_rows, of_cols) = (here.start * rows..here.end * rows, here.start * cols..here.end * cols);
        let dx = dx.as_deref_mut().map(|dx| &mut dx[of_cols.clone()]);
        let levels = levels.as_deref_mut().zip(x).map(|(levels, x)| (levels, &x[of_cols.clone()]));
        backward_part(set, &dy[of_rows], &view, dx, levels, fresh && first == 0);
    }
}

/// The gradients of some samples: that of the levels of `x` is added, or with `fresh` written.
fn backward_part(set: VectorIsa, dy: &[f32], view: &View<'_>, dx: Option<&mut [f32]>, levels: Option<(&mut [f32], &[f32])>, fresh: bool) {
    let (rows, cols, blocks) = (view.rows, view.cols, view.blocks);
    let batch = dy.len() / rows;
    let rest = Family::of_rest(set, batch % SAMPLES);
    let orders = match set {
        #[cfg(target_arch = "x86_64")]
        VectorIsa::Avx2 => DyOrder::Lanes(crate::kernel::x86::avx2::order),
        #[cfg(target_arch = "x86_64")]
        VectorIsa::Avx512 | VectorIsa::Amx => DyOrder::Rows,
        #[cfg(target_arch = "aarch64")]
        VectorIsa::Neon => DyOrder::Lanes(crate::kernel::arm::neon::order),
    };
    let mut ordered = scratch(DyTiles::len(batch, view, rest, orders));
    let shared = batch * rows * cols >= WORTH_SHARING;
    let each = |n: usize, task: &(dyn Fn(usize) + Sync)| if shared { parallel::for_each(n, task) } else { (0..n).for_each(task) };
    // SAFETY: the set is one of this machine's.
    let dy = unsafe { DyTiles::order(dy, view, (rest, orders), ordered.slice_mut(), each) };
    // Blocks of the levels' gradient lie side by side in a cache line: threads that begin with other parts of the list should have other
    // rows. Tiles of AMX are not cut.
    let part = match set {
        #[cfg(target_arch = "x86_64")]
        VectorIsa::Amx => view.row_tiles().max(1),
        #[cfg(target_arch = "x86_64")]
        VectorIsa::Avx2 | VectorIsa::Avx512 => LEVEL_TILES,
        #[cfg(target_arch = "aarch64")]
        VectorIsa::Neon => LEVEL_TILES,
    };
    let dx_pieces = if dx.is_some() { blocks } else { 0 };
    let level_pieces = if levels.is_some() { blocks * view.row_tiles().div_ceil(part) } else { 0 };
    // One list of pieces for both gradients: nobody waits in between.
    let dx = dx.map(|out| Shared::new(out, cols));
    let levels = levels.map(|(out, x)| (Shared::new(out, blocks * 2), x));
    each(dx_pieces + level_pieces, &|p| {
        let (j, first) = (p % blocks, p.saturating_sub(dx_pieces) / blocks * part);
        // SAFETY: `isa` is one of this machine's; every piece has a block column of its own of some rows of one of the outputs.
        unsafe {
            match (p < dx_pieces, dx, levels) {
                (true, Some(dx), _) => vector_kernel!(set, dx(Dx { dy, w: *view, j, dx })),
                (false, _, Some((gv, x))) => {
                    let (dy, gv) = (dy.tiles_after(first), gv.rows_after(first * TILE_ROWS));
                    let w = view.part(first..(first + part).min(view.row_tiles()));
                    vector_kernel!(set, level_gradient(LevelGradient { x, dy, w, j, gv, fresh }));
                }
                _ => {}
            }
        }
    });
}
