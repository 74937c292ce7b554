//! Methods of the tensor class: extremes and order, running sums, rearrangement.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rbe_core::RbeError;

use crate::arguments::{Axes, Integer, dtype_or_none, either, integers_or, reduced, whole};
use crate::class::NewTensor;
use crate::error::{OrRaise, raise};
use crate::gil::enter;
use crate::methods::{binary, unary};
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// A method with two results.
fn pair(py: Python<'_>, t: &RBETensor, f: impl FnOnce(&Tensor) -> rbe_core::Result<(Tensor, Tensor)>) -> PyResult<(NewTensor, NewTensor)> {
    enter(py, || f(&t.inner)).map(|(a, b)| (a.into(), b.into()))
}

/// `max` and `min` in torch's forms: of all, along one axis with the places, of two tensors.
fn extreme<'py>(
    slf: &Bound<'py, RBETensor>,
    dim: Option<&Bound<'py, PyAny>>,
    keepdim: bool,
    axis: Option<&Bound<'py, PyAny>>,
    other: Option<&Bound<'py, PyAny>>,
    largest: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, this) = (slf.py(), slf.get());
    let op = if largest { "max" } else { "min" };
    let dim = either(axis, dim)?;
    let tensor = |o: &&Bound<'py, PyAny>| o.is_instance_of::<RBETensor>();
    if let Some(other) = either(other, dim.filter(tensor))? {
        let result = binary(this, other, false, if largest { Tensor::maximum } else { Tensor::minimum })?;
        return Ok(result.into_pyobject(py)?.into_any());
    }
    let Some(dim) = dim else {
        let result = unary(py, this, |t| if largest { t.max(None, keepdim) } else { t.min(None, keepdim) })?;
        return Ok(result.into_pyobject(py)?.into_any());
    };
    match dim.extract::<Integer>() {
        Ok(axis) => {
            let (values, places) = enter(py, || this.inner.extreme_along(largest, axis.0, keepdim))?;
            Ok((NewTensor::from(values), NewTensor::from(places)).into_pyobject(py)?.into_any())
        }
        Err(_) => Err(raise(RbeError::dtype(op, format!("one axis, an integer (a{op} takes several), or a tensor"), dim.repr()?))),
    }
}

#[pymethods]
impl RBETensor {
    /// The largest or smallest elements: of all, along one axis with their places as a pair, or of two tensors.
    fn _extreme<'py>(
        slf: &Bound<'py, Self>,
        dim: Option<&Bound<'py, PyAny>>,
        keepdim: bool,
        axis: Option<&Bound<'py, PyAny>>,
        other: Option<&Bound<'py, PyAny>>,
        largest: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        extreme(slf, dim, keepdim, axis, other, largest)
    }

    /// Return where the elements in order along an axis are, equal ones in their order: int64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.argsort(rbe.tensor([3, 1, 2]))
    /// tensor([1, 2, 0])
    #[pyo3(signature = (dim = Integer(-1), descending = false, stable = false), text_signature = "($self, dim=-1, descending=False, stable=False)")]
    fn argsort(&self, py: Python<'_>, dim: Integer, descending: bool, stable: bool) -> PyResult<NewTensor> {
        let _ = stable; // it always is
        unary(py, self, |t| t.argsort(dim.0, descending))
    }

    fn _sort(&self, py: Python<'_>, dim: Integer, descending: bool) -> PyResult<(NewTensor, NewTensor)> {
        pair(py, self, |t| t.sort(dim.0, descending))
    }

    fn _topk(&self, py: Python<'_>, k: usize, dim: Integer, largest: bool) -> PyResult<(NewTensor, NewTensor)> {
        pair(py, self, |t| t.topk(k, dim.0, largest))
    }

    /// Return the sums up to and including each element along an axis.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For an axis that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.cumsum(rbe.tensor([1, 2, 3]), 0)
    /// tensor([1, 3, 6])
    #[pyo3(signature = (dim, *, dtype = None))]
    fn cumsum(&self, py: Python<'_>, dim: Integer, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        match dtype_or_none(dtype)? {
            None => unary(py, self, |t| t.cumsum(dim.0)),
            Some(dtype) => unary(py, self, |t| t.cast(dtype)?.cumsum(dim.0)?.cast(dtype)),
        }
    }

    #[pyo3(signature = (p, dim = None, keepdim = false))]
    fn _norm(&self, py: Python<'_>, p: f64, dim: Option<Axes>, keepdim: bool) -> PyResult<NewTensor> {
        let axes = reduced(dim, None)?;
        unary(py, self, |t| t.norm(p, axes.as_deref(), keepdim))
    }

    /// Return the elements in reverse along axes, given as numbers or a sequence.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.flip(rbe.tensor([1, 2, 3]), 0)
    /// tensor([3, 2, 1])
    #[pyo3(signature = (*axes, dims = None))]
    fn flip(&self, py: Python<'_>, axes: &Bound<'_, PyTuple>, dims: Option<Axes>) -> PyResult<NewTensor> {
        let dims = integers_or(axes, dims)?;
        unary(py, self, |t| t.flip(Some(&dims)))
    }

    /// Return the tensor repeated so many times along each axis; more counts than axes make leading ones.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For fewer counts than axes, or one below 0.
    #[pyo3(signature = (*sizes, repeats = None))]
    fn repeat(&self, py: Python<'_>, sizes: &Bound<'_, PyTuple>, repeats: Option<Axes>) -> PyResult<NewTensor> {
        let sizes = integers_or(sizes, repeats)?;
        let wrong = |n: &isize| rbe_core::RbeError::shape("repeat", "counts of at least 0", n);
        let times = sizes.iter().map(|n| usize::try_from(*n).map_err(|_| wrong(n))).collect::<Result<Vec<_>, _>>().or_raise()?;
        enter(py, || self.inner.repeat(&times)).map(NewTensor::from)
    }

    /// Return the elements on and below a diagonal of the last two axes, 0 elsewhere.
    ///
    /// `diagonal` counts upwards from the main one.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.tril(rbe.ones(2, 2))
    /// tensor([[1., 0.],
    ///         [1., 1.]])
    #[pyo3(signature = (diagonal = 0))]
    fn tril(&self, py: Python<'_>, #[pyo3(from_py_with = whole)] diagonal: isize) -> PyResult<NewTensor> {
        unary(py, self, |t| t.tril(diagonal as i64))
    }

    /// Return the elements on and above a diagonal of the last two axes, 0 elsewhere.
    ///
    /// `diagonal` counts upwards from the main one.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.triu(rbe.ones(2, 2))
    /// tensor([[1., 1.],
    ///         [0., 1.]])
    #[pyo3(signature = (diagonal = 0))]
    fn triu(&self, py: Python<'_>, #[pyo3(from_py_with = whole)] diagonal: isize) -> PyResult<NewTensor> {
        unary(py, self, |t| t.triu(diagonal as i64))
    }

    fn _nonzero(&self, py: Python<'_>) -> PyResult<NewTensor> {
        unary(py, self, Tensor::nonzero)
    }
}
