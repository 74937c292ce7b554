//! What Python puts between brackets, as the core's subscripts.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyInt, PyList, PySlice, PyString, PyTuple};
use rbe_core::op::{Place, Subscript};
use rbe_core::{DType, RbeError};

use crate::class::NewTensor;
use crate::convert::operand;
use crate::error::{OrRaise, raise};
use crate::gil::{enter_as, within};

/// Names in errors.
const OP: &str = "index";
const ASSIGN: &str = "assign";

/// A bound of a slice; what is beyond 64 bits is beyond every axis.
fn bound(slice: &Bound<'_, PySlice>, name: &Bound<'_, PyString>) -> PyResult<Option<i64>> {
    let value = slice.getattr(name)?;
    if value.is_none() {
        return Ok(None);
    }
    // What is no integer, but says which it stands for.
    let integer = if value.is_instance_of::<PyInt>() { value } else { slice.py().import("operator")?.call_method1("index", (value,))? };
    Ok(Some(integer.extract().or_else(|_| Ok::<i64, PyErr>(if integer.lt(0)? { i64::MIN } else { i64::MAX }))?))
}

fn subscript(item: &Bound<'_, PyAny>) -> PyResult<Subscript> {
    if item.is_none() {
        return Ok(Subscript::NewAxis);
    }
    if item.is_instance_of::<PyEllipsis>() {
        return Ok(Subscript::Ellipsis);
    }
    if let Ok(slice) = item.cast::<PySlice>() {
        let py = item.py();
        let (start, stop) = (bound(slice, intern!(py, "start"))?, bound(slice, intern!(py, "stop"))?);
        return Ok(Subscript::Slice { start, stop, step: bound(slice, intern!(py, "step"))?.unwrap_or(1) });
    }
    if item.is_instance_of::<PyInt>() && !item.is_instance_of::<PyBool>() {
        let wide = |_| raise(RbeError::index(OP, "an integer of 64 bits", item));
        return item.extract().map(Subscript::At).map_err(wide);
    }
    let index = operand(item, None)?;
    let array = index.array(OP).or_raise()?.clone();
    let is_empty_list = array.numel() == 0 && (item.is_instance_of::<PyList>() || item.is_instance_of::<PyTuple>());
    Ok(match array.dtype() {
        // NumPy's integers and tensors of one integer index as plain integers do: they give views.
        dtype if dtype.is_integer() && array.ndim() == 0 => Subscript::At(array.wide().to_vec::<i64>().or_raise()?[0]),
        _ if is_empty_list => Subscript::Array(array.cast(DType::I64)),
        _ => Subscript::Array(array),
    })
}

fn place(shape: &[usize], index: &Bound<'_, PyAny>) -> PyResult<Place> {
    let items: Vec<Subscript> = match index.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(|item| subscript(&item)).collect::<PyResult<_>>()?,
        Err(_) => vec![subscript(index)?],
    };
    enter_as(index.py(), OP, || Place::new(shape, &items))
}

/// `tensor[index]`.
pub fn get(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
    within(OP, || {
        let place = place(tensor.shape(), index)?;
        enter_as(index.py(), OP, || tensor.at(&place)).map(NewTensor::from)
    })
}

/// `tensor[index] = value`, in place.
pub fn set(tensor: &rbe_core::RBETensor, index: &Bound<'_, PyAny>, value: &rbe_core::RBETensor) -> PyResult<()> {
    within(ASSIGN, || {
        tensor.writable(ASSIGN).or_raise()?;
        let place = place(tensor.shape(), index)?;
        enter_as(index.py(), ASSIGN, || tensor.set_at(ASSIGN, &place, value))
    })
}
