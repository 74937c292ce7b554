//! Operators of the tensor class, and what stands between brackets.

use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyMemoryError, PyTypeError};
use pyo3::prelude::*;
use rbe_core::op::{Comparison, Logic};

use crate::methods::{binary, unary};
use crate::tensor::{RBETensor, operand};

type Tensor = rbe_core::RBETensor;

#[pymethods]
impl RBETensor {
    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        if let Err(error) = operand(other, None) {
            return if error.is_instance_of::<PyMemoryError>(py) { Err(error) } else { Ok(py.NotImplemented()) };
        }
        let which = match op {
            CompareOp::Eq => Comparison::Eq,
            CompareOp::Ne => Comparison::Ne,
            CompareOp::Lt => Comparison::Lt,
            CompareOp::Le => Comparison::Le,
            CompareOp::Gt => Comparison::Gt,
            CompareOp::Ge => Comparison::Ge,
        };
        Ok(Py::new(py, binary(self, other, false, |a, b| a.compare(b, which))?)?.into_any())
    }
    fn __and__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::And))
    }
    fn __rand__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::And))
    }
    fn __or__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Or))
    }
    fn __ror__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Or))
    }
    fn __xor__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Xor))
    }
    fn __rxor__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Xor))
    }

    fn __add__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::add)
    }
    fn __radd__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::add)
    }
    fn __sub__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::sub)
    }
    fn __rsub__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::sub)
    }
    fn __mul__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::mul)
    }
    fn __rmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::mul)
    }
    fn __truediv__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::div)
    }
    fn __rtruediv__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::div)
    }
    fn __floordiv__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::floor_divide)
    }
    fn __rfloordiv__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::floor_divide)
    }
    fn __mod__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::remainder)
    }
    fn __rmod__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::remainder)
    }
    fn __matmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, false, Tensor::matmul)
    }
    fn __rmatmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::matmul)
    }
    fn __pow__(&self, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
        self.pow(other)
    }
    fn __rpow__(&self, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
        binary(self, other, true, Tensor::pow)
    }
    fn __neg__(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::neg)
    }
    fn __pos__(&self) -> RBETensor {
        self.inner.clone().into()
    }
    fn __abs__(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::abs)
    }
    fn __invert__(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::bitwise_not)
    }
    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        crate::index::get(&self.inner, index)
    }
    fn __delitem__(&self, _index: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyTypeError::new_err("elements of a tensor cannot be deleted"))
    }
    fn __setitem__(&self, index: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        crate::index::set(&self.inner, index, &operand(value, Some(self.inner.dtype()))?)
    }
}
