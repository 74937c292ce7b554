//! Methods of the tensor class: order, running sums, rearrangement.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arguments::{Axes, Integer, dtype_or_none, integers_or, reduced, whole};
use crate::error::OrRaise;
use crate::methods::unary;
use crate::runtime::{elements, enter};
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// A method with two results.
fn pair(
    py: Python<'_>,
    t: &RBETensor,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<(Tensor, Tensor)> + Send,
) -> PyResult<(RBETensor, RBETensor)> {
    enter(py, t.inner.numel(), || f(&t.inner)).map(|(a, b)| (a.into(), b.into()))
}

#[pymethods]
impl RBETensor {
    #[pyo3(signature = (dim = Integer(-1), descending = false, stable = false))]
    fn argsort(&self, py: Python<'_>, dim: Integer, descending: bool, stable: bool) -> PyResult<RBETensor> {
        let _ = stable; // it always is
        unary(py, self, |t| t.argsort(dim.0, descending))
    }

    fn _sort(&self, py: Python<'_>, dim: Integer, descending: bool) -> PyResult<(RBETensor, RBETensor)> {
        pair(py, self, |t| t.sort(dim.0, descending))
    }

    fn _topk(&self, py: Python<'_>, k: usize, dim: Integer, largest: bool) -> PyResult<(RBETensor, RBETensor)> {
        pair(py, self, |t| t.topk(k, dim.0, largest))
    }

    #[pyo3(signature = (dim, *, dtype = None))]
    fn cumsum(&self, py: Python<'_>, dim: Integer, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
        match dtype_or_none(dtype)? {
            None => unary(py, self, |t| t.cumsum(dim.0)),
            Some(dtype) => unary(py, self, |t| t.cast(dtype)?.cumsum(dim.0)?.cast(dtype)),
        }
    }

    #[pyo3(signature = (p, dim = None, keepdim = false))]
    fn _norm(&self, py: Python<'_>, p: f64, dim: Option<Axes>, keepdim: bool) -> PyResult<RBETensor> {
        let axes = reduced(dim, None)?;
        unary(py, self, |t| t.norm(p, axes.as_deref(), keepdim))
    }

    #[pyo3(signature = (*axes, dims = None))]
    fn flip(&self, py: Python<'_>, axes: &Bound<'_, PyTuple>, dims: Option<Axes>) -> PyResult<RBETensor> {
        let dims = integers_or(axes, dims)?;
        unary(py, self, |t| t.flip(Some(&dims)))
    }

    #[pyo3(signature = (*sizes, repeats = None))]
    fn repeat(&self, py: Python<'_>, sizes: &Bound<'_, PyTuple>, repeats: Option<Axes>) -> PyResult<RBETensor> {
        let sizes = integers_or(sizes, repeats)?;
        let wrong = |n: &isize| rbe_core::RbeError::shape("repeat", "counts of at least 0", n);
        let times = sizes.iter().map(|n| usize::try_from(*n).map_err(|_| wrong(n))).collect::<Result<Vec<_>, _>>().or_raise()?;
        let copies = elements(&times).max(1);
        enter(py, copies.saturating_mul(self.inner.numel()), || self.inner.repeat(&times)).map(RBETensor::from)
    }

    #[pyo3(signature = (diagonal = 0))]
    fn tril(&self, py: Python<'_>, #[pyo3(from_py_with = whole)] diagonal: isize) -> PyResult<RBETensor> {
        unary(py, self, |t| t.tril(diagonal as i64))
    }

    #[pyo3(signature = (diagonal = 0))]
    fn triu(&self, py: Python<'_>, #[pyo3(from_py_with = whole)] diagonal: isize) -> PyResult<RBETensor> {
        unary(py, self, |t| t.triu(diagonal as i64))
    }

    fn _nonzero(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::nonzero)
    }

    fn scatter_add(&self, py: Python<'_>, dim: Integer, index: &RBETensor, src: &RBETensor) -> PyResult<RBETensor> {
        let work = self.inner.numel().max(index.inner.numel());
        enter(py, work, || self.inner.scatter_add(dim.0, &index.inner, &src.inner)).map(RBETensor::from)
    }
}
