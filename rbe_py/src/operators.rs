//! Operators of the tensor class, and what stands between brackets.

use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyMemoryError, PyTypeError};
use pyo3::prelude::*;
use rbe_core::op::{Comparison, Logic};

use crate::class::NewTensor;
use crate::convert::operand;
use crate::in_place::change;
use crate::methods::{Exponent, binary, unary};
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// An operator in place; whoever holds the tensor, or a view of it, sees the new elements. `keeps` as in [`change`].
fn in_place(
    slf: &Bound<'_, RBETensor>,
    op: &'static str,
    other: &Bound<'_, PyAny>,
    keeps: bool,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<()> {
    let other = operand(other, Some(slf.get().inner.dtype()))?;
    change(slf, op, Some(&other), keeps, |t| f(t, &other)).map(drop)
}

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
        Ok(binary(self, other, false, |a, b| a.compare(b, which))?.into_pyobject(py)?.into_any().unbind())
    }
    fn __and__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::And))
    }
    fn __rand__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::And))
    }
    fn __or__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Or))
    }
    fn __ror__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Or))
    }
    fn __xor__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Xor))
    }
    fn __rxor__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, |a, b| a.bitwise(b, Logic::Xor))
    }

    fn __add__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::add)
    }
    fn __radd__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::add)
    }
    fn __sub__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::sub)
    }
    fn __rsub__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::sub)
    }
    fn __mul__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::mul)
    }
    fn __rmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::mul)
    }
    fn __truediv__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::div)
    }
    fn __rtruediv__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::div)
    }
    fn __floordiv__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::floor_divide)
    }
    fn __rfloordiv__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::floor_divide)
    }
    fn __mod__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::remainder)
    }
    fn __rmod__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::remainder)
    }
    fn __matmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, false, Tensor::matmul)
    }
    fn __rmatmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::matmul)
    }
    fn __pow__(&self, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        self.pow(other)
    }
    fn __rpow__(&self, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::pow)
    }
    fn __iadd__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__iadd__", other, false, Tensor::add)
    }
    fn __isub__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__isub__", other, false, Tensor::sub)
    }
    fn __imul__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__imul__", other, true, Tensor::mul)
    }
    fn __itruediv__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__itruediv__", other, true, Tensor::div)
    }
    fn __ifloordiv__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__ifloordiv__", other, true, Tensor::floor_divide)
    }
    fn __imod__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__imod__", other, true, Tensor::remainder)
    }
    fn __ipow__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let power = Exponent::of(other, slf.get().inner.dtype())?;
        change(slf, "__ipow__", power.tensor(), true, |t| power.raise(t)).map(drop)
    }
    fn __iand__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__iand__", other, false, |a, b| a.bitwise(b, Logic::And))
    }
    fn __ior__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__ior__", other, false, |a, b| a.bitwise(b, Logic::Or))
    }
    fn __ixor__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
        in_place(slf, "__ixor__", other, false, |a, b| a.bitwise(b, Logic::Xor))
    }
    fn __neg__(&self, py: Python<'_>) -> PyResult<NewTensor> {
        unary(py, self, Tensor::neg)
    }
    fn __pos__(&self) -> NewTensor {
        self.inner.clone().into()
    }
    fn __abs__(&self, py: Python<'_>) -> PyResult<NewTensor> {
        unary(py, self, Tensor::abs)
    }
    fn __invert__(&self, py: Python<'_>) -> PyResult<NewTensor> {
        unary(py, self, Tensor::bitwise_not)
    }
    fn __getitem__(&self, index: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        crate::index::get(&self.inner, index)
    }
    fn __delitem__(&self, _index: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyTypeError::new_err("elements of a tensor cannot be deleted"))
    }
    fn __setitem__(&self, index: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        crate::index::set(&self.inner, index, &operand(value, Some(self.inner.dtype()))?)
    }
}
