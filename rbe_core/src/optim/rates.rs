//! What a user sets of the hybrid optimiser.

use crate::error::{RbeError, Result};
use crate::kernel::update::Precision;

/// Rates of a group of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Rate of dense tensors (AdamW).
    pub lr: f64,
    /// Rate of level parameters: length of a step in the disk.
    pub lr_lo: f64,
    /// Rate of charges.
    pub lr_hi: f64,
    /// Decays of first and second moments, for level parameters and dense tensors.
    pub betas: (f64, f64),
    /// Decoupled weight decay of dense tensors.
    pub weight_decay: f64,
    /// Weight of the post-flip correction of the level parameters' gradient.
    pub interaction: f64,
    /// Numbers in which flip scores are computed.
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
            if !(0.0..=MOST).contains(&v) {
                return Err(RbeError::value(OP, format!("{name} from 0 to {MOST:e}"), v));
            }
        }
        // Bits and level parameters are trained in single precision.
        if ![self.betas.0, self.betas.1].into_iter().all(|beta| beta >= 0.0 && (beta as f32) < 1.0) {
            return Err(RbeError::value(OP, "betas in [0, 1), below 1 in float32 too", format!("{:?}", self.betas)));
        }
        if (-MOST..=MOST).contains(&self.interaction) {
            return Ok(());
        }
        Err(RbeError::value(OP, format!("an interaction from {:e} to {MOST:e}", -MOST), self.interaction))
    }
}

/// Largest rate: its products with numbers of single precision stay inside single precision.
const MOST: f64 = 1e10;

/// What to do with a gradient that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonFinite {
    /// The step fails and changes nothing.
    Error,
    /// The step is left out for all parameters.
    Skip,
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
