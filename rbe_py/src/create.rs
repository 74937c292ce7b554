//! Tensors from values and from random numbers.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyTuple};
use rbe_core::array::{Array, map};
use rbe_core::packed::PackedTensor;
use rbe_core::{DType, RbeError, memory, random};

use crate::class::NewTensor;
use crate::convert::dtype_of;
use crate::error::{OrRaise, raise};
use crate::gil::{enter_for, within};
use crate::ops::words;
use crate::tensor::RBETensor;
use crate::turns::Turns;

/// Numbers of a nested list, in row-major order, with the shape and the narrowest type that holds them.
struct Flat {
    values: Vec<f64>,
    ints: Vec<i64>,
    shape: Vec<usize>,
    dtype: DType,
    beyond: Option<f64>, // a number that int64 does not hold
}

/// `v` as an integer, rounded towards 0, if int64 holds it.
fn integer(v: f64) -> Option<i64> {
    (v.trunc() >= -9_223_372_036_854_775_808.0 && v.trunc() < 9_223_372_036_854_775_808.0).then_some(v as i64)
}

fn beyond_integers(op: &str, v: f64) -> PyErr {
    raise(RbeError::value(op.to_owned(), "numbers that int64 holds", v))
}

/// Fails for a number beyond the integers of a type shorter than int64.
fn check_bounds(op: &str, dtype: DType, v: f64) -> PyResult<()> {
    match dtype.bounds() {
        Some((low, high)) if dtype != DType::I64 && !(v.trunc() >= low as f64 && v.trunc() <= high as f64) => {
            Err(raise(RbeError::value(op.to_owned(), format!("numbers from {low} to {high} for {dtype}"), v)))
        }
        _ => Ok(()),
    }
}

impl Flat {
    fn push(&mut self, v: f64) {
        let int = integer(v);
        if int.is_none() {
            self.beyond.get_or_insert(v);
        }
        memory::push(&mut self.ints, int.unwrap_or(0));
        memory::push(&mut self.values, v);
    }
}

fn flatten(object: &Bound<'_, PyAny>, depth: usize, flat: &mut Flat, turns: &mut Turns) -> PyResult<()> {
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
        return object.try_iter()?.try_for_each(|item| flatten(&item?, depth + 1, flat, turns));
    }
    turns.step(object.py())?;
    if depth != flat.shape.len() {
        return Err(raise(RbeError::shape("tensor", "lists of one depth", "a number beside a list")));
    }
    // Scalars of NumPy and tensors without axes have a type of their own; arrays with axes are the caller's business.
    let exact = object.is_exact_instance_of::<PyFloat>() || object.is_instance_of::<PyInt>();
    if !exact && let Ok(ndim) = object.getattr("ndim").and_then(|n| n.extract::<usize>()) {
        if ndim != 0 {
            return Err(PyTypeError::new_err("an array inside a list"));
        }
        let dtype = object.getattr("dtype").and_then(|d| dtype_of(&d));
        let before = flat.dtype;
        flatten(&object.call_method0("item")?, depth, flat, turns)?;
        if let Ok(dtype) = dtype {
            flat.dtype = before.promote(dtype.wide()); // in lists, however short they are
        }
        return Ok(());
    }
    let dtype = if object.is_instance_of::<PyBool>() {
        DType::Bool
    } else if object.is_instance_of::<PyInt>() {
        DType::I64
    } else {
        DType::default_float()
    };
    flat.dtype = flat.dtype.promote(dtype);
    match object.extract::<i64>() {
        Ok(v) if dtype == DType::I64 => {
            memory::push(&mut flat.ints, v);
            memory::push(&mut flat.values, v as f64);
        }
        _ => {
            let v = if object.is_instance_of::<PyFloat>() { object.extract() } else { object.call_method0("__float__")?.extract() };
            flat.push(v.map_err(|_| raise(RbeError::value("tensor", "numbers that int64 or float64 holds", object)))?);
        }
    }
    Ok(())
}

