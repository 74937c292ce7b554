//! Trainable activations.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::Array;
use crate::dispatch_float;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::gradient::{ACTIVATION as OP, Factor, Gradient, GradientCache, check_radius, packed_units, states, units};
use crate::kernel::packed::activation::{dx, dz, forward};
use crate::memory;
use crate::tape::RBETensor;

fn features_of(x: &Array) -> Result<usize> {
    x.shape().last().copied().filter(|n| *n > 0).ok_or_else(|| RbeError::shape(OP, "x (…, features)", format!("{:?}", x.shape())))
}

/// The points are an ordinary input. Inputs: x (…, features), z (features or 1, 2).
struct Activation {
    hi: Vec<u64>,
}

impl Op for Activation {
    fn rule(&self) -> &Rule {
        &table::RBE_ACTIVATION
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, z) = (x.array(0)?, x.array(1)?);
        let features = features_of(a)?;
        let states = states(&self.hi, features)?;
        if z.shape() != [states.len(), 2] {
            return Err(RbeError::shape(OP, format!("z ({}, 2)", states.len()), format!("{:?}", z.shape())));
        }
        let dtype = a.dtype().promote(z.dtype());
        let (a, z) = (a.cast(dtype).contiguous(), z.cast(dtype).contiguous());
        dispatch_float!(OP, dtype, T => {
            let z = z.read::<T>();
            check_radius(&z)?;
            let units = units(&states, &z);
            Ok(Array::build(a.shape(), |y: &mut [T]| forward(&a.read::<T>(), features, &units, y)).into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, z) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.input(1)?.cast(dy.dtype()).contiguous());
        let features = features_of(&x)?;
        let states = states(&self.hi, features)?;
        dispatch_float!(OP, dy.dtype(), T => {
            let (x, z, dy) = (x.read::<T>(), z.read::<T>(), dy.read::<T>());
            let units = units(&states, &z);
            cx.two(
                || Ok(Array::build(cx.shape(0), |out: &mut [T]| dx(&x, &dy, features, &units, out))),
                || Array::from_slice(&dz(&x, &dy, features, &units, &z), &[states.len(), 2]),
            )
        })
    }
}

/// The blocks are a packed tensor of shape (features or 1, 11). Inputs: x (…, features), w.
struct PackedActivation {
    /// As in [`Factor::Activation`].
    bounded: bool,
}

impl Op for PackedActivation {
    fn rule(&self) -> &Rule {
        &table::PACKED_ACTIVATION
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let features = features_of(a)?;
        let a = a.floating().contiguous();
        dispatch_float!(OP, a.dtype(), T => {
            let units = packed_units(x.packed(1)?, features)?;
            Ok(Array::build(a.shape(), |y: &mut [T]| forward(&a.read::<T>(), features, &units, y)).into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (w, dy) = (cx.packed(1)?, cx.dy().contiguous());
        let x = cx.input(0)?.cast(dy.dtype()).contiguous();
        let features = features_of(&x)?;
        let mut grads = cx.one(|| {
            dispatch_float!(OP, dy.dtype(), T => {
                let units = packed_units(w, features)?;
                Ok(Array::build(cx.shape(0), |out: &mut [T]| dx(&x.read::<T>(), &dy.read::<T>(), features, &units, out)))
            })
        })?;
        grads.push(if cx.needs(1) {
            let flat = |a: &Array| a.cast(DType::F32).reshape(&[-1, features as isize]);
            Some(Gradient::Packed(GradientCache::new(w, Factor::Activation { x: flat(&x)?, dy: flat(&dy)?, bounded: self.bounded })))
        } else {
            None
        });
        Ok(grads)
    }
}

impl RBETensor {
    /// `d · g(ω x + θ)` for x (…, features), the cycle states `hi` and points z (features or 1, 2); differentiable in x
    /// and z, in float32 or float64.
    ///
    /// # Errors
    /// `Shape` if the lengths do not fit; `Value` for an invalid state or a point outside `1e-3 <= |z| <= 1 - 1e-3`.
    pub fn rbe_activation(&self, hi: &[u64], z: &RBETensor) -> Result<RBETensor> {
        apply(Activation { hi: memory::guard(OP, || Ok(memory::copied(hi)))? }, &[self, z])
    }

    /// As [`RBETensor::rbe_activation`] with the blocks of a packed tensor of shape (features or 1, 11).
    ///
    /// # Errors
    /// As [`RBETensor::rbe_activation`].
    pub fn packed_activation(&self, w: &RBETensor) -> Result<RBETensor> {
        apply(PackedActivation { bounded: false }, &[self, w])
    }

    /// As [`RBETensor::packed_activation`], but an optimiser makes no flip into a function that grows: sinh, cosh, exp.
    ///
    /// # Errors
    /// As [`RBETensor::packed_activation`].
    pub(super) fn packed_activation_of_weights(&self, w: &RBETensor) -> Result<RBETensor> {
        apply(PackedActivation { bounded: true }, &[self, w])
    }
}
