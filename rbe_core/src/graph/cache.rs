//! Gradients as leaves hold them: dense, or the small factors of a packed tensor's weight cotangent.

use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::packed::PackedTensor;

/// One contribution to the gradient of a packed tensor, from one use of it.
#[derive(Clone)]
pub enum Factor {
    /// `G += dyᵀ x`: a product `x Wᵀ` with `x` (batch, cols) and upstream `dy` (batch, rows), both contiguous f32.
    Product {
        /// (batch, cols)
        x: Array,
        /// (batch, rows)
        dy: Array,
    },
    /// An activation whose blocks are cycle states: input `x` and upstream `dy`, both (batch, features), contiguous f32.
    Activation {
        /// (batch, features)
        x: Array,
        /// (batch, features)
        dy: Array,
    },
}

/// The gradient of a packed tensor, held as factors until it is read or stepped. The weight cotangent `G` (rows, cols)
/// is not stored; uses of the tensor append.
#[derive(Clone)]
pub struct GradientCache {
    weight: PackedTensor,
    version: u64,
    factors: Vec<Factor>,
    levels: Option<Array>, // (rows, blocks, 2) f32: sums of G over the bits that are 0 and 1
}

impl GradientCache {
    /// Gradient of one use. `levels` is the gradient of the blocks' two levels where backward computed it already.
    pub fn new(weight: &PackedTensor, factor: Factor, levels: Option<Array>) -> GradientCache {
        GradientCache { weight: weight.clone(), version: weight.version(), factors: vec![factor], levels }
    }

    /// The tensor this is the gradient of.
    pub fn weight(&self) -> &PackedTensor {
        &self.weight
    }

    /// The factors, oldest first.
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// Gradient of the levels (rows, blocks, 2), where backward computed it.
    pub fn levels(&self) -> Option<&Array> {
        self.levels.as_ref()
    }

    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        let factor = |f: &Factor| match f {
            Factor::Product { x, dy } | Factor::Activation { x, dy } => x.nbytes() + dy.nbytes(),
        };
        self.factors.iter().map(factor).sum::<usize>() + self.levels.as_ref().map_or(0, Array::nbytes)
    }

    /// Fails if the tensor was changed since its first factor was taken.
    ///
    /// # Errors
    /// `Graph`, naming `op`.
    pub fn check_fresh(&self, op: &'static str) -> Result<()> {
        if self.weight.version() == self.version {
            return Ok(());
        }
        Err(RbeError::graph(
            op,
            "a gradient of the packed tensor as it is now",
            "one taken before the tensor was changed in place (call zero_grad after step)",
        ))
    }

    /// Adds the contribution of further uses.
    ///
    /// # Errors
    /// `Graph` if the tensor was changed in between.
    pub fn append(&mut self, other: GradientCache) -> Result<()> {
        self.check_fresh("backward")?;
        self.levels = match (self.levels.take(), other.levels) {
            (Some(a), Some(b)) => Some(crate::array::zip("backward", &a, &b, |x: f32, y: f32| x + y)?),
            (a, b) => a.or(b),
        };
        self.factors.extend(other.factors);
        Ok(())
    }
}

/// The three gradients of a packed tensor.
#[derive(Clone)]
pub struct RBEGradient {
    /// Change of the loss if a bit flips, first order: f32 (rows, blocks, 64), 0 at unused bits.
    pub hi: Array,
    /// Euclidean gradient of the points: f32 (rows, blocks, 2).
    pub lo: Array,
    /// Derivative of `hi` with respect to the point: f32 (rows, blocks, 64, 2).
    pub interaction: Array,
}

/// A gradient on its way or at rest.
#[derive(Clone)]
pub enum Gradient {
    /// Of a dense tensor: same shape and dtype.
    Dense(Array),
    /// Of a packed tensor.
    Packed(GradientCache),
}
