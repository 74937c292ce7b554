//! The gradient of a packed weight as the factors that it is the product of.

use super::block::BITS;
use super::tensor::PackedTensor;

/// One use of a packed tensor: `x (batch, cols)` went in, `dy (batch, rows)` came back. Its gradient is the sum of `dyᵀ x` over all uses.
#[derive(Clone, Copy)]
pub struct FactorPair<'a> {
    /// (batch, cols)
    pub x: &'a [f32],
    /// (batch, rows)
    pub dy: &'a [f32],
    /// Rows of both.
    pub batch: usize,
}

/// Gradient `G = Σ dyᵀ x + folded` of a packed weight; all numbers are finite.
#[derive(Clone, Copy, Default)]
pub struct PackedGradient<'a> {
    /// Uses of the tensor.
    pub factors: &'a [FactorPair<'a>],
    /// (rows, blocks, 64): uses that are no longer held as factors.
    pub folded: Option<&'a [f32]>,
    /// How large `G` can be; measured where it is not given.
    pub magnitude: Option<Magnitude>,
}

impl PackedGradient<'_> {
    /// # Panics
    /// If lengths do not fit `w`.
    pub(crate) fn check(&self, w: &PackedTensor) {
        let (rows, cols, blocks) = (w.rows(), w.cols(), w.blocks());
        let factors = self.factors.iter().all(|f| f.x.len() == f.batch * cols && f.dy.len() == f.batch * rows);
        let folded = self.folded.is_none_or(|g| g.len() == rows * blocks * BITS);
        assert!(factors && folded, "packed step: lengths");
    }

    /// Samples of all uses.
    pub(crate) fn samples(&self) -> usize {
        self.factors.iter().map(|f| f.batch).sum()
    }
}

/// Largest sum of squares of a factor whose products the kernels take as it is; below its inverse one is small.
const LARGE: f64 = (1u128 << 96) as f64;
/// Sum of squares of a factor above which a small other one is stored with too few digits in scales.
const SMALL_BESIDE: f64 = (1u128 << 16) as f64;

/// How large `G = Σ dyᵀ x + folded` can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Magnitude {
    /// Upper bound of the mean square of `G` (Cauchy, Schwarz).
    pub(crate) bound: f64,
    /// Whether a factor is so large, or so small beside the other, that its numbers are to be moved to the other one first.
    pub(crate) uneven: bool,
    count: f64,
}

impl Magnitude {
    /// From the sums of squares of `x` and `dy` of every use of `w`, and that of the folded part.
    pub fn new(w: &PackedTensor, uses: impl IntoIterator<Item = [f64; 2]>, folded: f64) -> Magnitude {
        let (mut length, mut uneven) = (folded.sqrt(), false);
        for [x, dy] in uses {
            length += x.sqrt() * dy.sqrt();
            let (low, high) = (x.min(dy), x.max(dy));
            uneven |= high > LARGE || (low > 0.0 && low < 1.0 / LARGE && high > SMALL_BESIDE);
        }
        let count = w.rows() as f64 * w.cols() as f64;
        Magnitude { bound: length / count * length, uneven, count }
    }

    /// Whether kernels take the factors as they are, and `G` is far from the ends of the range of single precision, or zero.
    pub(crate) fn is_moderate(&self) -> bool {
        !self.uneven && (self.bound == 0.0 || (1.0 / LARGE..LARGE).contains(&self.bound))
    }

    /// No element of `G` is larger.
    pub fn largest(&self) -> f64 {
        (self.bound * self.count).sqrt()
    }
}
