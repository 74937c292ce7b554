//! Tensors from values and from random numbers.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyTuple};
use rbe_core::array::Array;
use rbe_core::packed::PackedTensor;
use rbe_core::{DType, RbeError, memory, random};

use crate::error::{OrRaise, raise};
use crate::ops::words;
use crate::runtime::{enter, within};
use crate::tensor::{RBETensor, dtype_of};

/// Numbers of a nested list, in row-major order, with the shape and the narrowest type that holds them.
struct Flat {
    values: Vec<f64>,
    ints: Vec<i64>,
    shape: Vec<usize>,
    dtype: DType,
}

fn flatten(object: &Bound<'_, PyAny>, depth: usize, flat: &mut Flat) -> PyResult<()> {
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let n = object.len()?;
        if depth == flat.shape.len() {
            if !flat.values.is_empty() {
                return Err(raise(RbeError::shape("tensor", "lists of one depth", "a number beside a list")));
            }
            flat.shape.push(n);
        } else if flat.shape[depth] != n {
            return Err(raise(RbeError::shape("tensor", format!("lists of {} items on axis {depth}", flat.shape[depth]), n)));
        }
        return object.try_iter()?.try_for_each(|item| flatten(&item?, depth + 1, flat));
    }
    if depth != flat.shape.len() {
        return Err(raise(RbeError::shape("tensor", "lists of one depth", "a number beside a list")));
    }
    // Scalars of NumPy and tensors without axes; arrays with axes are the caller's business.
    let plain = object.is_instance_of::<PyFloat>() || object.is_instance_of::<PyInt>();
    if !plain && let Ok(ndim) = object.getattr("ndim").and_then(|n| n.extract::<usize>()) {
        return match ndim {
            0 => flatten(&object.call_method0("item")?, depth, flat),
            _ => Err(PyTypeError::new_err("an array inside a list")),
        };
    }
    let dtype = if object.is_instance_of::<PyBool>() {
        DType::Bool
    } else if object.is_instance_of::<PyInt>() {
        DType::I64
    } else {
        DType::F32
    };
    flat.dtype = flat.dtype.promote(dtype);
    if dtype == DType::I64 {
        let v: i64 = object.extract().map_err(|_| raise(RbeError::value("tensor", "integers that int64 holds", object)))?;
        memory::push(&mut flat.ints, v);
        memory::push(&mut flat.values, v as f64);
    } else {
        let v: f64 = if object.is_instance_of::<PyFloat>() { object.extract()? } else { object.call_method0("__float__")?.extract()? };
        memory::push(&mut flat.ints, v as i64);
        memory::push(&mut flat.values, v);
    }
    Ok(())
}

/// Tensor of a number or nested lists of numbers.
#[pyfunction]
#[pyo3(signature = (data, dtype = None))]
pub fn tensor_from_list(data: &Bound<'_, PyAny>, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
    within("tensor", || {
        let mut flat = Flat { values: Vec::new(), ints: Vec::new(), shape: Vec::new(), dtype: DType::Bool };
        flatten(data, 0, &mut flat)?;
        let empty = if flat.values.is_empty() { DType::F32 } else { flat.dtype };
        let dtype = dtype.map(dtype_of).transpose()?.unwrap_or(empty);
        let array = if dtype == DType::I64 {
            Array::from_slice(&flat.ints, &flat.shape)
        } else {
            Array::from_slice(&flat.values, &flat.shape).map(|a| a.cast(dtype))
        };
        Ok(array.or_raise()?.into())
    })
}

/// Every element one value; `op` is the name in errors.
#[pyfunction]
#[pyo3(signature = (shape, value, dtype, op = "full"))]
pub fn full(shape: Vec<usize>, value: f64, dtype: &Bound<'_, PyAny>, op: &str) -> PyResult<RBETensor> {
    let dtype = dtype_of(dtype)?;
    within(op, || Ok(Array::full(dtype, &shape, value).into()))
}

/// `start`, `start + step`, … below `end`.
#[pyfunction]
pub fn arange(start: f64, end: f64, step: f64, dtype: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
    let count = ((end - start) / step).ceil();
    if step == 0.0 || !count.is_finite() {
        return Err(raise(RbeError::value("arange", "finite bounds and a step other than 0", format!("{start}, {end}, {step}"))));
    }
    let dtype = dtype_of(dtype)?;
    within("arange", || {
        let count = count.max(0.0) as usize; // at most the largest, which no memory holds
        let number = |i: usize| start + step * i as f64;
        let values = Array::build(&[count], |out: &mut [f64]| out.iter_mut().enumerate().for_each(|(i, o)| *o = number(i)));
        Ok(values.cast(dtype).into())
    })
}

