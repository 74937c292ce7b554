//! Bounds on gradients.

use crate::array::{Array, map};
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::graph::{Gradient, GradientCache};
use crate::memory;
use crate::tensor::RBETensor;

fn sum_of_squares(a: &Array) -> Result<f64> {
    let wide = map_wide(a)?;
    let axes: Vec<usize> = (0..wide.ndim()).collect();
    wide.sum_axes(&axes).item()
}

fn map_wide(a: &Array) -> Result<Array> {
    dispatch_float!("clip_grad_norm", a.dtype(), T => Ok(map(a, |v: T| v.wide() * v.wide())))
}

/// Sum of squares of the flip gradient. A flip of an activation into an invalid state is +inf by definition, not a gradient.
fn packed_squares(cache: &GradientCache) -> Result<f64> {
    let hi = cache.hi()?;
    let hi = if cache.is_activation() { crate::array::map(&hi, |v: f32| if v == f32::INFINITY { 0.0 } else { v }) } else { hi };
    sum_of_squares(&hi)
}

/// Scales all gradients together so that their 2-norm is at most `max_norm`; the norm before. A packed tensor counts with
/// its flip gradient.
///
/// # Errors
/// `Value` for a negative bound; `NonFinite` if the norm is not finite and `error_if_nonfinite`.
pub fn clip_grad_norm(params: &[RBETensor], max_norm: f64, error_if_nonfinite: bool) -> Result<f64> {
    const OP: &str = "clip_grad_norm";
    if max_norm < 0.0 || max_norm.is_nan() {
        return Err(RbeError::value(OP, "max_norm >= 0", max_norm));
    }
    let mut total = 0.0;
    for p in params {
        total += match p.grad() {
            Some(Gradient::Dense(g)) => sum_of_squares(&g)?,
            Some(Gradient::Packed(cache)) => packed_squares(&cache)?,
            None => 0.0,
        };
    }
    let norm = total.sqrt();
    if !norm.is_finite() && error_if_nonfinite {
        return Err(RbeError::non_finite(OP, "a finite norm", norm));
    }
    let scale = max_norm / (norm + 1e-6);
    if scale < 1.0 {
        memory::assured(copies(params), || scale_grads(params, scale))?;
    }
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

fn scale_grads(params: &[RBETensor], scale: f64) -> Result<()> {
    for p in params {
        match p.grad() {
            Some(Gradient::Dense(g)) => {
                let times = |g: &Array| {
                    dispatch_float!("clip_grad_norm", g.dtype(), T => {
                        crate::array::map_into(g, &Array::scalar(T::of(scale)), |g: T, s: T| g * s)
                    })
                };
                times(&g)?;
            }
            Some(Gradient::Packed(cache)) => p.set_grad(Some(Gradient::Packed(cache.scaled(scale as f32))))?,
            None => {}
        }
    }
    Ok(())
}

/// Holds every element of the dense gradients within `[-bound, bound]`.
///
/// # Errors
/// `Value` for a negative bound; `DType` if a packed tensor has a gradient, whose elements are not stored.
pub fn clip_grad_value(params: &[RBETensor], bound: f64) -> Result<()> {
    const OP: &str = "clip_grad_value";
    if bound < 0.0 || bound.is_nan() {
        return Err(RbeError::value(OP, "a bound >= 0", bound));
    }
    if params.iter().any(|p| matches!(p.grad(), Some(Gradient::Packed(_)))) {
        return Err(RbeError::dtype(OP, "dense gradients (use clip_grad_norm)", "one of a packed tensor"));
    }
    memory::assured(copies(params), || {
        for p in params {
            if let Some(Gradient::Dense(g)) = p.grad() {
                dispatch_float!(OP, g.dtype(), T => crate::array::map_into(&g, &Array::scalar(T::of(bound)), |g: T, b: T| g.max(-b).min(b)))?;
            }
        }
        Ok(())
    })
}
