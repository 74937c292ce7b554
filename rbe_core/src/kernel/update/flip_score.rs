//! The weight cotangent of a step, strip by strip or row by row: it is never stored as a whole.

use std::ops::Range;

use super::charge::Cotangents;
use super::guard::power_of_two;
use super::magnitude::{Magnitude, sum_of_squares};
use super::rounded::{CHUNK_ROWS, MOST_SAMPLES, Rounded, scale_rows};
use crate::Buffer;
use crate::error::{RbeError, Result};
use crate::isa::Isa;
use crate::kernel::packed::portable::panel_gradient;
use crate::kernel::packed::row_panel::{PANEL_ROWS, rows_of};
use crate::kernel::scratch::scratch;
use crate::memory;
use crate::packed::FactorPair;
use crate::packed::{BITS, PackedTensor};

/// Samples up to which a row of `G` is summed where it is used, in the first-level cache. Above, the dense product of a
/// strip, which holds sums in registers, is faster.
const FEW_SAMPLES: usize = 8;
/// As [`FEW_SAMPLES`] where the alternative are whole numbers.
const FEW_ROUNDED: usize = 2;

/// Blocks of a piece of whole numbers, which is 96 KB large: larger pieces leave the second-level cache, and of smaller ones the charges,
/// row by row, come from memory in bits too short to be foreseen.
const PIECE_BLOCKS: usize = 12;

/// In which numbers the evidence for the charges is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Single precision.
    Exact,
    /// Whole numbers of at most 8 bits, rounded stochastically without bias; sums are exact. Networks train as well with them (design/results.md).
    #[default]
    Int8,
}

impl Precision {
    /// The precision of a name: "exact" or "int8".
    ///
    /// # Errors
    /// `Value` for another name.
    pub fn named(name: &str) -> Result<Precision> {
        match name {
            "exact" => Ok(Precision::Exact),
            "int8" => Ok(Precision::Int8),
            other => Err(RbeError::value("HybridOptimizer", "evidence \"exact\" or \"int8\"", format!("{other:?}"))),
        }
    }
}

/// `G = Σ dyᵀ x + folded`; all numbers are finite.
#[derive(Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// Uses of the tensor.
    pub factors: &'a [FactorPair<'a>],
    /// (rows, blocks, 64): uses that are no longer held as factors.
    pub folded: Option<&'a [f32]>,
    /// How large `G` can be; measured where it is not given.
    pub magnitude: Option<Magnitude>,
}

impl Evidence<'_> {
    pub(super) fn check(&self, w: &PackedTensor) {
        let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
        let factors = self.factors.iter().all(|f| f.x.len() == f.batch * cols && f.dy.len() == f.batch * rows);
        let folded = self.folded.is_none_or(|g| g.len() == rows * blocks * BITS);
        assert!(factors && folded, "packed step: lengths");
    }

    fn samples(&self) -> usize {
        self.factors.iter().map(|f| f.batch).sum()
    }

    pub(super) fn magnitude(&self, w: &PackedTensor) -> Magnitude {
        let squares = |values: &[f32]| sum_of_squares(values).unwrap_or(0.0);
        let measured = || Magnitude::new(w, self.factors.iter().map(|f| [squares(f.x), squares(f.dy)]), self.folded.map_or(0.0, squares));
        self.magnitude.unwrap_or_else(measured)
    }

    /// Copies of which `G` is `scale` times as large, a power of two, and whose `x` have a length near 1.
    pub(super) fn rescaled(&self, scale: f64) -> Rescaled {
        let copy = |values: &[f32], by: f64| {
            let mut out = scratch(values.len());
            // In double precision: the factor alone may be outside the range of single precision.
            out.slice_mut().iter_mut().zip(values).for_each(|(o, v): (&mut f32, _)| *o = (f64::from(*v) * by) as f32);
            out
        };
        let uses = self.factors.iter().map(|f| {
            let square = sum_of_squares(f.x).unwrap_or(0.0);
            let of_x = if square > 0.0 { power_of_two(1.0 / square.sqrt()) } else { 1.0 };
            (copy(f.x, of_x), copy(f.dy, scale / of_x), f.batch)
        });
        Rescaled { uses: memory::collect(uses), folded: self.folded.map(|g| copy(g, scale)) }
    }
}

