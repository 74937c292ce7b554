//! Methods of the tensor class that choose elements by an index.

use pyo3::prelude::*;
use rbe_core::RbeError;

use crate::arguments::Integer;
use crate::class::NewTensor;
use crate::error::raise;
use crate::gil::enter;
use crate::tensor::RBETensor;

#[pymethods]
impl RBETensor {
    /// Return the slices along an axis that an int64 index (n,) names.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, DTypeError
    ///     For a place that is not there, or an index that is not int64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.index_select(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([2, 0])).tolist()
    /// [[2, 0], [5, 3]]
    fn index_select(&self, py: Python<'_>, dim: Integer, index: &RBETensor) -> PyResult<NewTensor> {
        enter(py, || self.inner.index_select(dim.0, &index.inner)).map(NewTensor::from)
    }

    /// Return the elements along an axis that an int64 index of as many axes names.
    ///
    /// Raises
    /// ------
    /// ShapeError, OutOfRangeError, DTypeError
    ///     For an index that does not fit, names a place that is not there, or is not int64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.gather(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([[2], [0]])).tolist()
    /// [[2], [3]]
    fn gather(&self, py: Python<'_>, dim: Integer, index: &RBETensor) -> PyResult<NewTensor> {
        enter(py, || self.inner.gather(dim.0, &index.inner)).map(NewTensor::from)
    }

    /// Return the rows (…, width) of a table (rows, width), dense or packed, that an int64 index (…) names.
    ///
    /// The row `padding_idx` gets no gradient.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, DTypeError
    ///     For a row that is not there, or an index that is not int64.
    #[pyo3(signature = (index, padding_idx = None))]
    fn embedding(&self, py: Python<'_>, index: &RBETensor, padding_idx: Option<Integer>) -> PyResult<NewTensor> {
        let row = |i: Integer| {
            let wrong = |_| raise(RbeError::index("embedding", "a row of at least 0 as padding_idx", i.0));
            usize::try_from(i.0).map_err(wrong)
        };
        let padding_idx = padding_idx.map(row).transpose()?;
        enter(py, || self.inner.embedding(&index.inner, padding_idx)).map(NewTensor::from)
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
        enter(py, || self.inner.scatter_add(dim.0, &index.inner, &src.inner)).map(NewTensor::from)
    }
}
