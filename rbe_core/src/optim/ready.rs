//! Gradients that a step can take.

use super::dense::squares;
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::gradient::{Gradient, GradientCache};
use crate::packed::Magnitude;
use crate::tape::RBETensor;

/// A gradient that is finite, with what the step needs to know about it.
pub(super) enum Ready {
    /// And the mean square.
    Dense(Array, f64),
    Weights(GradientCache, Magnitude),
    /// And the change of the loss for each flip, and the Euclidean gradient of the level parameters.
    Activation(GradientCache, Vec<f64>, Vec<f64>),
}

impl Ready {
    /// None if a number of the gradient is not finite: too large for float32 where its factors are not, or such that its square is not.
    pub(super) fn new(gradient: Gradient) -> Result<Option<Ready>> {
        let cache = match gradient {
            Gradient::Dense(g) => {
                let mean = |sum: f64| sum / g.numel().max(1) as f64;
                return Ok(squares(&g)?.filter(|sum| *sum < f64::MAX).map(mean).map(|square| Ready::Dense(g, square)));
            }
            Gradient::Packed(cache) => cache,
        };
        let mut uses = Vec::with_capacity(cache.factors().len());
        for factor in cache.factors() {
            let (Some(x), Some(dy)) = (squares(&factor.x())?, squares(factor.dy())?) else { return Ok(None) };
            uses.push([x, dy]);
        }
        let Some(folded) = cache.folded().map_or(Ok(Some(0.0)), squares)? else { return Ok(None) };
        if cache.is_activation() {
            let (delta, g) = (cache.unit_flips()?.0, cache.unit_points()?);
            let finite = cache.has_finite_sums() && g.iter().all(|v| v.is_finite());
            return Ok(finite.then_some(Ready::Activation(cache, delta, g)));
        }
        let magnitude = Magnitude::new(cache.weight(), uses, folded);
        if magnitude.largest() > f64::from(f32::MAX) && squares(&cache.weight_cotangent())?.is_none() {
            return Ok(None);
        }
        Ok(Some(Ready::Weights(cache, magnitude)))
    }
}

/// The error of a gradient that is not finite.
pub(super) fn nonfinite(tensor: &RBETensor) -> RbeError {
    RbeError::non_finite(
        "step",
        "finite gradients (on_nonfinite=\"skip\" leaves such steps out)",
        format!("NaN, infinity or a number beyond the dtype's range in that of {tensor:?}"),
    )
}
