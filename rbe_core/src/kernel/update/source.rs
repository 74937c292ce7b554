//! The gradient of a weight, formed piece by piece: it is never stored as a whole.

use std::ops::Range;

use super::Precision;
use super::bounds::power_of_two;
use super::charge::RowGradient;
use super::int8::CHUNK_ROWS;
use super::rounded::{MOST_SAMPLES, Rounded, scale_rows};
use crate::Buffer;
use crate::isa::Isa;
use crate::kernel::dense::squares::sum_of_squares;
use crate::kernel::packed::portable::panel_gradient;
use crate::kernel::packed::row_panel::{PANEL_ROWS, rows_of};
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::{BITS, FactorPair, Magnitude, PackedGradient, PackedTensor};

/// Samples up to which a row of `G` is summed where it is used, in the first-level cache. Above, the dense product of a
/// row panel, which holds sums in registers, is faster.
const FEW_SAMPLES: usize = 8;
/// As [`FEW_SAMPLES`] where the alternative is int8.
const FEW_ROUNDED: usize = 2;

/// Blocks of a piece of integers, which takes 96 KB: larger pieces leave the second-level cache, and with smaller ones the runs of charges
/// in a row are too short for the hardware to prefetch.
const PIECE_BLOCKS: usize = 12;

/// How large `gradient` can be; measured where that is not known.
pub(crate) fn magnitude(gradient: &PackedGradient<'_>, w: &PackedTensor) -> Magnitude {
    let squares = |values: &[f32]| sum_of_squares(values).unwrap_or(0.0);
    let measured =
        || Magnitude::new(w, gradient.factors.iter().map(|f| [squares(f.x), squares(f.dy)]), gradient.folded.map_or(0.0, squares));
    gradient.magnitude.unwrap_or_else(measured)
}

/// A copy of a gradient, scaled.
pub(crate) struct Rescaled {
    uses: Vec<(Buffer, Buffer, usize)>, // x, dy, batch
    folded: Option<Buffer>,
}

impl Rescaled {
    /// A copy `scale` times as large, a power of two, of whose factors `x` has a length near 1.
    pub(crate) fn new(gradient: &PackedGradient<'_>, scale: f64) -> Rescaled {
        let copy = |values: &[f32], by: f64| {
            let mut out = scratch(values.len());
            // In double precision: the factor alone may be outside the range of single precision.
            out.slice_mut().iter_mut().zip(values).for_each(|(o, v): (&mut f32, _)| *o = (f64::from(*v) * by) as f32);
            out
        };
        let uses = gradient.factors.iter().map(|f| {
            let square = sum_of_squares(f.x).unwrap_or(0.0);
            let of_x = if square > 0.0 { power_of_two(1.0 / square.sqrt()) } else { 1.0 };
            (copy(f.x, of_x), copy(f.dy, scale / of_x), f.batch)
        });
        Rescaled { uses: memory::collect(uses), folded: gradient.folded.map(|g| copy(g, scale)) }
    }

    pub(crate) fn factors(&self) -> Vec<FactorPair<'_>> {
        memory::collect(self.uses.iter().map(|(x, dy, batch)| FactorPair { x: x.slice(), dy: dy.slice(), batch: *batch }))
    }

    pub(crate) fn folded(&self) -> Option<&[f32]> {
        self.folded.as_ref().map(Buffer::slice)
    }
}

/// The gradient of one step, ready to be formed piece by piece.
pub(crate) struct Source<'a> {
    pub(super) gradient: PackedGradient<'a>,
    isa: Isa,
    rounded: Option<Rounded>,
}

/// How much of `G` is formed at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// One row, by [`accumulate_row`].
    Row,
    /// Some blocks of a chunk of rows, in the first-level cache.
    Blocks(usize),
    /// All blocks of a row panel.
    RowPanel,
}

