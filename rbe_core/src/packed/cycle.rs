//! The 11-bit cycle of a trainable activation: family, phase and frequency in the low bits of a block's `hi`.

use crate::dtype::Float;
use crate::error::{RbeError, Result};

/// Bits of a cycle state.
pub const CYCLE_BITS: usize = 11;

/// Arguments of sinh, cosh and (from above) exp are held within this bound; the slope beyond is zero.
const CLAMP: f64 = 12.0;

/// Base function of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// sin, cos, -sin, -cos.
    Circular,
    /// sinh, cosh.
    Hyperbolic,
    /// tanh, sech².
    Tanh,
    /// e^u.
    Exp,
    /// sign(u) ln(1 + |u|), 1 / (1 + |u|).
    Log,
}

impl Family {
    /// The families in the order of their code.
    pub const ALL: [Family; 5] = [Family::Circular, Family::Hyperbolic, Family::Tanh, Family::Exp, Family::Log];

    /// Name as in the Python API.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Circular => "circular",
            Family::Hyperbolic => "hyperbolic",
            Family::Tanh => "tanh",
            Family::Exp => "exp",
            Family::Log => "log",
        }
    }

    /// The family of that name.
    ///
    /// # Errors
    /// `Value` for an unknown name.
    pub fn by_name(name: &str) -> Result<Family> {
        let known = || Family::ALL.map(Family::name).join(", ");
        Family::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| RbeError::value("rbe_activation", known(), format!("{name:?}")))
    }
}

/// A valid cycle state: `g`, the base function differentiated `phase` times, and a frequency `ω = 2^((f - 32) / 8)`.
///
/// Phases of the periodic families count modulo their period and exp is its own derivative; tanh and log have one
/// derivative in the cycle, so their phases 2 and 3 are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// Base function.
    pub family: Family,
    /// Times differentiated, 0 to 3.
    pub phase: u8,
    /// Frequency code, 0 to 63.
    pub frequency: u8,
}

/// `u` held between the bounds; unlike `min` and `max`, NaN stays NaN.
fn within<T: Float>(u: T, low: T, high: T) -> T {
    if u > high {
        high
    } else if u < low {
        low
    } else {
        u
    }
}

impl Cycle {
    /// State of the low 11 bits of `hi`; `None` if they are invalid or a higher bit is set.
    pub fn from_bits(hi: u64) -> Option<Cycle> {
        if hi >> CYCLE_BITS != 0 {
            return None;
        }
        let family = *Family::ALL.get((hi >> 8) as usize)?;
        let (phase, frequency) = ((hi >> 6 & 3) as u8, (hi & 63) as u8);
        let one_step = matches!(family, Family::Tanh | Family::Log);
        (!(one_step && phase > 1)).then_some(Cycle { family, phase, frequency })
    }

    /// The state of a fresh activation: phase 0 and ω = 1.
    pub fn initial(family: Family) -> Cycle {
        Cycle { family, phase: 0, frequency: 32 }
    }

    /// The 11 bits.
    pub fn bits(self) -> u64 {
        (self.family as u64) << 8 | u64::from(self.phase) << 6 | u64::from(self.frequency)
    }

    /// `ω = 2^((f - 32) / 8)`.
    pub fn omega<T: Float>(self) -> T {
        T::of(2f64.powf((f64::from(self.frequency) - 32.0) / 8.0))
    }

    /// `g(u)`.
    pub fn value<T: Float>(self, u: T) -> T {
        let clamp = T::of(CLAMP);
        match (self.family, self.phase) {
            (Family::Circular, 0) => u.sin(),
            (Family::Circular, 1) => u.cos(),
            (Family::Circular, 2) => -u.sin(),
            (Family::Circular, _) => -u.cos(),
            (Family::Hyperbolic, p) => {
                let u = within(u, -clamp, clamp);
                if p % 2 == 0 { u.sinh() } else { u.cosh() }
            }
            (Family::Tanh, 0) => u.tanh(),
            (Family::Tanh, _) => {
                let t = u.tanh();
                T::one() - t * t
            }
            (Family::Exp, _) => within(u, T::neg_infinity(), clamp).exp(),
            (Family::Log, 0) => u.abs().ln_1p().copysign(u),
            (Family::Log, _) => T::one() / (T::one() + u.abs()),
        }
    }

    /// `g'(u)`: the value in the next state where the cycle holds it, else one table step; zero beyond a clamp.
    pub fn slope<T: Float>(self, u: T) -> T {
        let clamp = T::of(CLAMP);
        match (self.family, self.phase) {
            (Family::Hyperbolic, _) if u.abs() > clamp => T::zero(),
            (Family::Exp, _) if u > clamp => T::zero(),
            (Family::Tanh, 1..) => T::of(-2.0) * u.tanh() * self.value(u),
            (Family::Log, 1..) => {
                let v = self.value(u);
                -(v * v).copysign(u)
            }
            _ => self.next().value(u),
        }
    }

    fn next(self) -> Cycle {
        Cycle { phase: (self.phase + 1) % 4, ..self }
    }

    /// The state with bit `j` flipped, if it is valid.
    pub fn flip(self, j: usize) -> Option<Cycle> {
        Cycle::from_bits(self.bits() ^ 1 << j)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_round_trip_and_invalid_states_are_refused() {
        let valid = (0..1u64 << CYCLE_BITS).filter(|b| Cycle::from_bits(*b).is_some_and(|c| c.bits() == *b)).count();
        assert_eq!(valid, 64 * (4 + 4 + 2 + 4 + 2));
        assert_eq!((0..1u64 << CYCLE_BITS).filter(|b| Cycle::from_bits(*b).is_some()).count(), valid);
        assert!(Cycle::from_bits(1 << 11).is_none() && Cycle::from_bits(5 << 8).is_none());
        assert_eq!(Cycle::initial(Family::Tanh).omega::<f64>(), 1.0);
    }

    #[test]
    fn every_state_passes_nan_on_and_stays_finite_elsewhere() {
        for state in (0..1u64 << CYCLE_BITS).filter_map(Cycle::from_bits) {
            assert!(state.value(f32::NAN).is_nan() && state.slope(f32::NAN).is_nan(), "{state:?}");
            assert!(state.value(1e30f32).is_finite() && state.value(-1e30f32).is_finite(), "{state:?}");
        }
    }

    #[test]
    fn slopes_are_derivatives_in_every_state() {
        for bits in (0..1u64 << CYCLE_BITS).step_by(64) {
            let Some(state) = Cycle::from_bits(bits) else { continue };
            for i in -40..=40 {
                let (u, h) = (f64::from(i) * 0.37 + 0.011, 1e-6);
                if (u.abs() - CLAMP).abs() < 1e-3 {
                    continue;
                }
                let difference = (state.value(u + h) - state.value(u - h)) / (2.0 * h);
                let slope = state.slope(u);
                assert!((difference - slope).abs() <= 1e-5 * (1.0 + slope.abs()), "{state:?} at {u}: {slope} {difference}");
            }
        }
    }
}
