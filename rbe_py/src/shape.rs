//! Methods of the tensor class that change its shape: views, mostly.

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rbe_core::RbeError;
use rbe_core::array::normalize_axis;

use crate::arguments::{Axes, Integer, integers, integers_or};
use crate::class::NewTensor;
use crate::error::{OrRaise, raise};
use crate::gil::enter;
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

#[pymethods]
impl RBETensor {
    /// Return the elements in another shape, given as numbers or a sequence: a view where the layout allows.
    ///
    /// -1 stands for what is left.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For a shape of another number of elements.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.reshape(rbe.arange(4), 2, 2)
    /// tensor([[0, 1],
    ///         [2, 3]])
    #[pyo3(signature = (*shape))]
    fn reshape(&self, shape: &Bound<'_, PyTuple>) -> PyResult<NewTensor> {
        let lengths = integers(shape)?;
        enter(shape.py(), || {
            self.inner.array("reshape")?; // a packed tensor has no other shape
            self.inner.reshape(&lengths)
        })
        .map(NewTensor::from)
    }

    /// Return the same memory in another shape, given as numbers or a sequence. -1 stands for what is left.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For a shape that needs a copy (use reshape), or of another number of elements.
    #[pyo3(signature = (*shape))]
    fn view(&self, shape: &Bound<'_, PyTuple>) -> PyResult<NewTensor> {
        let shape = integers(shape)?;
        let out = self.inner.reshape(&shape).or_raise()?;
        let start = |t: &Tensor| -> PyResult<_> { Ok(t.array("view").or_raise()?.storage().as_ptr()) };
        if out.numel() > 0 && start(&out)? != start(&self.inner)? {
            let strides = self.inner.array("view").or_raise()?.strides();
            let got = format!("{shape:?} of shape {:?} with strides {strides:?} (use reshape)", self.inner.shape());
            return Err(raise(RbeError::shape("view", "a shape that needs no copy", got)));
        }
        Ok(out.into())
    }

    /// Return the axes in another order, given as numbers or a sequence: a view.
    ///
    /// Raises
    /// ------
    /// ShapeError, OutOfRangeError
    ///     If not every axis is named once.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.permute(rbe.arange(6).reshape(2, 3), 1, 0).shape
    /// (3, 2)
    #[pyo3(signature = (*axes, dims = None))]
    fn permute(&self, axes: &Bound<'_, PyTuple>, dims: Option<Axes>) -> PyResult<NewTensor> {
        self.inner.permute(&integers_or(axes, dims)?).or_raise().map(NewTensor::from)
    }

    /// Return the tensor with two axes exchanged: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For an axis that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.transpose(rbe.arange(6).reshape(2, 3), 0, 1).shape
    /// (3, 2)
    fn transpose(&self, dim0: Integer, dim1: Integer) -> PyResult<NewTensor> {
        self.inner.transpose(dim0.0, dim1.0).or_raise().map(NewTensor::from)
    }

    /// Return a view repeated along axes of length 1 and new leading axes; -1 keeps an axis.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For a shape that the tensor does not broadcast to.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.broadcast_to(rbe.tensor([1, 2]), (2, 2)).tolist()
    /// [[1, 2], [1, 2]]
    #[pyo3(signature = (*shape, size = None))]
    fn broadcast_to(&self, shape: &Bound<'_, PyTuple>, size: Option<Axes>) -> PyResult<NewTensor> {
        let wanted = integers_or(shape, size)?;
        let own = self.inner.shape();
        let lead = wanted.len().saturating_sub(own.len());
        let length = |(i, n): (usize, &isize)| match *n {
            -1 => i.checked_sub(lead).and_then(|at| own.get(at)).copied(),
            n => usize::try_from(n).ok(),
        };
        let lengths = wanted.iter().enumerate().map(length).collect::<Option<Vec<usize>>>();
        let wrong = || {
            raise(RbeError::shape("broadcast_to", format!("lengths of at least 0, or -1 for an axis of {own:?}"), format!("{wanted:?}")))
        };
        self.inner.broadcast_to(&lengths.ok_or_else(wrong)?).or_raise().map(NewTensor::from)
    }

    /// Return the tensor with a new axis of length 1 before `dim`: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For a place that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.unsqueeze(rbe.zeros(3), 0).shape
    /// (1, 3)
    fn unsqueeze(&self, dim: Integer) -> PyResult<NewTensor> {
        self.inner.unsqueeze(dim.0).or_raise().map(NewTensor::from)
    }

    /// Return the tensor without its axes of length 1, or without those named if they have length 1: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For an axis that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.squeeze(rbe.zeros(1, 3)).shape
    /// (3,)
    #[pyo3(signature = (dim = None))]
    fn squeeze(&self, dim: Option<Axes>) -> PyResult<NewTensor> {
        self.inner.squeeze(dim.as_ref().map(|dim| &*dim.0)).or_raise().map(NewTensor::from)
    }

    /// Return `length` positions of an axis from `start`, which counts from the end if negative: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For positions outside the axis.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.narrow(rbe.arange(5), 0, 1, 3)
    /// tensor([1, 2, 3])
    fn narrow(&self, dim: Integer, start: Integer, length: Integer) -> PyResult<NewTensor> {
        let shape = self.inner.shape();
        let axis = normalize_axis("narrow", dim.0, shape.len()).or_raise()?;
        let (start, n) = (start.0, shape[axis] as isize);
        let from = if start < 0 { start + n } else { start };
        if from < 0 || length.0 < 0 || length.0 > n - from {
            let got = format!("{} from {start}", length.0);
            return Err(raise(RbeError::index("narrow", format!("positions inside axis {axis} of length {n}"), got)));
        }
        self.inner.narrow(axis as isize, from as usize, length.0 as usize).or_raise().map(NewTensor::from)
    }

    #[pyo3(name = "_split")]
    fn split_lengths(&self, lengths: Vec<usize>, axis: Integer) -> PyResult<Vec<NewTensor>> {
        Ok(self.inner.split(&lengths, axis.0).or_raise()?.into_iter().map(NewTensor::from).collect())
    }
}
