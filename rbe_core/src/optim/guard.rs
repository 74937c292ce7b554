//! What keeps one gradient from spoiling the steps after it: a record of how large the gradients of a tensor have been, and what is made
//! of one that is far larger (design/format.md, "Gradients far from their usual size").

use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::kernel::update::{MOST_ADDED, power_of_two};

/// Name of a saved [`Guard`].
pub(super) const GUARD: &str = "guard";
/// Steps that the usual mean square is averaged over.
const WINDOW: u64 = 1000;
/// Multiples of the usual mean square above which a gradient is a spike: as many as there are steps in the mean, so that one step can
/// double it, and no more, but no fewer than the first.
const SPIKE: [u64; 2] = [100, WINDOW];
/// A mean square is far below the usual one if this many, times the steps in the mean, are still below it.
const QUIET: f64 = 1000.0;
/// Consecutive gradients far from the usual size after which theirs is the usual one.
const FAR_STEPS: i64 = 10;
/// Largest mean square of a gradient, 2^40 squared: its squares, and their sums, stay inside single precision.
const CEILING: f64 = (1u128 << 80) as f64;

/// How large the gradients of one tensor have been.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Guard {
    steps: u64,     // in the mean
    usual: Sizes,   // means over the last steps
    far: i64,       // consecutive steps far from the usual size: above it, or, negative, below
    nearest: Sizes, // of those steps the sizes nearest to the usual ones
}

/// Sizes of the gradient of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sizes {
    /// Upper bound of the mean square, known before the gradient is formed. Of an activation: that of the flip scores.
    pub bound: f64,
    /// Mean square. Of an activation: that of the Euclidean gradient of the level parameters.
    pub square: f64,
    /// Mean square of the length, in the metric, of the gradients of the level parameters; 0 for a tensor without them.
    pub points: f64,
}

impl Sizes {
    fn with(self, other: Sizes, f: impl Fn(f64, f64) -> f64) -> Sizes {
        Sizes { bound: f(self.bound, other.bound), square: f(self.square, other.square), points: f(self.points, other.points) }
    }
}

impl Guard {
    /// Numbers of a saved guard.
    pub const LEN: usize = 8;

    /// Sizes of the usual gradient, zero where none is known.
    pub fn usual(&self) -> Sizes {
        self.usual
    }

    /// What a gradient of this mean square is multiplied by, a power of two, so that its squares stay inside single precision.
    pub fn ceiling(square: f64) -> f64 {
        if square > CEILING { power_of_two((CEILING / square).sqrt()) } else { 1.0 }
    }

    /// Whether a gradient of these sizes, so far as they are known, is a spike.
    pub fn is_spike(&self, now: f64, usual: impl Fn(&Sizes) -> f64) -> bool {
        self.steps > 0 && now > usual(&self.usual) * self.steps.clamp(SPIKE[0], SPIKE[1]) as f64
    }

    /// Takes the sizes of a step into account. After some steps far from the usual size, all on one side, it says nothing about them: then
    /// theirs are returned, to which the moments are to be brought.
    pub fn record(&mut self, now: Sizes) -> Option<Sizes> {
        if now.square.is_nan() || now.square <= 0.0 {
            return None;
        }
        let spike = self.is_spike(now.square, |usual| usual.square);
        let quiet = self.steps > 0 && now.square * QUIET * (self.steps.min(WINDOW) as f64) < self.usual.square;
        if !spike {
            self.steps += 1;
            let weight = 1.0 / self.steps.min(WINDOW) as f64;
            let bounded = |usual: f64, now: f64| if usual > 0.0 { now.min(MOST_ADDED * usual) } else { now };
            self.usual = self.usual.with(now, |usual, now| usual + (bounded(usual, now) - usual) * weight);
        }
        if !spike && !quiet {
            (self.far, self.nearest) = (0, Sizes::default());
            return None;
        }
        let again = self.far != 0 && (self.far > 0) == spike;
        self.far = if again { self.far } else { 0 } + if spike { 1 } else { -1 };
        self.nearest = if again { self.nearest.with(now, if spike { f64::min } else { f64::max }) } else { now };
        if self.far.abs() < FAR_STEPS {
            return None;
        }
        *self = Guard { steps: FAR_STEPS as u64, usual: self.nearest, ..Guard::default() };
        Some(self.usual)
    }

