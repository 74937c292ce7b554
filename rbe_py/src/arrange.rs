//! Methods of the tensor class: order, running sums, rearrangement.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::OrRaise;
use crate::methods::{axes, integers, unary};
use crate::runtime::enter;
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
    #[pyo3(signature = (dim = -1, descending = false, stable = false))]
    fn argsort(&self, py: Python<'_>, dim: isize, descending: bool, stable: bool) -> PyResult<RBETensor> {
        let _ = stable; // it always is
        unary(py, self, |t| t.argsort(dim, descending))
    }

    fn _sort(&self, py: Python<'_>, dim: isize, descending: bool) -> PyResult<(RBETensor, RBETensor)> {
        pair(py, self, |t| t.sort(dim, descending))
    }

    fn _topk(&self, py: Python<'_>, k: usize, dim: isize, largest: bool) -> PyResult<(RBETensor, RBETensor)> {
        pair(py, self, |t| t.topk(k, dim, largest))
    }

    fn cumsum(&self, py: Python<'_>, dim: isize) -> PyResult<RBETensor> {
        unary(py, self, |t| t.cumsum(dim))
    }

    #[pyo3(signature = (dim = None, keepdim = false))]
    fn _norm(&self, py: Python<'_>, dim: Option<&Bound<'_, PyAny>>, keepdim: bool) -> PyResult<RBETensor> {
        let axes = axes(dim, None)?;
        unary(py, self, |t| t.norm(axes.as_deref(), keepdim))
    }

    #[pyo3(signature = (*dims))]
    fn flip(&self, py: Python<'_>, dims: &Bound<'_, PyTuple>) -> PyResult<RBETensor> {
        let dims = integers(dims)?;
        unary(py, self, |t| t.flip(Some(&dims)))
    }

    #[pyo3(signature = (*sizes))]
    fn repeat(&self, py: Python<'_>, sizes: &Bound<'_, PyTuple>) -> PyResult<RBETensor> {
        let sizes = integers(sizes)?;
        let wrong = |n: &isize| rbe_core::RbeError::shape("repeat", "counts of at least 0", n);
        let times = sizes.iter().map(|n| usize::try_from(*n).map_err(|_| wrong(n))).collect::<Result<Vec<_>, _>>().or_raise()?;
        unary(py, self, |t| t.repeat(&times))
    }

    #[pyo3(signature = (diagonal = 0))]
    fn tril(&self, py: Python<'_>, diagonal: i64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.tril(diagonal))
    }

    #[pyo3(signature = (diagonal = 0))]
    fn triu(&self, py: Python<'_>, diagonal: i64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.triu(diagonal))
    }

    fn _nonzero(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::nonzero)
    }

    fn scatter_add(&self, py: Python<'_>, dim: isize, index: &RBETensor, src: &RBETensor) -> PyResult<RBETensor> {
        unary(py, self, |t| t.scatter_add(dim, &index.inner, &src.inner))
    }
}
