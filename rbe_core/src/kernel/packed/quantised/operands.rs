//! What the kernels of one product of int8 inputs take, whatever the instruction set.

use std::ops::Range;

use crate::kernel::packed::view::View;
use crate::kernel::shared::Shared;
use crate::packed::{Quantised, TILE_ROWS};

/// Which kernels compute a product. The results are the same, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The fastest for these sizes on the processors that were measured.
    Fastest,
    /// Not those by dot products of bytes for many samples.
    Tables,
    /// Those by dot products of bytes for many samples, where the processor has them.
    Dots,
}

/// A product, of which the instruction sets say by which kernels they compute it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) enum Product {
    Forward,
    Dx,
}

/// Rows `tiles` of `y (batch, rows)` for the inputs `x (samples, cols)`, the samples from `first` on. Nobody else may touch these elements
/// of `y`.
///
/// `y = scale · (Σ_j v0 T_j + (v1 - v0) S_j) + bias`, with the sums T of block j's inputs and S of those at set bits: multiply-adds in the
/// order of the blocks, from 0 on, first that of v0. Every instruction set and any cut of rows and samples gives the same bits.
#[derive(Clone)]
pub(in crate::kernel) struct QuantisedForward<'a> {
    pub x: Quantised<'a>,
    pub first: usize,
    pub w: View<'a>,
    pub tiles: Range<usize>,
    pub bias: Option<&'a [f32]>,
    pub y: Shared<'a, f32>,
    /// Whether kernels by dot products of bytes are to compute it; see [`Method`].
    pub dots: bool,
}

impl QuantisedForward<'_> {
    /// Number of samples.
    pub(in crate::kernel) fn samples(&self) -> usize {
        self.x.batch()
    }

    /// The same for some of the samples.
    pub(in crate::kernel) fn of(&self, samples: Range<usize>) -> Self {
        Self { first: self.first + samples.start, x: self.x.rows(samples), ..self.clone() }
    }
}

/// The upstream gradient as the backward kernels read it: 16-bit integers with samples in lanes, cut into chunks of `N` samples, those into
/// panels of [`PANEL_ROWS`] rows. `dy[b, n] = scales[b] · values`, zero beyond the last row and sample.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct ShortDy<'a> {
    /// (chunks, panels, rows of the panel, N)
    pub values: &'a [i16],
    /// Random bytes for the rounding of products with a value, of the same shape.
    pub noise: &'a [u8],
    /// (samples). NaN for a sample with a number that is not finite.
    pub scales: &'a [f32],
}

/// Rows of a panel: those whose tables the first-level cache holds.
pub(in crate::kernel) const PANEL_ROWS: usize = 4 * TILE_ROWS;

/// Largest magnitude of [`ShortDy::values`]: with a byte of noise a product with a level stays inside 16 bits.
pub(in crate::kernel) const MOST_DY: f32 = 32512.0;

/// One chunk of [`ShortDy`] to be made: some of its panels. With one sample in lanes, some chunks with all their panels.
pub(in crate::kernel) struct OrderDy<'a> {
    /// (samples, rows), up to `N` samples if `N` is not 1
    pub dy: &'a [f32],
    pub rows: usize,
    /// What each sample is multiplied by; 0 where its scale is not finite.
    pub inverse: &'a [f32],
    /// Seeds of the samples' noise.
    pub seeds: &'a [u32],
    pub panels: Range<usize>,
    /// (panels, rows of the panel, N)
    pub values: &'a mut [i16],
    pub noise: &'a mut [u8],
}

/// Columns of block `j` of `dx (samples, cols)`, for some chunks of the samples. Nobody else may touch them.
///
/// `dx = scale · unit · Σ_n w`, where `w = floor((dy q / 2^15 + noise) / 256)` with the level q of the bit as a 16-bit fraction of the block
/// column's largest: the rounding to int8 is stochastic, and sums of integers are exact. Every instruction set and any cut of samples gives
/// the same bits.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct QuantisedDx<'a> {
    pub dy: ShortDy<'a>,
    pub w: View<'a>,
    pub j: usize,
    pub dx: Shared<'a, f32>,
    /// As in [`QuantisedForward`].
    pub dots: bool,
}
