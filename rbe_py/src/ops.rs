//! Operations that are functions rather than methods.

use pyo3::prelude::*;
use rbe_core::array::Array;
use rbe_core::op::{CrossEntropyOptions, Reduction, Running};
use rbe_core::{RbeError, memory, parallel};

use crate::autograd::{Tensor, tensors};
use crate::class::NewTensor;
use crate::convert::operand;
use crate::error::{OrRaise, raise};
use crate::gil::enter;
use crate::tensor::RBETensor;

fn joined(
    py: Python<'_>,
    list: Vec<PyRef<'_, RBETensor>>,
    axis: isize,
    join: fn(&[&Tensor], isize) -> rbe_core::Result<Tensor>,
) -> PyResult<NewTensor> {
    let list = tensors(list);
    enter(py, || join(&list.iter().collect::<Vec<_>>(), axis)).map(NewTensor::from)
}

/// Tensors one after another along an axis.
#[pyfunction]
pub fn concat(py: Python<'_>, tensors: Vec<PyRef<'_, RBETensor>>, axis: isize) -> PyResult<NewTensor> {
    joined(py, tensors, axis, Tensor::concat)
}

/// Tensors of one shape along a new axis.
#[pyfunction]
pub fn stack(py: Python<'_>, tensors: Vec<PyRef<'_, RBETensor>>, axis: isize) -> PyResult<NewTensor> {
    joined(py, tensors, axis, Tensor::stack)
}

/// Elements of `a` where a condition holds, of `b` elsewhere.
#[pyfunction(name = "where")]
pub fn where_(condition: &Bound<'_, PyAny>, a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    let py = a.py();
    let condition = operand(condition, None)?;
    let like = |o: &Bound<'_, PyAny>| o.cast::<RBETensor>().ok().map(|t| t.get().inner.number_type());
    let (dtype_a, dtype_b) = (like(a), like(b));
    let (x, y) = (operand(a, dtype_b)?, operand(b, dtype_a)?);
    let out = enter(py, || condition.where_(&x, &y))?;
    Ok(out.into())
}

/// Mean of squared differences.
#[pyfunction]
pub fn mse_loss(py: Python<'_>, prediction: &RBETensor, target: &RBETensor) -> PyResult<NewTensor> {
    enter(py, || rbe_core::op::mse_loss(&prediction.inner, &target.inner)).map(NewTensor::from)
}

/// Cross entropy of logits and class indices.
#[pyfunction]
#[pyo3(signature = (logits, target, weight = None, ignore_index = -100, reduction = "mean", label_smoothing = 0.0))]
pub fn cross_entropy(
    py: Python<'_>,
    logits: &RBETensor,
    target: &RBETensor,
    weight: Option<Vec<f64>>,
    ignore_index: i64,
    reduction: &str,
    label_smoothing: f64,
) -> PyResult<NewTensor> {
    let options = CrossEntropyOptions { label_smoothing, ignore_index, weight, reduction: Reduction::by_name(reduction).or_raise()? };
    enter(py, || logits.inner.cross_entropy(&target.inner, options)).map(NewTensor::from)
}

/// Normalisation over trailing axes.
#[pyfunction]
#[pyo3(signature = (x, shape, weight = None, bias = None, eps = 1e-5))]
pub fn layer_norm(
    py: Python<'_>,
    x: &RBETensor,
    shape: Vec<usize>,
    weight: Option<&RBETensor>,
    bias: Option<&RBETensor>,
    eps: f64,
) -> PyResult<NewTensor> {
    let (weight, bias) = (weight.map(|t| &t.inner), bias.map(|t| &t.inner));
    enter(py, || x.inner.layer_norm(&shape, weight, bias, eps)).map(NewTensor::from)
}

/// Division by the root of the mean square over trailing axes.
#[pyfunction]
#[pyo3(signature = (x, shape, weight = None, eps = 1e-5))]
pub fn rms_norm(py: Python<'_>, x: &RBETensor, shape: Vec<usize>, weight: Option<&RBETensor>, eps: f64) -> PyResult<NewTensor> {
    enter(py, || x.inner.rms_norm(&shape, weight.map(|t| &t.inner), eps)).map(NewTensor::from)
}

