//! What a user sets of the hybrid optimiser.

use crate::error::{RbeError, Result};
use crate::kernel::step::Precision;

/// Rates of a group of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Rate of dense tensors (AdamW).
    pub lr: f64,
    /// Rate of points: length of a step in the disk.
    pub lr_lo: f64,
    /// Rate of charges.
    pub lr_hi: f64,
    /// Decays of first and second moments, for points and dense tensors.
    pub betas: (f64, f64),
    /// Decoupled weight decay of dense tensors.
    pub weight_decay: f64,
    /// Weight of the post-flip correction of the points' gradient.
    pub interaction: f64,
    /// Numbers in which the evidence for the charges is computed.
    pub evidence: Precision,
}

impl Default for Rates {
    fn default() -> Self {
        Rates {
            lr: 2e-3,
            lr_lo: 0.03,
            lr_hi: 0.05,
            betas: (0.9, 0.999),
            weight_decay: 0.0,
            interaction: 0.0,
            evidence: Precision::default(),
        }
    }
}

impl Rates {
    /// Fails for a rate or constant outside its domain.
    ///
    /// # Errors
    /// `Value`.
    pub fn check(&self) -> Result<()> {
        const OP: &str = "HybridOptimizer";
        for (name, v) in [("lr", self.lr), ("lr_lo", self.lr_lo), ("lr_hi", self.lr_hi), ("weight_decay", self.weight_decay)] {
            if !(v.is_finite() && v >= 0.0) {
                return Err(RbeError::value(OP, format!("{name} >= 0"), v));
            }
        }
        if !(0.0..1.0).contains(&self.betas.0) || !(0.0..1.0).contains(&self.betas.1) {
            return Err(RbeError::value(OP, "betas in [0, 1)", format!("{:?}", self.betas)));
        }
        if self.interaction.is_finite() { Ok(()) } else { Err(RbeError::value(OP, "a finite interaction", self.interaction)) }
    }
}

/// What to do with a gradient that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonFinite {
    /// The step fails and changes nothing.
    Error,
    /// The step is left out for all parameters.
    Skip,
}