/// Tensor of a number or nested lists of numbers.
#[pyfunction]
#[pyo3(signature = (data, dtype = None))]
pub fn tensor_from_list(data: &Bound<'_, PyAny>, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
    from_nested(data, dtype.map(dtype_of).transpose()?).map(NewTensor::from)
}

/// Array of a number or nested lists of numbers, of the type that holds them or of `dtype`.
pub fn from_nested(data: &Bound<'_, PyAny>, dtype: Option<DType>) -> PyResult<Array> {
    const OP: &str = "tensor";
    let flat = within(OP, || {
        let mut flat = Flat { values: Vec::new(), ints: Vec::new(), shape: Vec::new(), dtype: DType::Bool, beyond: None };
        flatten(data, 0, &mut flat, &mut Turns::new())?;
        Ok(flat)
    })?;
    let own = if flat.values.is_empty() { DType::default_float() } else { flat.dtype };
    let dtype = dtype.unwrap_or(own);
    if let Some(v) = flat.beyond.filter(|_| dtype == DType::I64) {
        return Err(beyond_integers(OP, v));
    }
    flat.values.iter().try_for_each(|v| check_bounds(OP, dtype, *v))?;
    enter_for(data.py(), OP, flat.values.len(), || match dtype {
        DType::I64 => Array::from_slice(&flat.ints, &flat.shape),
        _ => Array::from_slice(&flat.values, &flat.shape).map(|a| a.cast(dtype)),
    })
}

/// The element type that Python's floats become, and integers where a function has only float results.
#[pyfunction(name = "_set_default_dtype")]
pub fn set_default_dtype(dtype: &Bound<'_, PyAny>) -> PyResult<()> {
    DType::set_default_float(dtype_of(dtype)?).or_raise()
}

/// Every element one number; `op` is the name in errors.
#[pyfunction]
#[pyo3(signature = (shape, value, dtype, op = "full"))]
pub fn full(py: Python<'_>, shape: Vec<usize>, value: &Bound<'_, PyAny>, dtype: &Bound<'_, PyAny>, op: &str) -> PyResult<NewTensor> {
    let dtype = dtype_of(dtype)?;
    let float = || -> PyResult<f64> {
        let wrong = |_| raise(RbeError::value(op.to_owned(), format!("a number that {dtype} holds"), value));
        value.extract().map_err(wrong)
    };
    if dtype != DType::I64 {
        let value = float()?;
        check_bounds(op, dtype, value)?;
        return Ok(enter_for(py, op, elements(&shape), || Ok(Array::full(dtype, &shape, value)))?.into());
    }
    let value = match value.extract::<i64>() {
        Ok(value) => value,
        Err(_) => {
            let v = float()?;
            integer(v).ok_or_else(|| beyond_integers(op, v))?
        }
    };
    Ok(enter_for(py, op, elements(&shape), || Ok(Array::build(&shape, |out: &mut [i64]| out.fill(value))))?.into())
}

/// `start`, `start + step`, … before `end`, of integers.
#[pyfunction(name = "_arange_integers")]
pub fn arange_integers(py: Python<'_>, start: i64, end: i64, step: i64, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    let dtype = dtype_of(dtype)?;
    let (from, to, by) = (i128::from(start), i128::from(end), i128::from(step));
    check_range(step == 0, (to - from) * by.signum() < 0, || format!("{start}, {end}, {step}"))?;
    let count = ((to - from).abs() + by.abs() - 1) / by.abs();
    let count = length(count as f64)?;
    Ok(enter_for(py, "arange", count, || Ok(Array::integers_from(start, step, count).cast(dtype)))?.into())
}

