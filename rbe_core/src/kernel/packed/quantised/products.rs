//! Products with int8 inputs: the driver that cuts the work and owns the bounds.

use super::operands::{MOST_DY, Method, OrderDy, PANEL_ROWS, Product, QuantisedDx, QuantisedForward, ShortDy};
use super::quantise::{largest_of, quantise, scale_of};
use super::short_lanes::Portable;
use super::{order_dy, subset_sums};
use crate::Buffer;
use crate::isa::{self, Isa};
use crate::kernel::dispatch::vector_kernel;
use crate::kernel::noise::hash;
use crate::kernel::packed::products::{Pieces, WITH_TABLES, WORTH_SHARING, pieces};
use crate::kernel::packed::view::View;
use crate::kernel::shared::Shared;
use crate::packed::{PackedTensor, Quantised};
use crate::{memory, parallel};

/// `y (batch, rows) = x (batch, cols) Wᵀ + bias (rows)`. The same bits on every instruction set and for any number of threads.
///
/// # Panics
/// If a slice has another length.
pub fn forward(x: Quantised<'_>, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    forward_by(Method::Fastest, x, w, bias, y);
}

/// The same for `x (batch, cols)` that is rounded here: `quantise` and [`forward`].
///
/// # Panics
/// If a slice has another length.
pub fn round_and_forward(x: &[f32], batch: usize, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let (mut values, mut scales) = (Buffer::dirty(x.len()), Buffer::dirty(batch * size_of::<f32>()));
    quantise(x, bytemuck::cast_slice_mut(values.bytes_mut()), scales.slice_mut());
    let values = bytemuck::cast_slice(values.bytes());
    forward(Quantised { values, scales: scales.slice() }, w, bias, y);
}

/// [`forward`] by kernels that the caller chooses, for tests and measurements.
#[doc(hidden)]
pub fn forward_by(method: Method, x: Quantised<'_>, w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let isa = isa::current();
    let (rows, cols, batch) = (w.rows(), w.cols(), x.batch());
    let fit = x.values.len() == batch * cols && y.len() == batch * rows && bias.is_none_or(|b| b.len() == rows);
    assert!(fit, "packed forward: lengths");
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    let y = Shared::new(y, rows);
    let dots = dots_at_once(isa, method, Product::Forward, &view, batch);
    let fewest = dots.map_or(WITH_TABLES, |samples| Pieces { samples, tiles: WITH_DOTS });
    let (Pieces { samples, tiles: per }, dots) = (pieces(batch, &view, &fewest), dots.is_some());
    let (across, down) = (view.row_tiles().div_ceil(per), batch.div_ceil(samples));
    parallel::for_each(across * down, |p| {
        let (first, r) = (p / across * samples, p % across * per);
        let x = x.rows(first..(first + samples).min(batch));
        let f = QuantisedForward { x, first, w: view, tiles: r..(r + per).min(view.row_tiles()), bias, y, dots };
        match isa.vectors() {
            // SAFETY: `isa` is one of this machine's; every piece has rows and samples of its own.
            Some(set) => unsafe { vector_kernel!(set, forward_quantised(f)) },
            // SAFETY: as above.
            None => unsafe { subset_sums::forward(Portable, f) },
        }
    });
}

/// Numbers of the upstream gradient whose products are computed at once: ordered, in three bytes each, they stay in the second-level cache.
const PART: usize = 1 << 18;
/// Samples whose products are computed at once are a multiple of this.
const PART_SAMPLES: usize = 64;
/// Samples up to which they are computed one by one in plain Rust.
const FEW: usize = 3;
/// Panels that one task orders.
const ORDERED_AT_ONCE: usize = 8;
/// Samples that one task orders, if they are not in lanes.
const SAMPLES_AT_ONCE: usize = 8;
/// The fewest row tiles of a piece of the forward product by dot products of bytes.
const WITH_DOTS: usize = 4;

/// If dot products of bytes compute the product: the samples for which they make use of a tile's bits, once those are bytes.
fn dots_at_once(isa: Isa, method: Method, product: Product, w: &View<'_>, samples: usize) -> Option<usize> {
    isa.vectors().and_then(|set| vector_kernel!(set, dots_at_once(method, product, w, samples)))
}

/// `dx (batch, cols) = dy (batch, rows) W`, with the products rounded stochastically to int8 as in design/int8.md: the mean over the noise
/// is the product of `dy` as 16-bit integers. The noise follows from `dy`. The same bits on every instruction set and for any number of
/// threads.
///
/// # Panics
/// If a slice has another length.
pub fn dx(dy: &[f32], batch: usize, w: &PackedTensor, dx: &mut [f32]) {
    dx_by(Method::Fastest, dy, batch, w, dx);
}

