//! Methods of the tensor class that work along axes: sums and their kin, extremes, softmax.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use rbe_core::RbeError;

use crate::arguments::{self, Axes, Integer, dtype_or_none, either, reduced};
use crate::class::NewTensor;
use crate::error::raise;
use crate::methods::unary;
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// A reduction of a tensor, converted to `dtype` before and after if that is given.
fn reduction(
    py: Python<'_>,
    t: &RBETensor,
    dtype: Option<&Bound<'_, PyAny>>,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor>,
) -> PyResult<NewTensor> {
    match dtype_or_none(dtype)? {
        None => unary(py, t, f),
        Some(dtype) => unary(py, t, |t| f(&t.cast(dtype)?)?.cast(dtype)),
    }
}

/// A docstring: what the method returns, its parameters, other sections, and an example.
macro_rules! documentation {
    ($doc:literal [$($section:ident)*] $code:literal $shown:literal) => {
        concat!($doc, "\n\nParameters\n----------\n", $(section!($section),)* "\nExamples\n--------\n>>> import rbe\n>>> ", $code, "\n", $shown)
    };
}

macro_rules! section {
    (axes) => {
        "axis, dim : int or sequence of int, optional
    Axes to reduce, by either name; all without them.
keepdims, keepdim : bool
    Leave reduced axes in the result with length 1.
"
    };
    (place) => {
        "axis, dim : int, optional
    The axis, by either name; without it the place among all elements in row-major order.
keepdims, keepdim : bool
    Leave the axis in the result with length 1.
"
    };
    (along) => {
        "axis, dim : int
    The axis, by either name; the last unless given.
"
    };
    (dtype) => {
        "dtype : dtype, optional
    Converted to before.
"
    };
    (correction) => {
        "correction : float, optional
    Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
unbiased : bool, optional
    Another way to say a correction of 1 or 0.
"
    };
    (raises) => {
        "
Raises
------
OutOfRangeError, ShapeError
    For an axis that is not there, or named twice.
"
    };
    (floats) => {
        "DTypeError
    For a dtype that is not float32 or float64.
"
    };
}

/// Declares methods by kind, name, what they return, and an example with its output.
macro_rules! tensor_methods {
    ($(reduce $r:ident $($floats:ident)?: $rd:literal $rc:literal $rs:literal;)* $(extreme $x:ident $largest:literal: $xd:literal $xc:literal $xs:literal;)*
     $(position $arg:ident: $ad:literal $ac:literal $as:literal;)* $(truth $truth:ident $all:literal: $td:literal $tc:literal $ts:literal;)*
     $(spread $spread:ident: $sd:literal $sc:literal $ss:literal;)* $(share $share:ident: $hd:literal $hc:literal $hs:literal;)*) => {
        #[pymethods]
        impl RBETensor {
            $(#[doc = documentation!($rd [axes dtype raises $($floats)?] $rc $rs)]
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false, dtype = None))]
            fn $r(
                &self,
                py: Python<'_>,
                axis: Option<Axes>,
                keepdims: bool,
                dim: Option<Axes>,
                keepdim: bool,
                dtype: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<NewTensor> {
                let axes = reduced(axis, dim)?;
                $($floats(stringify!($r), dtype)?;)?
                reduction(py, self, dtype, |t| t.$r(axes.as_deref(), keepdims || keepdim))
            })*
            $(#[doc = documentation!($xd [axes raises] $xc $xs)]
            #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false))]
            fn $x(&self, py: Python<'_>, dim: Option<Axes>, keepdim: bool, axis: Option<Axes>, keepdims: bool) -> PyResult<NewTensor> {
                let axes = reduced(axis, dim)?;
                unary(py, self, |t| t.extreme($largest, axes.as_deref(), keepdims || keepdim))
            })*
            $(#[doc = documentation!($ad [place] $ac $as)]
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $arg(&self, py: Python<'_>, axis: Option<Integer>, keepdims: bool, dim: Option<Integer>, keepdim: bool) -> PyResult<NewTensor> {
                let axis = either(axis, dim)?.map(|axis| axis.0);
                unary(py, self, |t| t.$arg(axis, keepdims || keepdim))
            })*
            $(#[doc = documentation!($td [axes raises] $tc $ts)]
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $truth(&self, py: Python<'_>, axis: Option<Axes>, keepdims: bool, dim: Option<Axes>, keepdim: bool) -> PyResult<NewTensor> {
                let axes = either(axis, dim)?.map(|axes| axes.0);
                unary(py, self, |t| t.truth($all, axes.as_deref(), keepdims || keepdim))
            })*
            $(#[doc = documentation!($sd [axes correction] $sc $ss)]
            #[pyo3(signature = (axis = None, correction = None, keepdims = false, *, unbiased = None, dim = None, keepdim = false))]
            #[allow(clippy::too_many_arguments)] // torch's and NumPy's signatures
            fn $spread(
                &self,
                py: Python<'_>,
                axis: Option<&Bound<'_, PyAny>>,
                correction: Option<&Bound<'_, PyAny>>,
                keepdims: bool,
                unbiased: Option<bool>,
                dim: Option<Axes>,
                keepdim: bool,
            ) -> PyResult<NewTensor> {
                let op = stringify!($spread);
                let (axis, unbiased) = match axis.and_then(|axis| axis.cast::<PyBool>().ok()) {
                    Some(_) if unbiased.is_some() => return Err(PyTypeError::new_err(format!("{op}: unbiased is given twice"))),
                    Some(first) => (None, Some(first.is_true())),
                    None => (axis.map(|axis| axis.extract::<Axes>()).transpose()?, unbiased),
                };
                let (axes, correction) = (reduced(axis, dim)?, arguments::correction(op, correction, unbiased)?);
                unary(py, self, |t| t.$spread(axes.as_deref(), correction, keepdims || keepdim))
            })*
            $(#[doc = documentation!($hd [along dtype] $hc $hs)]
            #[pyo3(signature = (axis = None, dtype = None, *, dim = None))]
            fn $share(
                &self,
                py: Python<'_>,
                axis: Option<Integer>,
                dtype: Option<&Bound<'_, PyAny>>,
                dim: Option<Integer>,
            ) -> PyResult<NewTensor> {
                let axis = either(axis, dim)?.map_or(-1, |axis| axis.0);
                reduction(py, self, dtype, |t| t.$share(axis))
            })*
        }
    };
}

