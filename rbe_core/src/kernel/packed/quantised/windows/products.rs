//! Products of windows: the driver that owns the bounds. The work is small pieces of a convolution, which shares them out.

use super::operands::{DOT_ROWS, DotOfWindows, DxOfWindows, ForwardOfWindows, STEP, WindowRows, ZERO, check_starts};
use super::order::{Ordered, order};
use super::round::round_row;
use super::{dx, gradient};
use crate::Buffer;
use crate::isa::{self, Isa};
use crate::kernel::dispatch::vector_kernel;
use crate::kernel::noise::hash;
use crate::kernel::packed::quantised::dx::{Panel, prepare};
use crate::kernel::packed::quantised::operands::{PANEL_ROWS, ShortDy};
use crate::kernel::packed::quantised::short_lanes::Portable;
use crate::kernel::packed::view::View;
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::PackedTensor;

/// Positions whose products are summed in 32 bits.
const PART: usize = 1 << 16;
const _: () = assert!(PART.is_multiple_of(STEP) && PART as u64 * 128 * 127 <= i32::MAX as u64);

/// `y (rows, positions) = W x + bias (rows)` for windows `x` with a scale for every position. The same bits on every instruction set.
///
/// # Panics
/// If a slice has another length.
pub fn forward(x: WindowRows<'_>, scales: &[f32], w: &PackedTensor, bias: Option<&[f32]>, y: &mut [f32]) {
    let fit = scales.len() == x.positions && y.len() == w.rows() * x.positions && bias.is_none_or(|b| b.len() == w.rows());
    assert!(fit, "windows forward: lengths");
    x.check(w.cols());
    let tiles = w.tiles();
    let f = ForwardOfWindows { x, scales, w: View::new(w, &tiles), bias, y };
    match isa::current().vectors() {
        // SAFETY: the set is one of this machine's.
        Some(set) => unsafe { vector_kernel!(set, forward_of_windows(f)) },
        None => {
            let (mut f, all) = (f, 0..x.positions);
            super::forward::forward::<_, { Portable::LANES }>(Portable, &mut f, all);
        }
    }
}

/// Filters made ready for [`DxFilters::dx`], once for all images.
pub struct DxFilters {
    isa: Isa,
    rows: usize,
    panels: Buffer, // (blocks, panels)
    units: Vec<f32>,
}

impl DxFilters {
    /// Makes filters ready.
    pub fn new(w: &PackedTensor) -> DxFilters {
        let isa = isa::current();
        let tiles = w.tiles();
        let view = View::new(w, &tiles);
        let of_block = w.rows().div_ceil(PANEL_ROWS);
        let mut panels = Buffer::dirty(w.blocks() * of_block * size_of::<Panel>());
        let mut units = memory::zeros(w.blocks());
        for ((j, panels), unit) in panels.slice_mut::<Panel>().chunks_exact_mut(of_block).enumerate().zip(&mut units) {
            *unit = match isa.vectors() {
                // SAFETY: the set is one of this machine's.
                Some(set) => unsafe { vector_kernel!(set, prepare_dx(&view, j, panels)) },
                None => prepare(Portable, &view, j, panels),
            };
        }
        DxFilters { isa, rows: w.rows(), panels, units }
    }