impl<'a> Source<'a> {
    pub(crate) fn new(isa: Isa, gradient: PackedGradient<'a>, w: &PackedTensor, precision: Precision, stream: u32) -> Source<'a> {
        let rounded = (precision == Precision::Int8 && (FEW_ROUNDED + 1..=MOST_SAMPLES).contains(&gradient.samples()))
            .then(|| Rounded::new(isa, gradient.factors, w, stream));
        Source { gradient, isa, rounded }
    }

    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    pub(super) fn piece(&self) -> Piece {
        match self.rounded {
            Some(_) => Piece::Blocks(PIECE_BLOCKS),
            None if self.gradient.folded.is_none() && self.gradient.samples() <= FEW_SAMPLES => Piece::Row,
            None => Piece::RowPanel,
        }
    }

    /// What `G` of row `n` is counted in.
    pub(super) fn unit(&self, n: usize) -> f32 {
        match &self.rounded {
            Some(rounded) if self.gradient.folded.is_none() => rounded.dy_scale(n),
            _ => 1.0,
        }
    }

    /// Rows from `first` on, a chunk of them where numbers are rounded, else those of a row panel, and the given blocks, all of them where
    /// numbers are not rounded, of `G (rows, blocks, 64)` over its units: 0 at unused bits. Rows beyond the tensor's have any value.
    /// If the scales of the columns are returned, `g` holds the bits of integers, to be multiplied by the scales.
    pub(super) fn fill(&self, w: &PackedTensor, first: usize, blocks: Range<usize>, g: &mut [f32]) -> Option<&[f32]> {
        let (width, columns) = (w.blocks() * BITS, blocks.start * BITS..blocks.end * BITS);
        match &self.rounded {
            Some(rounded) => {
                rounded.sums(self.isa, first, &columns, bytemuck::cast_slice_mut(g));
                let scale = &rounded.x_scale()[columns.clone()];
                if self.gradient.folded.is_none() {
                    return Some(scale);
                }
                scale_rows(self.isa, g, scale, |r| rounded.dy_scale(first + r));
            }
            None => {
                let panel = first / PANEL_ROWS;
                panel_gradient(self.gradient.factors, w, panel, &mut g[..rows_of(w, panel) * width]);
            }
        }
        if let Some(folded) = self.gradient.folded {
            for (g, row) in g.chunks_exact_mut(columns.len()).zip(folded[first * width..].chunks_exact(width)) {
                g.iter_mut().zip(&row[columns.clone()]).for_each(|(g, f)| *g += f);
            }
        }
        None
    }

    /// Row panel `s` of `G (rows of the panel, blocks * 64)` over its units, 0 at unused bits.
    pub(crate) fn panel(&self, w: &PackedTensor, s: usize, g: &mut [f32]) {
        if self.rounded.is_none() {
            self.fill(w, s * PANEL_ROWS, 0..w.blocks(), g);
            return;
        }
        let width = w.blocks() * BITS;
        let mut chunk = scratch(CHUNK_ROWS * width);
        for (i, g) in g.chunks_mut(CHUNK_ROWS * width).enumerate() {
            let chunk = chunk.slice_mut();
            if let Some(scale) = self.fill(w, s * PANEL_ROWS + i * CHUNK_ROWS, 0..w.blocks(), chunk) {
                scale_rows(self.isa, chunk, scale, |_| 1.0);
            }
            g.copy_from_slice(&chunk[..g.len()]);
        }
    }
}

/// `g`, in which [`Source::fill`] has left some rows of some columns, as `charge::Row` takes a row of it.
pub(super) fn row_of<'a>(g: &'a [f32], scale: Option<&'a [f32]>) -> RowGradient<'a> {
    match scale {
        Some(scale) => RowGradient::Integer(bytemuck::cast_slice(g), scale),
        None => RowGradient::Real(g),
    }
}

/// Row `n` of `Σ dyᵀ x` into `g`, whose numbers beyond the columns stay as they are.
#[inline(always)]
pub(in crate::kernel) fn accumulate_row(factors: &[FactorPair<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    let g = &mut g[..cols];
    let mut first = true;
    for f in factors {
        for (x, dy) in f.x.chunks_exact(cols).zip(f.dy.chunks_exact(rows)) {
            let d = dy[n];
            if first {
                g.iter_mut().zip(x).for_each(|(g, x)| *g = d * x);
            } else {
                g.iter_mut().zip(x).for_each(|(g, x)| *g = d.mul_add(*x, *g));
            }
            first = false;
        }
    }
    if first {
        g.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::packed::weight_gradient;
    use crate::random::Generator;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0f32; n];
        Generator::new(seed).stream().normal(&mut out);
        out
    }

    fn close(a: &[f32], b: &[f32], bound: f32) {
        assert_eq!(a.len(), b.len());
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1e-3 + b.abs())).fold(0.0, f32::max);
        assert!(worst <= bound, "{worst}");
    }

    #[test]
    fn rows_panels_and_folded_parts_are_the_same_gradient() {
        let (rows, cols) = (37, 130);
        let w = PackedTensor::random(&[rows, cols], None, Generator::new(1).stream()).unwrap();
        for batch in [1, 5, 40] {
            let (x, dy) = (normal(batch * cols, 7), normal(batch * rows, 8));
            let factors = [FactorPair { x: &x, dy: &dy, batch }];
            let mut g = vec![0.0; rows * w.blocks() * BITS];
            weight_gradient(&factors, &w, &mut g);
            let mut row = vec![0.0; w.blocks() * BITS];
            for n in 0..rows {
                accumulate_row(&factors, rows, cols, n, &mut row);
                close(&row, &g[n * row.len()..(n + 1) * row.len()], 1e-4);
            }
            let twice = PackedGradient { factors: &factors, folded: Some(&g), magnitude: None };
            for (precision, bound) in [(Precision::Exact, 1e-5), (Precision::Int8, 0.3)] {
                let mut sum = vec![0.0; 37 * w.blocks() * BITS];
                Source::new(crate::isa::current(), twice, &w, precision, 3).panel(&w, 0, &mut sum);
                let error: f32 = sum.iter().zip(&g).map(|(s, g)| (s - 2.0 * g).powi(2)).sum();
                let size: f32 = g.iter().map(|g| 4.0 * g * g).sum();
                assert!((error / size).sqrt() <= bound * 0.1, "{precision:?} {batch}: {}", (error / size).sqrt());
            }
        }
    }
}
