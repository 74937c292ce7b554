//! The weight cotangent of a step, strip by strip or row by row: it is never stored as a whole.

use super::rounded::{CHUNK_ROWS, MOST_SAMPLES, Rounded};
use crate::error::{RbeError, Result};
use crate::kernel::dense::strip_gradient;
use crate::kernel::isa::Isa;
use crate::kernel::packed::{Factor, level_gradient};
use crate::kernel::scalar;
use crate::kernel::strip::{STRIP_ROWS, rows_of};
use crate::packed::{BITS, PackedTensor};

/// Samples up to which a row of `G` is summed where it is used, in the first-level cache. Above, the dense product of a
/// strip, which holds sums in registers, is faster.
const FEW_SAMPLES: usize = 8;
/// As [`FEW_SAMPLES`] where the alternative are whole numbers.
const FEW_ROUNDED: usize = 2;

/// In which numbers the evidence for the charges is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Single precision.
    Exact,
    /// 8 bits, rounded stochastically without bias; sums are exact. Networks train as well with them (design/results.md).
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

/// `G = Σ dyᵀ x + folded`.
#[derive(Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// Uses of the tensor.
    pub factors: &'a [Factor<'a>],
    /// (rows, blocks, 64): uses that are no longer held as factors.
    pub folded: Option<&'a [f32]>,
    /// Gradient of the levels (rows, blocks, 2), where backward computed it already.
    pub levels: Option<&'a [f32]>,
}

impl Evidence<'_> {
    pub(super) fn check(&self, w: &PackedTensor) {
        let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
        let factors = self.factors.iter().all(|f| f.x.len() == f.batch * cols && f.dy.len() == f.batch * rows);
        let folded = self.folded.is_none_or(|g| g.len() == rows * blocks * BITS);
        assert!(factors && folded && self.levels.is_none_or(|l| l.len() == rows * blocks * 2), "packed step: lengths");
    }

    fn samples(&self) -> usize {
        self.factors.iter().map(|f| f.batch).sum()
    }

    /// Gradient of the levels (rows, blocks, 2), from `G` in single precision.
    fn level_gradient(&self, w: &PackedTensor) -> Vec<f32> {
        let mut out = vec![0.0; w.rows() * w.blocks() * 2];
        level_gradient(self.factors, w, &mut out);
        if let Some(folded) = self.folded {
            scalar::level_gradient(folded, &w.hi(), &mut out);
        }
        out
    }
}

/// The evidence of one step, made ready.
pub(super) struct Source<'a> {
    pub evidence: Evidence<'a>,
    isa: Isa,
    rounded: Option<Rounded>,
    own: Option<Vec<f32>>, // gradient of the levels, which is not taken from rounded numbers
}

impl<'a> Source<'a> {
    pub(super) fn new(isa: Isa, evidence: Evidence<'a>, w: &PackedTensor, precision: Precision, stream: u32) -> Source<'a> {
        let samples = evidence.samples();
        let rounded = (precision == Precision::Int8 && (FEW_ROUNDED + 1..=MOST_SAMPLES).contains(&samples))
            .then(|| Rounded::new(isa, evidence.factors, w, stream));
        let own = (rounded.is_some() && evidence.levels.is_none()).then(|| evidence.level_gradient(w));
        Source { evidence, isa, rounded, own }
    }

    /// Gradient of the levels (rows, blocks, 2) where it is known; else it follows from `G`.
    pub(super) fn levels(&self) -> Option<&[f32]> {
        self.evidence.levels.or(self.own.as_deref())
    }

    /// Rows that [`Source::rows`] gives at once; 1 where [`accumulate_row`] is to be used instead.
    pub(super) fn chunk(&self) -> usize {
        match self.rounded {
            Some(_) => CHUNK_ROWS,
            None if self.evidence.folded.is_none() && self.evidence.samples() <= FEW_SAMPLES => 1,
            None => STRIP_ROWS,
        }
    }

    /// Chunk `c` of `G` (rows of a chunk, blocks * 64), 0 at unused bits; rows beyond the tensor's have any value.
    pub(super) fn rows(&self, w: &PackedTensor, c: usize, g: &mut [f32]) {
        let width = w.blocks() * BITS;
        let first = match &self.rounded {
            Some(rounded) => {
                rounded.rows(self.isa, c * CHUNK_ROWS, g);
                c * CHUNK_ROWS
            }
            None => {
                strip_gradient(self.evidence.factors, w, c, &mut g[..rows_of(w, c) * width]);
                c * STRIP_ROWS
            }
        };
        if let Some(folded) = self.evidence.folded {
            g.iter_mut().zip(&folded[first * width..]).for_each(|(g, f)| *g += f);
        }
    }

    /// Strip `s` of `G` (rows of the strip, blocks * 64), 0 at unused bits.
    pub(super) fn strip(&self, w: &PackedTensor, s: usize, g: &mut [f32]) {
        let chunk = self.chunk().clamp(CHUNK_ROWS, STRIP_ROWS) * w.blocks() * BITS;
        if self.rounded.is_none() {
            return self.rows(w, s, g);
        }
        let mut whole = crate::kernel::strip::scratch(chunk);
        for (i, g) in g.chunks_mut(chunk).enumerate() {
            self.rows(w, s * (STRIP_ROWS / CHUNK_ROWS) + i, whole.slice_mut());
            g.copy_from_slice(&whole.slice()[..g.len()]);
        }
    }
}

/// Row `n` of `Σ dyᵀ x` into `g`, whose numbers beyond the columns stay as they are.
#[inline(always)]
pub(in super::super) fn accumulate_row(factors: &[Factor<'_>], rows: usize, cols: usize, n: usize, g: &mut [f32]) {
    let g = &mut g[..cols];
    g.fill(0.0);
    for f in factors {
        for (x, dy) in f.x.chunks_exact(cols).zip(f.dy.chunks_exact(rows)) {
            let d = dy[n];
            g.iter_mut().zip(x).for_each(|(g, x)| *g = d.mul_add(*x, *g));
        }
    }
}