    /// As an array of float64.
    pub fn array(&self) -> Array {
        let (usual, near) = (self.usual, self.nearest);
        let numbers = [self.steps as f64, usual.bound, usual.square, usual.points, self.far as f64, near.bound, near.square, near.points];
        Array::build(&[Guard::LEN], |out: &mut [f64]| out.copy_from_slice(&numbers))
    }

    /// The guard of [`Guard::array`].
    ///
    /// # Errors
    /// `Shape`, `DType` or `Value` for an array that is none.
    pub fn from_array(a: &Array) -> Result<Guard> {
        const OP: &str = "load_state_dict";
        if a.shape() != [Guard::LEN] {
            return Err(RbeError::shape(OP, format!("guard [{}]", Guard::LEN), format!("{:?}", a.shape())));
        }
        let numbers = a.to_vec::<f64>()?;
        let holds = |(i, v): (usize, &f64)| v.is_finite() && (*v >= 0.0 || (i == 4 && *v > -(FAR_STEPS as f64)));
        if let Some((_, bad)) = numbers.iter().enumerate().find(|(i, v)| !holds((*i, v))) {
            return Err(RbeError::value(OP, "a guard of finite numbers >= 0", bad));
        }
        let sizes = |at: usize| Sizes { bound: numbers[at], square: numbers[at + 1], points: numbers[at + 2] };
        Ok(Guard { steps: numbers[0] as u64, usual: sizes(1), far: numbers[4] as i64, nearest: sizes(5) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(square: f64) -> Sizes {
        Sizes { bound: 2.0 * square, square, points: 3.0 * square }
    }

    #[test]
    fn powers_of_two_are_the_next_lower() {
        for (v, want) in [(1.0, 1.0), (0.999, 0.5), (3.9, 2.0), (1e-300, 2f64.powi(-997)), (4.0, 4.0)] {
            assert_eq!(power_of_two(v), want);
        }
        assert_eq!(Guard::ceiling(CEILING), 1.0);
        assert_eq!(Guard::ceiling(CEILING * 16.0), 0.25);
        assert!(Guard::ceiling(1e152).powi(2) * 1e152 <= CEILING);
    }

    #[test]
    fn a_spike_leaves_the_usual_size_as_it_was() {
        for spike in [1, 2, 50, 2000] {
            let mut guard = Guard::default();
            for step in 0..spike + 301 {
                assert_eq!(guard.record(sizes(if step == spike { 1e60 } else { 1.0 })), None);
                assert_eq!(guard.usual(), sizes(1.0));
            }
            // What is no spike doubles the mean at most, once there are as many steps as a spike needs at least.
            let n = guard.steps.clamp(SPIKE[0], SPIKE[1]) as f64;
            guard.record(sizes(n));
            assert!(guard.usual().square > 1.3 && guard.usual().square < 2.1, "{:?}", guard.usual());
        }
    }

    #[test]
    fn far_sizes_become_the_usual_ones_after_some_steps() {
        for (first, size, nearest) in [(1e40, 1.0, 9.0), (1e-30, 1.0, 1.0)] {
            let mut guard = Guard::default();
            assert_eq!(guard.record(sizes(first)), None);
            for step in 1..FAR_STEPS {
                assert_eq!(guard.record(sizes(step as f64)), None);
                assert_eq!(guard.record(sizes(0.0)), None); // no gradient at all says nothing
            }
            assert_eq!(guard.record(sizes(size)), Some(sizes(nearest)));
            assert_eq!(guard.usual(), sizes(nearest));
        }
        // One step of the usual size, or one far off on the other side, begins the count anew.
        for (one, other) in [(1.0, 1e-9), (1.0, 1e9), (1e-9, 1e9)] {
            let mut guard = Guard::default();
            guard.record(sizes(1.0));
            for step in 0..100 {
                assert_eq!(guard.record(sizes(if step % 9 == 0 { one } else { other })), None, "{step}");
            }
        }
    }

    #[test]
    fn saved_guards_are_whole() {
        let mut guard = Guard::default();
        for square in [4.0, 1e-20, 1e-21] {
            // and with two quiet steps
            guard.record(sizes(square));
        }
        assert_eq!(Guard::from_array(&guard.array()).unwrap(), guard);
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            let a = Array::build(&[Guard::LEN], |out: &mut [f64]| out.fill(bad));
            assert!(Guard::from_array(&a).is_err());
        }
        assert!(Guard::from_array(&Array::build(&[3], |out: &mut [f64]| out.fill(0.0))).is_err());
    }
}