    /// Adds `dy Wᵀ` for `dy (rows, positions)` to the rows of windows `dx`: column k to `dx[starts[k]..]`, see [`WindowRows`]. Products are
    /// rounded as those of [`dx`](crate::kernel::packed::quantised::dx) with the positions for samples, the first with the number `first`.
    /// The same bits on every instruction set.
    ///
    /// # Panics
    /// If a slice has another length, or there is no position.
    pub fn dx(&self, dy: &[f32], first: u32, starts: &[usize], dx: &mut [f32]) {
        assert!(!dy.is_empty() && dy.len().is_multiple_of(self.rows), "windows dx: lengths");
        let positions = dy.len() / self.rows;
        assert!(starts.len().div_ceil(crate::packed::BITS) == self.units.len(), "windows dx: columns");
        check_starts(starts, positions, dx.len());
        let (padded, all) = (self.rows.next_multiple_of(PANEL_ROWS), positions.next_multiple_of(STEP));
        let (mut values, mut noise) = (Buffer::dirty(padded * all * size_of::<i16>()), Buffer::dirty(padded * all));
        let mut scales = scratch(all);
        let lanes = match self.isa.vectors() {
            Some(set) => vector_kernel!(set, lanes_of_windows()),
            None => Portable::LANES,
        };
        order(dy, positions, first, Ordered { lanes, values: values.slice_mut(), noise: noise.bytes_mut(), scales: scales.slice_mut() });
        let dy = ShortDy { values: values.slice(), noise: noise.bytes(), scales: scales.slice() };
        let task = DxOfWindows { dy, panels: self.panels.slice(), units: &self.units, starts, dx };
        match self.isa.vectors() {
            // SAFETY: the set is one of this machine's.
            Some(set) => unsafe { vector_kernel!(set, dx_of_windows(task)) },
            None => dx::dx(Portable, task),
        }
    }
}

/// Rows of the gradient that [`weight_gradient`] adds to, for `rows` filters.
pub fn padded_rows(rows: usize) -> usize {
    rows.next_multiple_of(DOT_ROWS)
}

/// Adds the gradient of the filters to `g (columns, padded_rows)`: `Σ_p (scales[p] dy[p]) x[p]` for `dy (rows, positions)`, where the products
/// in brackets are rounded stochastically to int8 with a scale for each row. The noise follows from the numbers and from `seed`. The same
/// bits on every instruction set.
///
/// # Panics
/// If a slice has another length, or there is no position.
pub fn weight_gradient(x: WindowRows<'_>, scales: &[f32], dy: &[f32], seed: u32, g: &mut [f32]) {
    let positions = x.positions;
    assert!(positions > 0 && scales.len() == positions && dy.len().is_multiple_of(positions), "windows gradient: lengths");
    let rows = padded_rows(dy.len() / positions);
    assert!(g.len() == x.starts.len() * rows, "windows gradient: lengths");
    x.check(x.starts.len());
    let all = positions.next_multiple_of(STEP);
    let words = all / 4;
    let (mut dy_words, mut row, mut sums) = (scratch(words * rows), Buffer::dirty(all), scratch(g.len()));
    let (dy_words, row): (&mut [u32], &mut [i8]) = (dy_words.slice_mut(), row.slice_mut());
    let parts = all.div_ceil(PART);
    let (mut factors, mut excess) = (memory::zeros::<f32>(rows), memory::zeros::<i32>(parts * rows));
    dy_words.fill(0);
    for (n, dy) in dy.chunks_exact(positions).enumerate() {
        factors[n] = round_row(dy, scales, hash(n as u32, seed), row);
        for (part, row) in row.chunks(PART).enumerate() {
            excess[part * rows + n] = i32::from(ZERO) * row.iter().map(|v| i32::from(*v)).sum::<i32>();
        }
        for (to, word) in dy_words[n..].iter_mut().step_by(rows).zip(row.as_chunks::<4>().0) {
            *to = u32::from_le_bytes(word.map(i8::cast_unsigned));
        }
    }
    for (part, dy) in dy_words.chunks(PART / 4 * rows).enumerate() {
        let task = DotOfWindows { x, from: part * PART, dy, excess: &excess[part * rows..][..rows] };
        let sums: &mut [i32] = sums.slice_mut();
        match isa::current().vectors() {
            // SAFETY: the set is one of this machine's.
            Some(set) => unsafe { vector_kernel!(set, dot_of_windows(&task, sums)) },
            None => gradient::dot(&task, sums),
        }
        gradient::add_scaled(sums, &factors, g);
    }
}
