//! Operators of the tensor class, and what stands between brackets.

// PyO3 calls unsafe functions in the slots that it writes; inside a macro they count as code of this file.
#![allow(unsafe_op_in_unsafe_fn)]

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

/// An operator, its reflected form and its form in place: whoever holds the tensor, or a view of it, sees the new elements. `keeps` as in
/// [`change`].
macro_rules! operators {
    ($($name:ident $reflected:ident $($in_place:ident keeps $keeps:literal)?: $f:expr;)*) => {
        #[pymethods]
        impl RBETensor {
            $(fn $name(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
                binary(self, other, false, $f)
            }
            fn $reflected(&self, other: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
                binary(self, other, true, $f)
            }
            $(fn $in_place(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<()> {
                let other = operand(other, Some(slf.get().inner.number_type()))?;
                change(slf, stringify!($in_place), Some(&other), $keeps, |t| ($f)(t, &other)).map(drop)
            })?)*
        }
    };
}

operators! {
    __add__ __radd__ __iadd__ keeps false: Tensor::add;
    __sub__ __rsub__ __isub__ keeps false: Tensor::sub;
    __mul__ __rmul__ __imul__ keeps true: Tensor::mul;
    __truediv__ __rtruediv__ __itruediv__ keeps true: Tensor::div;
    __floordiv__ __rfloordiv__ __ifloordiv__ keeps true: Tensor::floor_divide;
    __mod__ __rmod__ __imod__ keeps true: Tensor::remainder;
    __matmul__ __rmatmul__: Tensor::matmul;
    __and__ __rand__ __iand__ keeps false: |a: &Tensor, b: &Tensor| a.bitwise(b, Logic::And);
    __or__ __ror__ __ior__ keeps false: |a: &Tensor, b: &Tensor| a.bitwise(b, Logic::Or);
    __xor__ __rxor__ __ixor__ keeps false: |a: &Tensor, b: &Tensor| a.bitwise(b, Logic::Xor);
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
    fn __pow__(&self, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        self.pow(other)
    }
    fn __rpow__(&self, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        binary(self, other, true, Tensor::pow)
    }
    fn __ipow__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>, _modulo: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let power = Exponent::of(other, slf.get().inner.dtype())?;
        change(slf, "__ipow__", power.tensor(), true, |t| power.raise(t)).map(drop)
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
        crate::index::set(&self.inner, index, &operand(value, Some(self.inner.number_type()))?)
    }
}
