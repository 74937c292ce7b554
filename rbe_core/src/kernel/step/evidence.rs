//! The weight cotangent of a step, strip by strip or row by row: it is never stored as a whole.

use crate::kernel::dense::strip_gradient;
use crate::kernel::packed::Factor;
use crate::kernel::strip::STRIP_ROWS;
use crate::packed::{BITS, PackedTensor};

/// Samples up to which a row of `G` is summed where it is used, in the first-level cache. Above, the dense product of a
/// strip, which holds sums in registers, is faster.
const FEW_SAMPLES: usize = 8;

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

    /// Strip `s` of `G` (rows of the strip, blocks * 64), 0 at unused bits.
    pub(super) fn strip(&self, w: &PackedTensor, s: usize, g: &mut [f32]) {
        strip_gradient(self.factors, w, s, g);
        if let Some(folded) = self.folded {
            g.iter_mut().zip(&folded[s * STRIP_ROWS * w.blocks() * BITS..]).for_each(|(g, f)| *g += f);
        }
    }

    /// Whether rows are best summed one by one, by [`accumulate_row`].
    pub(super) fn by_rows(&self) -> bool {
        self.folded.is_none() && self.factors.iter().map(|f| f.batch).sum::<usize>() <= FEW_SAMPLES
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
