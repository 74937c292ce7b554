//! Comparison of the tape's gradients with central differences, in float64.

use crate::array::Array;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::tape::{self, BackwardOptions, RBETensor, with_grad};

/// Tolerances of [`gradcheck`]: a gradient `a` and a difference `d` agree if `|a - d| <= atol + rtol |d|`.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Half the distance of the two evaluations.
    pub eps: f64,
    /// Absolute.
    pub atol: f64,
    /// Relative.
    pub rtol: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Tolerance { eps: 1e-6, atol: 1e-7, rtol: 1e-6 }
    }
}

/// Weights of the outputs, fixed and without symmetry, so that the scalar checked depends on every element in its own way.
fn upstream(like: &Array) -> Array {
    Array::build(like.shape(), |out: &mut [f64]| {
        for (i, o) in out.iter_mut().enumerate() {
            *o = (1.3 * i as f64 + 0.7).sin() + 0.11;
        }
    })
}

/// Checks the gradient of `f` with respect to every float64 input that requires one.
///
/// # Errors
/// `Value` that names the worst element if a gradient is off; errors of `f`; `DType` if no input is checked or the result
/// is not float64.
pub fn gradcheck(f: impl Fn(&[RBETensor]) -> Result<RBETensor>, inputs: &[RBETensor], tolerance: Tolerance) -> Result<()> {
    const OP: &str = "gradcheck";
    let checked: Vec<usize> = (0..inputs.len()).filter(|i| inputs[*i].requires_grad()).collect();
    if checked.is_empty() || checked.iter().any(|i| inputs[*i].dtype() != DType::F64 || inputs[*i].is_packed()) {
        let got: Vec<String> = checked.iter().map(|i| inputs[*i].dtype().to_string()).collect();
        let got = format!("{} inputs that require grad, of {got:?}", checked.len());
        return Err(RbeError::dtype(OP, "float64 inputs, at least one of which requires grad", got));
    }
    let y = f(inputs)?;
    if y.dtype() != DType::F64 {
        return Err(RbeError::dtype(OP, "a float64 result", y.dtype()));
    }
    let weights = upstream(y.array(OP)?);
    let targets: Vec<&RBETensor> = checked.iter().map(|i| &inputs[*i]).collect();
    let found = tape::grad(&[&y], &targets, &[Some(weights.clone())], BackwardOptions::default())?;

    let scalar = |inputs: &[RBETensor]| -> Result<f64> {
        let y = with_grad(false, || f(inputs))?;
        let values = y.array(OP)?.to_vec::<f64>()?;
        Ok(values.iter().zip(weights.read::<f64>().iter()).map(|(y, w)| y * w).sum())
    };
    for (i, gradient) in checked.into_iter().zip(found) {
        let value = inputs[i].array(OP)?.to_vec::<f64>()?;
        let analytic = match gradient {
            Some(Gradient::Dense(g)) => g.to_vec::<f64>()?,
            _ => vec![0.0; value.len()],
        };
        let mut moved = inputs.to_vec();
        let mut at = |k: usize, v: f64| -> Result<f64> {
            let mut values = value.clone();
            values[k] = v;
            moved[i] = RBETensor::new(&values, inputs[i].shape())?;
            scalar(&moved)
        };
        let mut worst: Option<(f64, String)> = None;
        for k in 0..value.len() {
            let difference = (at(k, value[k] + tolerance.eps)? - at(k, value[k] - tolerance.eps)?) / (2.0 * tolerance.eps);
            let excess = (analytic[k] - difference).abs() - tolerance.atol - tolerance.rtol * difference.abs();
            let excess = if excess.is_nan() { f64::INFINITY } else { excess }; // a NaN fails too
            if excess > 0.0 && worst.as_ref().is_none_or(|(w, _)| excess > *w) {
                worst = Some((excess, format!("gradient {} but difference {difference} at element {k} of input {i}", analytic[k])));
            }
        }
        if let Some((_, report)) = worst {
            return Err(RbeError::value(OP, format!("agreement within atol {} + rtol {}", tolerance.atol, tolerance.rtol), report));
        }
    }
    Ok(())
}