/// `start`, `start + step`, … before `end`; of integers start and step are truncated, as torch has it.
#[pyfunction(name = "_arange_floats")]
pub fn arange_floats(py: Python<'_>, start: f64, end: f64, step: f64, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    let dtype = dtype_of(dtype)?;
    let given = || format!("{start}, {end}, {step}");
    if !(start.is_finite() && end.is_finite() && step.is_finite()) {
        return Err(raise(RbeError::value("arange", "finite bounds and step", given())));
    }
    check_range(step == 0.0, (end - start) * step < 0.0, given)?;
    let count = length(((end - start) / step).ceil())?;
    if dtype != DType::I64 {
        return Ok(enter_for(py, "arange", count, || Ok(Array::floats_from(dtype, start, step, count)))?.into());
    }
    let whole = |v: f64| integer(v).ok_or_else(|| beyond_integers("arange", v));
    let (start, step) = (whole(start)?, whole(step)?);
    Ok(enter_for(py, "arange", count, || Ok(Array::integers_from(start, step, count)))?.into())
}

fn check_range(still: bool, away: bool, given: impl Fn() -> String) -> PyResult<()> {
    if still {
        return Err(raise(RbeError::value("arange", "a step other than 0", given())));
    }
    if away {
        return Err(raise(RbeError::value("arange", "a step from start towards end", given())));
    }
    Ok(())
}

/// A count of elements; more than there are addresses is an error of memory.
fn length(count: f64) -> PyResult<usize> {
    let fits = count * size_of::<f64>() as f64 <= isize::MAX as f64;
    let got = || format!("{count} elements: more bytes than there are addresses");
    if fits { Ok(count as usize) } else { Err(raise(RbeError::memory("arange", "results and scratch that fit in memory", got()))) }
}

/// `steps` evenly spaced numbers from `start` to `end`, both included.
#[pyfunction(name = "_linspace")]
pub fn linspace(py: Python<'_>, start: f64, end: f64, steps: usize, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    let dtype = dtype_of(dtype)?;
    Ok(enter_for(py, "linspace", steps, || Ok(Array::spaced(dtype, start, end, steps)))?.into())
}

/// Ones on the diagonal of a matrix of zeros.
#[pyfunction(name = "_eye")]
pub fn eye(py: Python<'_>, rows: usize, cols: usize, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    let dtype = dtype_of(dtype)?;
    Ok(enter_for(py, "eye", elements(&[rows, cols]), || Ok(Array::eye(dtype, rows, cols)))?.into())
}

/// Number of elements of a shape, saturated; the core refuses shapes that are too large.
fn elements(shape: &[usize]) -> usize {
    memory::count(shape).unwrap_or(usize::MAX)
}

/// The stream of a seed, or the next of the process.
fn stream(seed: Option<u64>) -> random::Stream {
    seed.map_or_else(random::stream, |seed| random::Generator::new(seed).stream())
}

fn floats(py: Python<'_>, op: &str, shape: &[usize], dtype: &Bound<'_, PyAny>, seed: Option<u64>, normal: bool) -> PyResult<NewTensor> {
    let dtype = dtype_of(dtype)?;
    if !dtype.is_float() {
        return Err(raise(RbeError::dtype(op.to_owned(), "a dtype of floats", dtype)));
    }
    // A stream is taken when there is memory for its numbers.
    let fill = || {
        let drawn = rbe_core::dispatch_float!("random", dtype.wide(), T => Ok(Array::build(shape, |out: &mut [T]| {
            let stream = stream(seed);
            if normal { stream.normal(out) } else { stream.uniform(out) }
        })))?;
        // Uniform numbers of 16 bits are cut, not rounded: those next to 1 would become 1.
        let cut = |places: i32| map(&drawn, |v: f32| (v * 2f32.powi(places)).floor() * 2f32.powi(-places)).cast(dtype);
        Ok(match dtype {
            DType::F16 if !normal => cut(11),
            DType::BF16 if !normal => cut(8),
            _ => drawn.cast(dtype),
        })
    };
    Ok(enter_for(py, op, elements(shape), fill)?.into())
}