fn floats(op: &str, shape: &[usize], dtype: &Bound<'_, PyAny>, normal: bool) -> PyResult<RBETensor> {
    let dtype = dtype_of(dtype)?;
    // A stream is taken when there is memory for its numbers.
    let fill = || {
        rbe_core::dispatch_float!("random", dtype, T => Ok(Array::build(shape, |out: &mut [T]| {
            let stream = random::stream();
            if normal { stream.normal(out) } else { stream.uniform(out) }
        })))
    };
    Ok(memory::guard(op, fill).or_raise()?.into())
}

/// Uniform in [0, 1).
#[pyfunction]
pub fn rand(shape: Vec<usize>, dtype: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
    floats("rand", &shape, dtype, false)
}

/// Standard normal.
#[pyfunction]
pub fn randn(shape: Vec<usize>, dtype: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
    floats("randn", &shape, dtype, true)
}

/// Integers in [low, high).
#[pyfunction]
pub fn randint(low: i64, high: i64, shape: Vec<usize>) -> PyResult<RBETensor> {
    if low >= high {
        return Err(raise(RbeError::value("randint", "low < high", format!("{low} and {high}"))));
    }
    within("randint", || Ok(Array::build(&shape, |out: &mut [i64]| random::stream().integers(low, high, out)).into()))
}

/// A random order of 0 … n - 1.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> sorted(rbe.randperm(3).tolist())
/// [0, 1, 2]
#[pyfunction]
pub fn randperm(n: usize) -> PyResult<RBETensor> {
    within("randperm", || Ok(Array::build(&[n], |out: &mut [i64]| random::stream().permutation(out)).into()))
}

/// Seeds the generator.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.manual_seed(1)
/// >>> a = rbe.rand(3)
/// >>> rbe.manual_seed(1)
/// >>> rbe.equal(rbe.rand(3), a)
/// True
#[pyfunction]
pub fn manual_seed(seed: &Bound<'_, PyAny>) -> PyResult<()> {
    let wrong = |_| raise(RbeError::value("manual_seed", "an integer from 0 to 2^64 - 1", seed));
    random::manual_seed(seed.extract::<u64>().map_err(wrong)?);
    Ok(())
}

/// Seed and number of streams taken.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.manual_seed(7)
/// >>> rbe.get_rng_state()
/// (7, 0)
#[pyfunction]
pub fn get_rng_state() -> (u64, u64) {
    random::state()
}

/// Puts the generator into a state.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> state = rbe.get_rng_state()
/// >>> a = rbe.rand(3)
/// >>> rbe.set_rng_state(state)
/// >>> rbe.equal(rbe.rand(3), a)
/// True
#[pyfunction]
pub fn set_rng_state(state: (u64, u64)) {
    random::set_state(state);
}

/// Packed tensor from int64 words and points.
#[pyfunction(name = "_packed")]
#[pyo3(signature = (hi, lo, shape, scale = None, requires_grad = false))]
pub fn packed(hi: &RBETensor, lo: &RBETensor, shape: Vec<usize>, scale: Option<f32>, requires_grad: bool) -> PyResult<RBETensor> {
    within("packed", || {
        let points = lo.inner.array("packed").or_raise()?.cast(DType::F32).to_vec::<f32>().or_raise()?;
        let tensor = PackedTensor::new(&shape, &words(hi)?, &points, scale).or_raise()?;
        Ok(rbe_core::RBETensor::from_packed(tensor, requires_grad).into())
    })
}

/// Packed tensor in its initial state.
#[pyfunction(name = "_random_packed")]
#[pyo3(signature = (shape, scale = None))]
pub fn random_packed(shape: Vec<usize>, scale: Option<f32>) -> PyResult<RBETensor> {
    within("random_packed", || {
        let tensor = PackedTensor::initial(&shape, scale, random::stream).or_raise()?;
        Ok(rbe_core::RBETensor::from_packed(tensor, false).into())
    })
}

/// Nearest packed tensor.
#[pyfunction(name = "_encode")]
#[pyo3(signature = (dense, scale = None))]
pub fn encode(py: Python<'_>, dense: &RBETensor, scale: Option<f32>) -> PyResult<RBETensor> {
    let array = dense.inner.array("encode").or_raise()?;
    let tensor = enter(py, array.numel(), || memory::guard("encode", || PackedTensor::encode(array, scale)))?;
    Ok(rbe_core::RBETensor::from_packed(tensor, false).into())
}