/// [`dx`] by kernels that the caller chooses, for tests and measurements.
#[doc(hidden)]
pub fn dx_by(method: Method, dy: &[f32], batch: usize, w: &PackedTensor, dx: &mut [f32]) {
    let isa = isa::current();
    let (rows, cols) = (w.rows(), w.cols());
    assert!(dy.len() == batch * rows && dx.len() == batch * cols, "packed dx: lengths");
    let tiles = w.tiles();
    let view = View::new(w, &tiles);
    let shared = batch * rows * cols >= WORTH_SHARING;
    let each = |n: usize, task: &(dyn Fn(usize) + Sync)| if shared { parallel::for_each(n, task) } else { (0..n).for_each(task) };
    let part = (PART / rows / PART_SAMPLES).max(1) * PART_SAMPLES;
    for first in (0..batch).step_by(part) {
        let here = part.min(batch - first);
        let (dy, dx) = (&dy[first * rows..][..here * rows], &mut dx[first * cols..][..here * cols]);
        let dots = dots_at_once(isa, method, Product::Dx, &view, here).is_some();
        part_dx((isa, dots), (dy, first), &view, dx, each);
    }
}

/// `dx` of some samples, from sample `first` of the batch on.
fn part_dx(
    (isa, dots): (Isa, bool),
    (dy, first): (&[f32], usize),
    w: &View<'_>,
    dx: &mut [f32],
    each: impl Fn(usize, &(dyn Fn(usize) + Sync)),
) {
    let samples = dy.len() / w.rows;
    let lanes = match isa.vectors() {
        Some(_) if dots => 1,
        Some(set) => vector_kernel!(set, lanes_quantised(samples)),
        None if samples <= FEW => 1,
        None => Portable::LANES,
    };
    let panels = w.rows.div_ceil(PANEL_ROWS);
    let most = memory::collect(dy.chunks_exact(w.rows).map(largest_of));
    let (mut scales, mut inverse, mut seeds) = (memory::zeros(samples), memory::zeros(samples), memory::zeros(samples));
    for b in 0..samples {
        (scales[b], inverse[b]) = scale_of(most[b], MOST_DY);
        seeds[b] = hash(most[b].to_bits(), (first + b) as u32);
    }
    let (chunks, of_chunk) = (samples.div_ceil(lanes), panels * PANEL_ROWS * lanes);
    let (mut values, mut noise) = (Buffer::dirty(chunks * of_chunk * size_of::<i16>()), Buffer::dirty(chunks * of_chunk));
    {
        let (values, noise) = (Shared::whole(values.slice_mut::<i16>()), Shared::whole(noise.slice_mut::<u8>()));
        let (at_once, cut) = if lanes == 1 { (SAMPLES_AT_ONCE, panels) } else { (1, ORDERED_AT_ONCE) };
        let cuts = panels.div_ceil(cut);
        each(chunks.div_ceil(at_once) * cuts, &|p| {
            let (c, from) = (p / cuts * at_once, p % cuts * cut);
            let here = at_once.min(chunks - c);
            let of = c * lanes..((c + here) * lanes).min(samples);
            let panels = from..(from + cut).min(panels);
            let (start, len) = (c * of_chunk + from * PANEL_ROWS * lanes, here * panels.len() * PANEL_ROWS * lanes);
            // SAFETY: every task has a part of its own.
            let (values, noise) = unsafe { (values.part(0, start, len), noise.part(0, start, len)) };
            let dy = &dy[of.start * w.rows..of.end * w.rows];
            let task = OrderDy { dy, rows: w.rows, inverse: &inverse[of.clone()], seeds: &seeds[of], panels, values, noise };
            match isa.vectors() {
                // SAFETY: the set is one of this machine's.
                Some(set) => unsafe { vector_kernel!(set, order_quantised(lanes, task)) },
                None if lanes == 1 => order_dy::order_one(task),
                None => order_dy::order::<{ Portable::LANES }>(task),
            }
        });
    }
    let dy = ShortDy { values: values.slice(), noise: noise.slice(), scales: &scales };
    let dx = Shared::new(dx, w.cols);
    each(w.blocks, &|j| {
        let task = QuantisedDx { dy, w: *w, j, dx, dots };
        match isa.vectors() {
            // SAFETY: as above; every task has a block column of its own.
            Some(set) => unsafe { vector_kernel!(set, dx_quantised(lanes, task)) },
            // SAFETY: as above.
            None if lanes == 1 => unsafe { super::dx_few::dx(Portable, Portable, task) },
            // SAFETY: as above.
            None => unsafe { super::dx::dx(Portable, task) },
        }
    });
}