/// Normalisation of channels.
#[pyfunction]
#[pyo3(signature = (x, running_mean = None, running_var = None, weight = None, bias = None, training = false, momentum = 0.1, eps = 1e-5))]
#[allow(clippy::too_many_arguments)] // torch's signature
pub fn batch_norm(
    py: Python<'_>,
    x: &RBETensor,
    running_mean: Option<&RBETensor>,
    running_var: Option<&RBETensor>,
    weight: Option<&RBETensor>,
    bias: Option<&RBETensor>,
    training: bool,
    momentum: f64,
    eps: f64,
) -> PyResult<NewTensor> {
    let running = match (running_mean, running_var) {
        (Some(mean), Some(var)) => {
            let array = |t: &RBETensor| -> PyResult<Array> {
                let array = if training { t.inner.writable("batch_norm") } else { t.inner.array("batch_norm") };
                Ok(array.or_raise()?.clone())
            };
            Some(Running { mean: array(mean)?, var: array(var)?, momentum })
        }
        (None, None) => None,
        _ => return Err(raise(RbeError::value("batch_norm", "running_mean and running_var, or neither", "one of them"))),
    };
    let (weight, bias) = (weight.map(|t| &t.inner), bias.map(|t| &t.inner));
    enter(py, || x.inner.batch_norm(running, weight, bias, training, eps)).map(NewTensor::from)
}

/// `x Wᵀ + b` with two levels a block, differentiable in x, z and bias; `hi` as int64 words.
#[pyfunction]
#[pyo3(signature = (x, hi, z, scale, bias = None))]
pub fn two_level_linear(
    py: Python<'_>,
    x: &RBETensor,
    hi: &RBETensor,
    z: &RBETensor,
    scale: f64,
    bias: Option<&RBETensor>,
) -> PyResult<NewTensor> {
    let bias = bias.map(|t| &t.inner);
    enter(py, || x.inner.two_level_linear(&words(&hi.inner)?, &z.inner, scale, bias)).map(NewTensor::from)
}

/// `d · g(ω x + θ)`, differentiable in x and z; `hi` as int64 words.
#[pyfunction]
pub fn rbe_activation(py: Python<'_>, x: &RBETensor, hi: &RBETensor, z: &RBETensor) -> PyResult<NewTensor> {
    enter(py, || x.inner.rbe_activation(&words(&hi.inner)?, &z.inner)).map(NewTensor::from)
}

/// `x Wᵀ + b` with weights generated by the cycle states of a packed tensor (blocks, 11).
#[pyfunction]
#[pyo3(signature = (x, weight, bias = None))]
pub fn cycle_linear(py: Python<'_>, x: &RBETensor, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<NewTensor> {
    let bias = bias.map(|t| &t.inner);
    enter(py, || x.inner.cycle_linear(&weight.inner, bias)).map(NewTensor::from)
}

/// The same with the states as int64 words, differentiable in x, z and bias.
#[pyfunction]
#[pyo3(signature = (x, hi, z, scale, bias = None))]
pub fn cycle_linear_of(
    py: Python<'_>,
    x: &RBETensor,
    hi: &RBETensor,
    z: &RBETensor,
    scale: f64,
    bias: Option<&RBETensor>,
) -> PyResult<NewTensor> {
    let bias = bias.map(|t| &t.inner);
    enter(py, || x.inner.cycle_linear_of(&words(&hi.inner)?, &z.inner, scale, bias)).map(NewTensor::from)
}

/// The words of an int64 tensor.
pub fn words(hi: &Tensor) -> rbe_core::Result<Vec<u64>> {
    let array = hi.array("hi")?;
    parallel::long_work(hi.numel() as u64, || Ok(memory::collect(array.to_vec::<i64>()?.into_iter().map(i64::cast_unsigned))))
}