/// Uniform in [0, 1).
#[pyfunction]
#[pyo3(signature = (shape, dtype, seed = None))]
pub fn rand(py: Python<'_>, shape: Vec<usize>, dtype: &Bound<'_, PyAny>, seed: Option<u64>) -> PyResult<NewTensor> {
    floats(py, "rand", &shape, dtype, seed, false)
}

/// Standard normal.
#[pyfunction]
#[pyo3(signature = (shape, dtype, seed = None))]
pub fn randn(py: Python<'_>, shape: Vec<usize>, dtype: &Bound<'_, PyAny>, seed: Option<u64>) -> PyResult<NewTensor> {
    floats(py, "randn", &shape, dtype, seed, true)
}

/// Integers in [low, high).
#[pyfunction]
#[pyo3(signature = (low, high, shape, seed = None))]
pub fn randint(py: Python<'_>, low: i64, high: i64, shape: Vec<usize>, seed: Option<u64>) -> PyResult<NewTensor> {
    if low >= high {
        return Err(raise(RbeError::value("randint", "low < high", format!("{low} and {high}"))));
    }
    let draw = || Ok(Array::build(&shape, |out: &mut [i64]| stream(seed).integers(low, high, out)));
    Ok(enter_for(py, "randint", elements(&shape), draw)?.into())
}

/// A random order of 0 … n - 1.
#[pyfunction(name = "_randperm")]
#[pyo3(signature = (n, seed = None))]
pub fn randperm(py: Python<'_>, n: usize, seed: Option<u64>) -> PyResult<NewTensor> {
    let draw = || Ok(Array::build(&[n], |out: &mut [i64]| stream(seed).permutation(out)));
    Ok(enter_for(py, "randperm", n, draw)?.into())
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
pub fn packed(
    py: Python<'_>,
    hi: &RBETensor,
    lo: &RBETensor,
    shape: Vec<usize>,
    scale: Option<f32>,
    requires_grad: bool,
) -> PyResult<NewTensor> {
    let tensor = enter_for(py, "packed", lo.inner.numel(), || {
        let points = lo.inner.array("packed")?.cast(DType::F32).to_vec::<f32>()?;
        PackedTensor::new(&shape, &words(&hi.inner)?, &points, scale)
    })?;
    Ok(rbe_core::RBETensor::from_packed(tensor, requires_grad).into())
}

/// Cycle states of a weight (rows, cols) in their initial state.
#[pyfunction(name = "_random_cycles")]
pub fn random_cycles(py: Python<'_>, rows: usize, cols: usize) -> PyResult<NewTensor> {
    let tensor = enter_for(py, "random_cycles", elements(&[rows, cols]), || PackedTensor::initial_cycles([rows, cols], random::stream))?;
    Ok(rbe_core::RBETensor::from_packed(tensor, false).into())
}

/// Packed tensor in its initial state.
#[pyfunction(name = "_random_packed")]
#[pyo3(signature = (shape, scale = None))]
pub fn random_packed(py: Python<'_>, shape: Vec<usize>, scale: Option<f32>) -> PyResult<NewTensor> {
    let tensor = enter_for(py, "random_packed", elements(&shape), || PackedTensor::initial(&shape, scale, random::stream))?;
    Ok(rbe_core::RBETensor::from_packed(tensor, false).into())
}

/// Nearest packed tensor.
#[pyfunction(name = "_encode")]
#[pyo3(signature = (dense, scale = None))]
pub fn encode(py: Python<'_>, dense: &RBETensor, scale: Option<f32>) -> PyResult<NewTensor> {
    let array = dense.inner.array("encode").or_raise()?;
    let tensor = enter_for(py, "encode", array.numel(), || PackedTensor::encode(array, scale))?;
    Ok(rbe_core::RBETensor::from_packed(tensor, false).into())
}