/// Fails for a dtype that is not of floats.
fn floats(op: &'static str, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    match dtype_or_none(dtype)?.filter(|d| !d.is_float()) {
        Some(other) => Err(raise(RbeError::dtype(op, "a dtype of floats", other))),
        None => Ok(()),
    }
}

tensor_methods! {
    reduce sum: "Return the sum over an axis, several or all: integers and bools add up to int64."
        "rbe.sum(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)" "tensor([4., 6.])";
    reduce mean floats: "Return the mean over an axis, several or all; integers become floats."
        "rbe.mean(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)" "tensor([2., 3.])";
    reduce logsumexp: "Return `ln Σ e^x` over an axis, several or all, without overflow."
        "rbe.logsumexp(rbe.zeros(2, 4), dim=1)" "tensor([1.3863, 1.3863])";
    reduce prod: "Return the product over an axis, several or all."
        "rbe.prod(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))" "tensor(24.)";
    extreme amax true: "Return the largest elements over an axis, several or all; equal ones share the gradient."
        "rbe.amax(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)" "tensor([2., 4.])";
    extreme amin false: "Return the smallest elements over an axis, several or all; equal ones share the gradient."
        "rbe.amin(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)" "tensor([1., 3.])";
    position argmax: "Return where the largest element along an axis is, the first of equals: int64."
        "rbe.argmax(rbe.tensor([1, 5, 3]))" "tensor(1)";
    position argmin: "Return where the smallest element along an axis is, the first of equals: int64."
        "rbe.argmin(rbe.tensor([1, 5, 3]))" "tensor(0)";
    truth any false: "Return whether any element is other than 0, over an axis, several or all: bool."
        "rbe.any(rbe.tensor([False, True]))" "tensor(True)";
    truth all true: "Return whether all elements are other than 0, over an axis, several or all: bool."
        "rbe.all(rbe.tensor([False, True]))" "tensor(False)";
    spread var: "Return the variance over an axis, several or all."
        "rbe.var(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)" "tensor([2., 2.])";
    spread std: "Return the standard deviation over an axis, several or all."
        "rbe.std(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)" "tensor([1.4142, 1.4142])";
    share softmax: "Return `e^x / Σ e^x` along an axis."
        "rbe.softmax(rbe.tensor([0.0, 0.0, 0.0, 0.0]))" "tensor([0.25, 0.25, 0.25, 0.25])";
    share log_softmax: "Return `x - ln Σ e^x` along an axis."
        "rbe.log_softmax(rbe.tensor([0.0, 0.0]))" "tensor([-0.6931, -0.6931])";
}
