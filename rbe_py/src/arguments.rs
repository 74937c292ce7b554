//! Arguments of methods: axes, lengths and numbers, as Python gives them.

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyTuple};
use rbe_core::{DType, RbeError};

use crate::convert::{dtype_of, type_name};
use crate::error::raise;
use crate::tensor::RBETensor;

/// An integer argument: anything with `__index__`, but no bool, which would be read as 0 or 1.
pub struct Integer(pub isize);

impl<'py> FromPyObject<'_, 'py> for Integer {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Integer> {
        let is_bool = object.is_instance_of::<PyBool>() || object.cast::<RBETensor>().is_ok_and(|t| t.get().inner.dtype() == DType::Bool);
        let integer = if is_bool { None } else { object.extract().ok() };
        integer.map(Integer).ok_or_else(|| {
            let is_long = !is_bool && object.is_instance_of::<PyInt>();
            raise(if is_long {
                RbeError::index("argument", "an integer of 64 bits", described(&object))
            } else {
                RbeError::dtype("argument", "an integer", described(&object))
            })
        })
    }
}

/// A number argument, within float64.
pub fn float(object: &Bound<'_, PyAny>) -> PyResult<f64> {
    object.extract().map_err(|error: PyErr| {
        if !error.is_instance_of::<PyOverflowError>(object.py()) {
            return error;
        }
        raise(RbeError::value("argument", "a number that float64 holds", described(object)))
    })
}

/// An integer argument, as [`Integer`].
pub fn whole(object: &Bound<'_, PyAny>) -> PyResult<isize> {
    object.extract().map(|integer: Integer| integer.0)
}

/// Characters of a value that errors show.
const SHOWN: usize = 80;

/// Type and value of an argument, for errors.
fn described(object: &Bound<'_, PyAny>) -> String {
    let kind = type_name(object);
    let text = object.repr().map_or_else(|_| String::new(), |text| text.to_string());
    if text.chars().count() <= SHOWN {
        format!("{kind} {text}")
    } else {
        format!("{kind} {}…", text.chars().take(SHOWN).collect::<String>())
    }
}

/// One axis, or a sequence of them.
pub struct Axes(pub Vec<isize>);

impl<'py> FromPyObject<'_, 'py> for Axes {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Axes> {
        if let Ok(list) = object.extract::<Vec<Integer>>() {
            return Ok(Axes(list.into_iter().map(|i| i.0).collect()));
        }
        match object.extract::<Integer>() {
            Ok(axis) => Ok(Axes(vec![axis.0])),
            Err(_) => Err(raise(RbeError::dtype("argument", "an integer or a sequence of them", described(&object)))),
        }
    }
}

/// One integer, several arguments or one sequence of integers.
pub fn integers(args: &Bound<'_, PyTuple>) -> PyResult<Vec<isize>> {
    if args.len() == 1 {
        let only = args.get_item(0)?;
        if !only.is_instance_of::<PyInt>() {
            return only.extract::<Axes>().map(|axes| axes.0);
        }
    }
    args.extract::<Vec<Integer>>().map(|list| list.into_iter().map(|i| i.0).collect())
}

/// As [`integers`], or the keyword that stands for all of them.
pub fn integers_or(args: &Bound<'_, PyTuple>, keyword: Option<Axes>) -> PyResult<Vec<isize>> {
    match keyword {
        Some(axes) if args.is_empty() => Ok(axes.0),
        Some(_) => Err(PyTypeError::new_err("one argument is given twice, by position and by keyword")),
        None => integers(args),
    }
}

/// The argument that NumPy and torch name differently: `axis` and `dim`.
pub fn either<T>(axis: Option<T>, dim: Option<T>) -> PyResult<Option<T>> {
    match (axis, dim) {
        (Some(_), Some(_)) => Err(PyTypeError::new_err("axis and dim are one argument: give one of them")),
        (axis, dim) => Ok(axis.or(dim)),
    }
}

/// Axes to reduce, given as `axis` or as `dim`; all for `None`, and for none, as torch reads it.
pub fn reduced(axis: Option<Axes>, dim: Option<Axes>) -> PyResult<Option<Vec<isize>>> {
    Ok(either(axis, dim)?.map(|axes| axes.0).filter(|axes| !axes.is_empty()))
}

/// The element type of a keyword.
pub fn dtype_or_none(dtype: Option<&Bound<'_, PyAny>>) -> PyResult<Option<DType>> {
    dtype.filter(|d| !d.is_none()).map(dtype_of).transpose()
}

/// What is subtracted from the count in a variance, from torch's two ways to say it: `correction`, of which a bool is read as
/// `unbiased`, and `unbiased`. A variance over all may have `unbiased` in the place of the axes.
pub fn correction(op: &'static str, correction: Option<&Bound<'_, PyAny>>, unbiased: Option<bool>) -> PyResult<f64> {
    let correction = correction.filter(|c| !c.is_none());
    match (correction, unbiased) {
        (Some(_), Some(_)) => Err(PyTypeError::new_err(format!("{op}: correction and unbiased are one argument: give one of them"))),
        (None, unbiased) => Ok(f64::from(u8::from(unbiased.unwrap_or(true)))),
        (Some(given), None) => match given.cast::<PyBool>() {
            Ok(unbiased) => Ok(f64::from(u8::from(unbiased.is_true()))),
            Err(_) => given.extract::<f64>().map_err(|_| raise(RbeError::dtype(op, "a number as correction", described(given)))),
        },
    }
}
