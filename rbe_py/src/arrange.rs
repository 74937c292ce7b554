//! Methods of the tensor class: order, running sums, rearrangement.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{Axes, Integer, dtype_or_none, integers_or, reduced, whole};
use crate::error::OrRaise;
use crate::methods::unary;
use crate::runtime::{elements, enter};
use crate::tensor::{NewTensor, RBETensor};

type Tensor = rbe_core::RBETensor;

/// A method with two results.
fn pair(
    py: Python<'_>,
    t: &RBETensor,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<(Tensor, Tensor)> + Send,
) -> PyResult<(NewTensor, NewTensor)> {
    enter(py, t.inner.numel(), || f(&t.inner)).map(|(a, b)| (a.into(), b.into()))
}

#[pymethods]
impl RBETensor {
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
        let copies = elements(&times).max(1);
        enter(py, copies.saturating_mul(self.inner.numel()), || self.inner.repeat(&times)).map(NewTensor::from)
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

    /// Return the tensor with the elements of `src` added at the places along an axis that an int64 index names.
    ///
    /// Raises
    /// ------
    /// ShapeError, OutOfRangeError, DTypeError
    ///     For an index that does not fit, names a place that is not there, or is not int64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.scatter_add(rbe.zeros(3), 0, rbe.tensor([2, 2]), rbe.ones(2))
    /// tensor([0., 0., 2.])
    fn scatter_add(&self, py: Python<'_>, dim: Integer, index: &RBETensor, src: &RBETensor) -> PyResult<NewTensor> {
        let work = self.inner.numel().max(index.inner.numel());
        enter(py, work, || self.inner.scatter_add(dim.0, &index.inner, &src.inner)).map(NewTensor::from)
    }
}
