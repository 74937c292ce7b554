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
pub fn reduction(
    py: Python<'_>,
    t: &RBETensor,
    dtype: Option<&Bound<'_, PyAny>>,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<NewTensor> {
    match dtype_or_none(dtype)? {
        None => unary(py, t, f),
        Some(dtype) => unary(py, t, |t| f(&t.cast(dtype)?)?.cast(dtype)),
    }
}

macro_rules! tensor_methods {
    ($(reduce $(#[$rd:meta])* $r:ident;)* $(extreme $(#[$xd:meta])* $x:ident $largest:literal;)* $(position $(#[$ad:meta])* $arg:ident;)*
     $(truth $(#[$td:meta])* $truth:ident $all:literal;)* $(spread $(#[$sd:meta])* $spread:ident;)*) => {
        #[pymethods]
        impl RBETensor {
            $($(#[$rd])*
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
                reduction(py, self, dtype, |t| t.$r(axes.as_deref(), keepdims || keepdim))
            })*
            $($(#[$xd])*
            #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false))]
            fn $x(
                &self,
                py: Python<'_>,
                dim: Option<Axes>,
                keepdim: bool,
                axis: Option<Axes>,
                keepdims: bool,
            ) -> PyResult<NewTensor> {
                let axes = reduced(axis, dim)?;
                unary(py, self, |t| t.extreme($largest, axes.as_deref(), keepdims || keepdim))
            })*
            $($(#[$ad])*
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $arg(&self, py: Python<'_>, axis: Option<Integer>, keepdims: bool, dim: Option<Integer>, keepdim: bool) -> PyResult<NewTensor> {
                let axis = either(axis, dim)?.map(|axis| axis.0);
                unary(py, self, |t| t.$arg(axis, keepdims || keepdim))
            })*
            $($(#[$td])*
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $truth(&self, py: Python<'_>, axis: Option<Axes>, keepdims: bool, dim: Option<Axes>, keepdim: bool) -> PyResult<NewTensor> {
                let axes = either(axis, dim)?.map(|axes| axes.0);
                unary(py, self, |t| t.truth($all, axes.as_deref(), keepdims || keepdim))
            })*
            $($(#[$sd])*
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
        }
    };
}

tensor_methods! {
    reduce
    /// Return the sum over an axis, several or all: integers and bools add up to int64.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.sum(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([4., 6.])
    sum;
    reduce
    /// Return `ln Σ e^x` over an axis, several or all, without overflow.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.logsumexp(rbe.zeros(2, 4), dim=1)
    /// tensor([1.3863, 1.3863])
    logsumexp;
    reduce
    /// Return the product over an axis, several or all.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.prod(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
    /// tensor(24.)
    prod;
    extreme
    /// Return the largest elements over an axis, several or all; equal ones share the gradient.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.amax(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    /// tensor([2., 4.])
    amax true;
    extreme
    /// Return the smallest elements over an axis, several or all; equal ones share the gradient.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.amin(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    /// tensor([1., 3.])
    amin false;
    position
    /// Return where the largest element along an axis is, the first of equals: int64.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int, optional
    ///     The axis, by either name; without it the place among all elements in row-major order.
    /// keepdims, keepdim : bool
    ///     Leave the axis in the result with length 1.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.argmax(rbe.tensor([1, 5, 3]))
    /// tensor(1)
    argmax;
    position
    /// Return where the smallest element along an axis is, the first of equals: int64.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int, optional
    ///     The axis, by either name; without it the place among all elements in row-major order.
    /// keepdims, keepdim : bool
    ///     Leave the axis in the result with length 1.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.argmin(rbe.tensor([1, 5, 3]))
    /// tensor(0)
    argmin;
    truth
    /// Return whether any element is other than 0, over an axis, several or all: bool.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.any(rbe.tensor([False, True]))
    /// tensor(True)
    any false;
    truth
    /// Return whether all elements are other than 0, over an axis, several or all: bool.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.all(rbe.tensor([False, True]))
    /// tensor(False)
    all true;
    spread
    /// Return the variance over an axis, several or all.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// correction : float, optional
    ///     Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
    /// unbiased : bool, optional
    ///     Another way to say a correction of 1 or 0.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.var(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([2., 2.])
    var;
    spread
    /// Return the standard deviation over an axis, several or all.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// correction : float, optional
    ///     Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
    /// unbiased : bool, optional
    ///     Another way to say a correction of 1 or 0.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.std(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([1.4142, 1.4142])
    std;
}

#[pymethods]
impl RBETensor {
    /// Return the mean over an axis, several or all; integers become floats.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    /// DTypeError
    ///     For a dtype that is not float32 or float64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.mean(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([2., 3.])
    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false, dtype = None))]
    fn mean(
        &self,
        py: Python<'_>,
        axis: Option<Axes>,
        keepdims: bool,
        dim: Option<Axes>,
        keepdim: bool,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<NewTensor> {
        let axes = reduced(axis, dim)?;
        if let Some(other) = dtype_or_none(dtype)?.filter(|d| !d.is_float()) {
            return Err(raise(RbeError::dtype("mean", "float32 or float64 as dtype", other)));
        }
        reduction(py, self, dtype, |t| t.mean(axes.as_deref(), keepdims || keepdim))
    }
}
