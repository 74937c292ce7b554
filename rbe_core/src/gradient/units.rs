//! Gradients of a packed activation, whose blocks are cycle states.

use super::cache::{Factor, GradientCache};
use crate::array::{Array, Dims};
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::kernel::packed::activation::{MIN_RADIUS, Unit, dz, flips};
use crate::memory;
use crate::packed::{BITS, CYCLE_BITS, Cycle, PackedTensor, check_points};

/// The lowest bit of a state's family.
const FAMILY_BIT: usize = 8;

/// The operation that errors name.
pub(crate) const OP: &str = "rbe_activation";

/// The cycle states of `hi`, and whether they fit `features`.
pub(crate) fn states(hi: &[u64], features: usize) -> Result<Vec<Cycle>> {
    if hi.len() != 1 && hi.len() != features {
        return Err(RbeError::shape(OP, format!("one block or {features}"), hi.len()));
    }
    let mut states = memory::with_capacity(hi.len());
    for h in hi {
        states.push(Cycle::from_bits(*h).ok_or_else(|| {
            RbeError::value(OP, "a valid cycle state (family 0 to 4, phase 0 or 1 for tanh and log, bits 11 up 0)", format!("{h:#x}"))
        })?);
    }
    Ok(states)
}

pub(crate) fn check_radius<T: Float>(z: &[T]) -> Result<()> {
    check_points(OP, z)?;
    match z.chunks_exact(2).find(|z| z[0].hypot(z[1]).wide() < MIN_RADIUS * (1.0 - 1e-6)) {
        Some(z) => Err(RbeError::value(OP, "points with |z| >= 1e-3", format!("({}, {})", z[0].wide(), z[1].wide()))),
        None => Ok(()),
    }
}

pub(crate) fn units<T: Float>(states: &[Cycle], z: &[T]) -> Vec<Unit<T>> {
    memory::collect(states.iter().zip(z.chunks_exact(2)).map(|(s, z)| Unit::new(*s, [z[0], z[1]])))
}

/// Decoded blocks of an activation's packed tensor.
pub(crate) fn packed_units<T: Float>(w: &PackedTensor, features: usize) -> Result<Vec<Unit<T>>> {
    if w.cols() != CYCLE_BITS {
        return Err(RbeError::shape(OP, format!("a packed tensor (features, {CYCLE_BITS})"), format!("{:?}", w.shape())));
    }
    let lo: Vec<T> = memory::collect(w.lo().into_iter().map(|v| T::of(f64::from(v))));
    check_radius(&lo)?;
    Ok(units(&states(&w.hi(), features)?, &lo))
}

/// Gradients of an activation's units, summed over uses.
pub(super) struct UnitSums {
    pub(super) delta: Vec<f64>,       // (units, 11), +inf for a flip into an invalid state
    pub(super) interaction: Vec<f64>, // (units, 11, 2)
    pub(super) points: Vec<f64>,      // (units, 2)
}

impl Clone for UnitSums {
    fn clone(&self) -> UnitSums {
        let [delta, interaction, points] = [&self.delta, &self.interaction, &self.points].map(|values| memory::copied(values));
        UnitSums { delta, interaction, points }
    }
}

impl UnitSums {
    /// Bytes of a unit.
    pub(super) const SIZE: usize = (3 * CYCLE_BITS + 2) * size_of::<f64>();

    pub(super) fn add(&mut self, other: &UnitSums) {
        add_all(&mut self.delta, &other.delta);
        add_all(&mut self.interaction, &other.interaction);
        add_all(&mut self.points, &other.points);
    }

    pub(super) fn scaled(&self, scale: f64) -> UnitSums {
        let times = |values: &[f64]| memory::collect(values.iter().map(|v| if v.is_finite() { v * scale } else { *v }));
        UnitSums { delta: times(&self.delta), interaction: times(&self.interaction), points: times(&self.points) }
    }
}

/// Refuses the flips `delta` (units, 11) between functions that are bounded and those that grow: of the lowest bit of the family, by which
/// sin, tanh and log differ from sinh, exp and invalid ones.
fn refuse_growth(delta: &mut [f64]) {
    delta.iter_mut().skip(FAMILY_BIT).step_by(CYCLE_BITS).for_each(|d| *d = f64::INFINITY);
}

/// `total += part`, where there is a total yet.
fn add_all(total: &mut Vec<f64>, part: &[f64]) {
    if total.is_empty() {
        *total = memory::copied(part);
    } else {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
}

impl GradientCache {
    /// Calls `f` with (x, dy, features, units, whether growing functions are refused) of every factor of an activation, oldest first.
    fn each_use(&self, mut f: impl FnMut(&[f32], &[f32], usize, &[Unit<f32>], bool)) -> Result<()> {
        for factor in &self.factors {
            let Factor::Activation { x, dy, bounded } = factor else { continue };
            let features = x.shape()[1];
            let units = packed_units(&self.weight, features)?;
            f(&x.read::<f32>(), &dy.read::<f32>(), features, &units, *bounded);
        }
        Ok(())
    }

    /// Flip gradient (units, 11) of an activation, and its derivative with respect to the points (units, 11, 2).
    pub(crate) fn unit_flips(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut total = self.sums.as_ref().map_or_else(Default::default, |s| (memory::copied(&s.delta), memory::copied(&s.interaction)));
        let lo = self.weight.lo();
        self.each_use(|x, dy, features, units, bounded| {
            let mut part = flips(x, dy, features, units, &lo);
            if bounded {
                refuse_growth(&mut part.0);
            }
            add_all(&mut total.0, &part.0);
            add_all(&mut total.1, &part.1);
        })?;
        Ok(total)
    }

    /// Euclidean gradient of the points (units, 2) of an activation.
    pub(crate) fn unit_points(&self) -> Result<Vec<f64>> {
        let mut total = self.sums.as_ref().map_or_else(Vec::new, |s| memory::copied(&s.points));
        let lo = self.weight.lo();
        self.each_use(|x, dy, features, units, _| {
            let part = memory::collect(dz(x, dy, features, units, &lo).into_iter().map(f64::from));
            add_all(&mut total, &part);
        })?;
        Ok(total)
    }

    /// Flip gradient (rows, 1, 64) and interaction (rows, 1, 64, 2) of an activation.
    pub(super) fn activation_flips(&self) -> Result<(Array, Array)> {
        let (delta, interaction) = self.unit_flips()?;
        let spread = |values: &[f64], width: usize, tail: &[usize]| {
            let shape: Dims = [self.weight.rows(), 1].iter().chain(tail).copied().collect();
            Array::build(&shape, |out: &mut [f32]| {
                out.fill(0.0);
                for (o, v) in out.chunks_exact_mut(BITS * width).zip(values.chunks_exact(CYCLE_BITS * width)) {
                    o.iter_mut().zip(v).for_each(|(o, v)| *o = *v as f32);
                }
            })
        };
        Ok((spread(&delta, 1, &[BITS]), spread(&interaction, 2, &[BITS, 2])))
    }
}