/// Factors and folded part of [`Evidence::rescaled`].
pub(super) struct Rescaled {
    uses: Vec<(Buffer, Buffer, usize)>, // x, dy, batch
    folded: Option<Buffer>,
}

impl Rescaled {
    pub(super) fn factors(&self) -> Vec<FactorPair<'_>> {
        memory::collect(self.uses.iter().map(|(x, dy, batch)| FactorPair { x: x.slice(), dy: dy.slice(), batch: *batch }))
    }

    pub(super) fn folded(&self) -> Option<&[f32]> {
        self.folded.as_ref().map(Buffer::slice)
    }
}

/// The evidence of one step, made ready.
pub(super) struct Source<'a> {
    pub evidence: Evidence<'a>,
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
    /// All blocks of a strip.
    Strip,
}

impl<'a> Source<'a> {
    pub(super) fn new(isa: Isa, evidence: Evidence<'a>, w: &PackedTensor, precision: Precision, stream: u32) -> Source<'a> {
        let rounded = (precision == Precision::Int8 && (FEW_ROUNDED + 1..=MOST_SAMPLES).contains(&evidence.samples()))
            .then(|| Rounded::new(isa, evidence.factors, w, stream));
        Source { evidence, isa, rounded }
    }

    pub(super) fn piece(&self) -> Piece {
        match self.rounded {
            Some(_) => Piece::Blocks(PIECE_BLOCKS),
            None if self.evidence.folded.is_none() && self.evidence.samples() <= FEW_SAMPLES => Piece::Row,
            None => Piece::Strip,
        }
    }

    /// What `G` of row `n` is counted in.
    pub(super) fn unit(&self, n: usize) -> f32 {
        match &self.rounded {
            Some(rounded) if self.evidence.folded.is_none() => rounded.dy_scale(n),
            _ => 1.0,
        }
    }

    /// Rows from `first` on, a chunk of them where numbers are rounded, else those of a strip, and the given blocks, all of them where
    /// numbers are not rounded, of `G (rows, blocks, 64)` over its units: 0 at unused bits. Rows beyond the tensor's have any value.
    /// If the scales of the columns are returned, `g` has the bits of whole numbers, which they are to be multiplied by.
    pub(super) fn fill(&self, w: &PackedTensor, first: usize, blocks: Range<usize>, g: &mut [f32]) -> Option<&[f32]> {
        let (width, columns) = (w.blocks() * BITS, blocks.start * BITS..blocks.end * BITS);
        match &self.rounded {
            Some(rounded) => {
                rounded.sums(self.isa, first, &columns, bytemuck::cast_slice_mut(g));
                let scale = &rounded.x_scale()[columns.clone()];
                if self.evidence.folded.is_none() {
                    return Some(scale);
                }
                scale_rows(self.isa, g, scale, |r| rounded.dy_scale(first + r));
            }
            None => {
                let strip = first / PANEL_ROWS;
                panel_gradient(self.evidence.factors, w, strip, &mut g[..rows_of(w, strip) * width]);
            }
        }
        if let Some(folded) = self.evidence.folded {
            for (g, row) in g.chunks_exact_mut(columns.len()).zip(folded[first * width..].chunks_exact(width)) {
                g.iter_mut().zip(&row[columns.clone()]).for_each(|(g, f)| *g += f);
            }
        }
        None
    }

    /// Strip `s` of `G (rows of the strip, blocks * 64)` over its units, 0 at unused bits.
    pub(super) fn strip(&self, w: &PackedTensor, s: usize, g: &mut [f32]) {
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
pub(super) fn row_of<'a>(g: &'a [f32], scale: Option<&'a [f32]>) -> Cotangents<'a> {
    match scale {
        Some(scale) => Cotangents::Whole(bytemuck::cast_slice(g), scale),
        None => Cotangents::Real(g),
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
