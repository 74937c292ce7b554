//! Bounds on gradients.

use super::scale::scale_grad;
use crate::array::{Array, map};
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::kernel::dense::squares::sum_of_squares;
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

/// Elements of one parallel piece.
const PIECE: usize = 1 << 14;

/// The larger one, or NaN if one is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// What of a vector is summed, or compared, for its p-norm, over `unit`: `|v|^p`, and `|v|` for an infinite p. NaN if one is NaN.
fn part<T: Float>(values: &[T], p: f64, unit: f64) -> f64 {
    let magnitudes = values.iter().map(|v| v.wide().abs() / unit);
    match p {
        f64::INFINITY => magnitudes.fold(0.0, larger),
        1.0 => magnitudes.sum(),
        2.0 => magnitudes.map(|v| v * v).sum(),
        p => magnitudes.map(|v| v.powf(p)).sum(),
    }
}

fn join(p: f64, parts: impl Iterator<Item = f64>) -> f64 {
    if p == f64::INFINITY { parts.fold(0.0, larger) } else { parts.sum() }
}

fn of_array(a: &Array, p: f64, unit: f64) -> Result<f64> {
    let a = a.wide();
    dispatch_float!("clip_grad_norm", a.dtype(), T => {
        let a = a.as_contiguous();
        let values = a.read::<T>();
        if p == 2.0 && unit == 1.0 && let Some(sum) = sum_of_squares(&values).filter(|sum| *sum < f64::MAX) {
            return Ok(sum);
        }
        let parts = parallel::map(values.len().div_ceil(PIECE), |i| part(&values[i * PIECE..((i + 1) * PIECE).min(values.len())], p, unit));
        Ok(join(p, parts.into_iter()))
    })
}

/// The p-norm of the gradients of all, in double precision.
fn norm_of(params: &[RBETensor], p: f64) -> Result<f64> {
    let mut gradients = Vec::new();
    for gradient in params.iter().filter_map(RBETensor::grad) {
        gradients.push(match gradient {
            Gradient::Dense(g) => g,
            // A flip of an activation into an invalid state is +inf by definition, not a gradient.
            Gradient::Packed(cache) if cache.is_activation() => map(&cache.hi()?, |v: f32| if v == f32::INFINITY { 0.0 } else { v }),
            Gradient::Packed(cache) => cache.hi()?,
        });
    }
    let total = |p: f64, unit: f64| -> Result<f64> {
        let parts = gradients.iter().map(|g| of_array(g, p, unit)).collect::<Result<Vec<_>>>()?;
        Ok(join(p, parts.into_iter()))
    };
    let sum = total(p, 1.0)?;
    if p == f64::INFINITY || (1e-280..f64::MAX).contains(&sum) {
        return Ok(if p == f64::INFINITY { sum } else { sum.powf(p.recip()) });
    }
    // Powers may leave the range of numbers where magnitudes do not.
    let unit = total(f64::INFINITY, 1.0)?;
    if unit > 0.0 && unit.is_finite() { Ok(unit * total(p, unit)?.powf(p.recip())) } else { Ok(unit) }
}

/// Scales all gradients together so that their p-norm is at most `max_norm`; the norm before. A packed tensor counts with its flip
/// gradient, in the 2-norm alone. As torch's: a norm that is NaN makes NaN of all gradients, an infinite one zeros of those that are finite.
///
/// # Errors
/// `Value` for a negative bound or a p that is not positive; `DType` for the gradient of a packed tensor in another than the 2-norm;
/// `NonFinite` if the norm is not finite and `error_if_nonfinite`. Nothing changes then.
pub fn clip_grad_norm(params: &[RBETensor], max_norm: f64, p: f64, error_if_nonfinite: bool) -> Result<f64> {
    crate::tape::settle()?; // what was called before reads the gradients as they are
    const OP: &str = "clip_grad_norm";
    if max_norm < 0.0 || max_norm.is_nan() {
        return Err(RbeError::value(OP, "max_norm >= 0", max_norm));
    }
    if p <= 0.0 || p.is_nan() {
        return Err(RbeError::value(OP, "norm_type > 0", p));
    }
    if p != 2.0 && params.iter().any(|t| matches!(t.grad(), Some(Gradient::Packed(_)))) {
        return Err(RbeError::dtype(OP, "gradients of dense tensors for another than the 2-norm", "one of a packed tensor"));
    }
    let norm = memory::guard(OP, || norm_of(params, p))?;
    if !norm.is_finite() && error_if_nonfinite {
        return Err(RbeError::non_finite(OP, "a finite norm", norm));
    }
    let scale = max_norm / (norm + 1e-6);
    if scale >= 1.0 {
        return Ok(norm);
    }
    memory::guard(OP, || memory::assured(copies(params), || scale_grad(params, scale)))?;
    Ok(norm)
}

/// Bytes of the gradients: what their scaled copies and a factor of each take.
fn copies(params: &[RBETensor]) -> usize {
    let bytes = |gradient: Gradient| match gradient {
        Gradient::Dense(g) => g.nbytes(),
        Gradient::Packed(cache) => cache.nbytes(),
    };
    2 * params.iter().filter_map(RBETensor::grad).map(bytes).sum::<usize>() + (1 << 16)
}

/// Holds every element of the dense gradients within `[-bound, bound]`; NaN stays NaN.
///
/// # Errors
/// `Value` for a negative bound; `DType` if a packed tensor has a gradient, whose elements are not stored.
pub fn clip_grad_value(params: &[RBETensor], bound: f64) -> Result<()> {
    crate::tape::settle()?; // what was called before reads the gradients as they are
    const OP: &str = "clip_grad_value";
    if bound < 0.0 || bound.is_nan() {
        return Err(RbeError::value(OP, "a bound >= 0", bound));
    }
    if params.iter().any(|p| matches!(p.grad(), Some(Gradient::Packed(_)))) {
        return Err(RbeError::dtype(OP, "dense gradients (use clip_grad_norm)", "one of a packed tensor"));
    }
    let hold = || {
        for p in params {
            if let Some(Gradient::Dense(g)) = p.grad() {
                g.change(|g| dispatch_float!(OP, g.dtype(), T => {
                    crate::array::map_into(g, &Array::scalar(T::of(bound)), |g: T, b: T| if g > b { b } else if g < -b { -b } else { g })
                }))?;
            }
        }
        Ok(())
    };
    memory::guard(OP, || memory::assured(copies(params), hold))
}
