//! How a gradient enters running moments, and how far a step then goes.

use super::StepParams;

/// Decay of the second moments of G.
pub(crate) const BETA_G: f64 = 0.999;
/// A gradient adds at most this many times the usual square to the second moment of a row, a column or a point. With a decay of 0.999 one
/// step then makes such a moment eleven times as large at most; usual gradients of rows that are mostly silent stay below it.
pub(crate) const MOST_ADDED: f64 = 1e4;

/// The largest power of two that is not above `v`, a positive normal number.
pub(crate) fn power_of_two(v: f64) -> f64 {
    f64::from_bits(v.to_bits() & (0x7ff << 52))
}

/// `1 - beta^steps`: what a running mean that began at zero is divided by.
pub(crate) fn correction(beta: f64, steps: u64) -> f64 {
    1.0 - beta.powi(steps.min(i32::MAX as u64) as i32)
}

/// How the gradient of a step enters the moments.
pub(crate) struct Bounds {
    /// What the gradient, as it is summed, is multiplied by.
    pub gain: f64,
    /// Mean square of a usual gradient, 0 where none is known.
    pub usual_square: f64,
    /// Mean square, in the metric, of the usual gradients of the level parameters.
    pub usual_points: f64,
    /// Steps before this one.
    pub steps: u64,
}

impl Bounds {
    /// The largest square that is added to a second moment with a decay of `beta`: as a multiple of the moment, and that of the usual square.
    pub(crate) fn most(&self, beta: f64, usual: f64) -> [f64; 2] {
        if self.steps == 0 || usual <= 0.0 { [0.0, f64::INFINITY] } else { [MOST_ADDED / correction(beta, self.steps), MOST_ADDED * usual] }
    }

    /// A running second moment after a step with the given mean square.
    pub(crate) fn follow(&self, moment: f32, now: f64) -> f32 {
        let [of_moment, of_usual] = self.most(BETA_G, self.usual_square);
        let most = (of_moment * f64::from(moment)).max(of_usual);
        let next = BETA_G * f64::from(moment) + (1.0 - BETA_G) * (now * self.gain * self.gain).min(most);
        next.min(f64::from(f32::MAX)) as f32
    }
}

/// What Riemannian Adam takes besides level parameters, gradients and moments.
pub(crate) struct Pace {
    /// Rate of the level parameters.
    pub(super) lr: f64,
    /// Decays of the moments.
    pub(super) betas: [f64; 2],
    /// `1 - beta^t` of both.
    pub(super) corrections: [f64; 2],
    /// What the gradient is multiplied by.
    pub(super) gain: f64,
    /// The largest square that is added to the second moment: as a multiple of it, and as such.
    pub(super) most: [f64; 2],
}

impl Pace {
    pub(crate) fn new(p: &StepParams, bounds: &Bounds) -> Pace {
        let betas = [p.betas.0, p.betas.1].map(f64::from);
        let corrections = betas.map(|beta| correction(beta, bounds.steps + 1));
        let most = bounds.most(betas[1], bounds.usual_points);
        Pace { lr: f64::from(p.lr_lo), betas, corrections, gain: bounds.gain, most }
    }

    /// That of a tensor before its second step, without a rate.
    #[cfg(test)]
    pub(super) fn plain() -> Pace {
        Pace { lr: 0.0, betas: [0.9, 0.999], corrections: [0.1, 0.001], gain: 1.0, most: [0.0, f64::INFINITY] }
    }
}
