//! The weights of a packed tensor as a dense one through which gradients flow.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::Array;
use crate::dtype::DType;
use crate::error::Result;
use crate::gradient::{Gradient, GradientCache};
use crate::tape::RBETensor;

/// Input: w packed (out, …). Result: float32 of the same shape.
struct Decode;

impl Op for Decode {
    fn rule(&self) -> &Rule {
        &table::DECODE
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        Ok(x.packed(0)?.to_dense::<f32>().into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let w = cx.packed(0)?;
        let g = |dy: &Array| dy.cast(DType::F32).reshape_to(&[w.rows(), w.cols()]);
        let found = cx.needs(0).then(|| g(cx.dy())).transpose()?;
        Ok([found.map(|g| Gradient::Packed(GradientCache::of_cotangent(w, &g)))].into_iter().collect())
    }
}

impl RBETensor {
    /// The weights of a packed tensor as a dense float32 tensor, from which gradients flow back to its bits and levels.
    ///
    /// # Errors
    /// `DType` for a dense tensor.
    pub fn decode(&self) -> Result<RBETensor> {
        apply(Decode, &[self])
    }

    /// `x Wᵀ` with a packed weight of logical shape (out, in). A packed `x` (…, in) is decoded first, so that both receive the
    /// gradients of their bits and levels.
    ///
    /// # Errors
    /// As [`RBETensor::packed_linear`].
    pub fn packed_matmul(&self, weight: &RBETensor) -> Result<RBETensor> {
        if self.is_packed() { self.decode()?.packed_linear(weight, None) } else { self.packed_linear(weight, None) }
    }
}
