//! Softmax and its logarithm.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, fold_rows, normalize_axis};
use crate::dispatch_float;
use crate::error::Result;
use crate::kernel::dense::softmax;
use crate::parallel;
use crate::tape::RBETensor;

/// Elements of one parallel piece, rounded up to whole rows.
const PIECE: usize = 1 << 14;

/// Softmax or its logarithm along the last axis.
struct Softmax {
    log: bool,
}

impl Op for Softmax {
    fn rule(&self) -> &Rule {
        if self.log { &table::LOG_SOFTMAX } else { &table::SOFTMAX }
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let a = a.floating().contiguous();
        let width = a.shape().last().copied().unwrap_or(1);
        dispatch_float!("softmax", a.dtype(), T => {
            let source = a.read::<T>();
            let run = if self.log { softmax::log_softmax::<T> } else { softmax::softmax::<T> };
            Ok(Array::build(a.shape(), |out: &mut [T]| fold_rows(&source, width, out, width, run)).into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (y, dy) = (cx.output()?.contiguous(), cx.dy().contiguous());
        let width = y.shape().last().copied().unwrap_or(1).max(1);
        cx.one(|| {
            dispatch_float!("softmax", y.dtype(), T => {
                let (y, dy) = (y.read::<T>(), dy.read::<T>());
                let run = if self.log { softmax::log_softmax_backward::<T> } else { softmax::softmax_backward::<T> };
                let size = PIECE.div_ceil(width) * width;
                Ok(Array::build(cx.shape(0), |out: &mut [T]| parallel::for_each_piece(out, size, |p, piece| {
                    let rows = y[p * size..].chunks(width).zip(dy[p * size..].chunks(width));
                    for (o, (y, d)) in piece.chunks_mut(width).zip(rows) {
                        run(y, d, o);
                    }
                })))
            })
        })
    }
}

impl RBETensor {
    fn along_last(&self, op: &'static str, axis: isize, f: impl Op) -> Result<RBETensor> {
        let last = self.shape().len().saturating_sub(1);
        if normalize_axis(op, axis, self.shape().len().max(1))? == last {
            return apply(f, &[self]);
        }
        apply(f, &[&self.transpose(axis, -1)?])?.transpose(axis, -1)
    }

    /// `e^x / Σ e^x` along `axis`.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn softmax(&self, axis: isize) -> Result<RBETensor> {
        self.along_last("softmax", axis, Softmax { log: false })
    }

    /// `x - ln Σ e^x` along `axis`.
    ///
    /// # Errors
    /// As [`RBETensor::softmax`].
    pub fn log_softmax(&self, axis: isize) -> Result<RBETensor> {
        self.along_last("log_softmax", axis, Softmax { log: true })
    }
}
