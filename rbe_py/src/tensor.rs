//! The tensor class: identity, value, gradient.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use rbe_core::array::Array;
use rbe_core::tape;
use rbe_core::{DType, RbeError, Value, memory};

use crate::autograd::{Hook, Node, listed, run_backward};
use crate::class::NewTensor;
use crate::convert::{dtype_object, dtype_of, gradient_object, gradient_of, operand};
use crate::error::{OrRaise, raise};
use crate::gil::{enter_as, enter_for, within};
use crate::memory::ArrayHolder;
use crate::numpy::over;

/// A dense or packed tensor.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> x = rbe.tensor([1.0, 2.0], requires_grad=True)
/// >>> (x * x).sum().backward()
/// >>> x.grad
/// tensor([2., 4.])
#[pyclass(frozen, subclass, weakref, module = "rbe._rbe", name = "TensorBase")]
pub struct RBETensor {
    pub inner: rbe_core::RBETensor,
}

impl RBETensor {
    /// The tensor, with values and a place on the tape: what waited to be computed, in a function whose operations are joined, is.
    pub fn made(&self) -> PyResult<&rbe_core::RBETensor> {
        self.inner.resolve().or_raise()?;
        Ok(&self.inner)
    }
}

#[pymethods]
impl RBETensor {
    #[new]
    #[pyo3(signature = (data, requires_grad = false))]
    fn new(data: &Bound<'_, PyAny>, requires_grad: bool) -> PyResult<RBETensor> {
        let given = operand(data, None)?;
        given.resolve().or_raise()?;
        let inner = given.detach();
        inner.set_requires_grad(requires_grad).or_raise()?;
        Ok(RBETensor { inner })
    }

    /// Lengths of the axes: a tuple.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.shape())
    }

    /// Type of the elements.
    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        dtype_object(py, self.inner.dtype())
    }

    /// Number of axes.
    #[getter]
    fn ndim(&self) -> usize {
        self.inner.shape().len()
    }

    /// Return the number of elements.
    fn numel(&self) -> usize {
        self.inner.numel()
    }

    /// Return the only element as a number of Python.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For more or fewer than one.
    fn item(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let array = self.inner.array("item").or_raise()?;
        let v = array.item().or_raise()?;
        Ok(match array.dtype() {
            dtype if dtype.is_integer() => {
                within("item", || array.wide().to_vec::<i64>().or_raise())?[0].into_pyobject(py)?.into_any().unbind()
            }
            DType::Bool => PyBool::new(py, v != 0.0).to_owned().into_any().unbind(),
            _ => v.into_pyobject(py)?.into_any().unbind(),
        })
    }

    /// Bytes of the values: 16 for every 64 weights of a packed tensor.
    #[getter]
    fn nbytes(&self) -> PyResult<usize> {
        Ok(match self.made()?.value() {
            Value::Dense(array) => array.nbytes(),
            Value::Packed(packed) => packed.nbytes(),
        })
    }

    /// Whether the values are packed, 64 weights in 16 bytes.
    #[getter]
    fn is_packed(&self) -> bool {
        self.inner.is_packed()
    }

    /// Whether the tensor is no result of a recorded operation.
    #[getter]
    fn is_leaf(&self) -> PyResult<bool> {
        Ok(self.made()?.is_leaf())
    }

    /// Whether operations on the tensor are recorded, so that backward computes its gradient; only leaves may be changed.
    #[getter]
    fn get_requires_grad(&self) -> bool {
        self.inner.requires_grad()
    }

    #[setter]
    fn set_requires_grad(&self, value: bool) -> PyResult<()> {
        within("requires_grad", || self.inner.set_requires_grad(value).or_raise())
    }

    /// The gradient of a leaf after backward: a tensor of the same shape, an RBEGradient for a packed tensor, or None.
    #[getter]
    fn get_grad(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.made()?.grad().map(|g| gradient_object(py, g)).transpose()
    }

    #[setter]
    fn set_grad(&self, value: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.made()?.set_grad(value.map(gradient_of).transpose()?).or_raise()
    }

    /// The recorded operation that made the tensor; None for a leaf.
    #[getter]
    fn grad_fn(&self) -> PyResult<Option<Node>> {
        Ok(self.made()?.node().map(|node| Node { node }))
    }

    /// Make backward keep the gradient of a result, which it otherwise keeps of leaves only.
    ///
    /// Raises
    /// ------
    /// GraphError
    ///     For a tensor that requires no grad.
    fn retain_grad(&self) -> PyResult<()> {
        self.made()?.retain_grad().or_raise()
    }

    /// Return the same memory as a leaf that requires no grad.
    fn detach(&self) -> PyResult<NewTensor> {
        Ok(self.made()?.detach().into())
    }

    /// Compute the gradients of all leaves that the tensor was made from, and add them to their `grad`.
    ///
    /// Parameters
    /// ----------
    /// gradient : tensor, optional
    ///     Gradient of the tensor, of its shape; 1 for a tensor of one element.
    /// retain_graph : bool
    ///     Keep what backward reads, for another backward.
    /// create_graph : bool
    ///     Must be False: gradients are not recorded.
    /// inputs : tensors, optional
    ///     The leaves to compute gradients of, instead of all.
    ///
    /// Raises
    /// ------
    /// GraphError
    ///     For a tensor that requires no grad, or whose graph was freed.
    /// ShapeError
    ///     For a gradient of another shape, or none where the tensor has several elements.
    #[pyo3(signature = (gradient = None, retain_graph = None, create_graph = false, inputs = None))]
    fn backward(
        &self,
        py: Python<'_>,
        gradient: Option<&Bound<'_, PyAny>>,
        retain_graph: Option<bool>,
        create_graph: bool,
        inputs: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        if create_graph {
            let expected = "create_graph=False (gradients are not recorded: no double backward)";
            return Err(raise(RbeError::graph("backward", expected, "create_graph=True")));
        }
        let gradient = gradient.map(|g| operand(g, Some(self.inner.dtype()))).transpose()?;
        let gradient = gradient.map(|g| g.array("backward").cloned()).transpose().or_raise()?;
        let inputs = inputs.map(|i| listed("backward", "inputs", i)).transpose()?;
        run_backward(py, std::slice::from_ref(&self.inner), &[gradient], retain_graph.unwrap_or(false), inputs.as_deref())
    }

    /// Call `hook(grad)` whenever the gradient of the tensor is computed; what it returns replaces the gradient, unless None.
    ///
    /// Returns
    /// -------
    /// Hook
    ///     Its `remove()` takes the hook away.
    ///
    /// Raises
    /// ------
    /// GraphError, DTypeError
    ///     For a tensor that requires no grad, or a hook that is no function.
    fn register_hook(&self, py: Python<'_>, hook: Py<PyAny>) -> PyResult<Hook> {
        if !hook.bind(py).is_callable() {
            return Err(raise(RbeError::dtype("register_hook", "a function of the gradient", hook.bind(py).get_type())));
        }
        if !self.made()?.requires_grad() {
            return Err(raise(RbeError::graph("register_hook", "a tensor that requires grad", "one that does not")));
        }
        Hook::register(py, &self.inner, hook)
    }

    /// Count of in-place changes.
    #[getter]
    fn _version(&self) -> PyResult<u64> {
        Ok(self.made()?.value().version())
    }

    /// Return the steps along every axis, in elements: a tuple.
    fn stride<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.array("stride").or_raise()?.strides())
    }

    /// Return whether the elements lie in row-major order.
    fn is_contiguous(&self) -> PyResult<bool> {
        Ok(self.inner.array("is_contiguous").or_raise()?.is_contiguous())
    }

    /// The values in memory of their own; gradients flow through.
    fn _copy(&self, py: Python<'_>) -> PyResult<NewTensor> {
        crate::methods::unary(py, self, rbe_core::RBETensor::copied)
    }

    /// Return the elements as nested lists.
    fn tolist(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        crate::turns::to_list(py, &self.inner)
    }

    /// Says that nobody outside, who could write to it, has the memory.
    fn _own(&self) -> PyResult<()> {
        let storage = self.inner.array("tensor").or_raise()?.storage();
        if storage.is_shared() {
            storage.unshare();
        }
        Ok(())
    }

    /// Holder of the memory, for NumPy.
    fn _memory(&self, py: Python<'_>) -> PyResult<ArrayHolder> {
        // NumPy may write from now on: what waits to be computed is.
        enter_as(py, "numpy", tape::settle)?;
        Ok(ArrayHolder::new(self.inner.array("numpy").or_raise()?.clone()))
    }

    /// Array of NumPy's over the same memory.
    fn _array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        enter_as(py, "numpy", tape::settle)?; // as for `_memory`
        over(py, self.inner.array("numpy").or_raise()?.clone())
    }

    /// State bits (out, blocks) as int64 words.
    #[getter]
    fn _hi(&self, py: Python<'_>) -> PyResult<NewTensor> {
        let w = self.inner.packed("hi").or_raise()?;
        let words = || Array::from_slice(&memory::collect(w.hi().into_iter().map(u64::cast_signed)), &[w.rows(), w.blocks()]);
        Ok(enter_for(py, "hi", w.rows() * w.blocks(), words)?.into())
    }

    /// Points (out, blocks, 2).
    #[getter]
    fn _lo(&self, py: Python<'_>) -> PyResult<NewTensor> {
        let w = self.inner.packed("lo").or_raise()?;
        let points = || Array::from_slice(&w.lo(), &[w.rows(), w.blocks(), 2]);
        Ok(enter_for(py, "lo", w.rows() * w.blocks() * 2, points)?.into())
    }

    /// The scale of a packed tensor: its levels are `scale * log_0(z)`.
    ///
    /// Raises
    /// ------
    /// DTypeError
    ///     For a dense tensor.
    #[getter]
    fn scale(&self) -> PyResult<f32> {
        Ok(self.inner.packed("scale").or_raise()?.scale())
    }

    /// Return the weights of a packed tensor as a dense one, float32 unless `dtype` says otherwise.
    ///
    /// Raises
    /// ------
    /// DTypeError
    ///     For a dense tensor, or a dtype that is not a float.
    #[pyo3(signature = (dtype = None))]
    fn to_dense(&self, py: Python<'_>, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        let w = self.inner.packed("to_dense").or_raise()?;
        let dtype = dtype.map(dtype_of).transpose()?.unwrap_or(DType::F32);
        if !dtype.is_float() {
            return Err(raise(RbeError::dtype("to_dense", "a dtype of floats", dtype)));
        }
        let work = || rbe_core::dispatch_float!("to_dense", dtype.wide(), T => Ok(w.to_dense::<T>().cast(dtype)));
        Ok(enter_for(py, "to_dense", self.inner.numel(), work)?.into())
    }

    /// The same bytes as elements of another type of their size.
    fn _reinterpret(&self, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        let (array, dtype) = (self.inner.array("view").or_raise()?, dtype_of(dtype)?);
        if dtype.size() != array.dtype().size() || (dtype == DType::Bool) != (array.dtype() == DType::Bool) {
            let expected = format!("a type with elements of {} bytes, other than bool", array.dtype().size());
            return Err(raise(RbeError::dtype("view", expected, dtype)));
        }
        Ok(array.clone().relabel(dtype).into())
    }

    /// Copies the blocks of another packed tensor of the same shape and scale into this one.
    fn _copy_packed(&self, py: Python<'_>, other: &RBETensor) -> PyResult<()> {
        let (to, from) = (self.inner.packed("copy_").or_raise()?, other.inner.packed("copy_").or_raise()?);
        enter_for(py, "copy_", to.rows() * to.blocks(), || to.copy_from(from))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        crate::gc::traverse(&self.inner, &visit)
    }

    fn __clear__(&self) {
        crate::gc::clear(&self.inner);
    }

    fn __hash__(&self) -> isize {
        self.inner.id() as isize
    }

    fn __len__(&self) -> PyResult<usize> {
        self.inner.shape().first().copied().ok_or_else(|| pyo3::exceptions::PyTypeError::new_err("len() of a tensor without axes"))
    }

    fn __bool__(&self) -> PyResult<bool> {
        Ok(self.inner.item().or_raise()? != 0.0)
    }

    fn __float__(&self) -> PyResult<f64> {
        self.inner.item().or_raise()
    }

    /// Towards zero; NaN and infinity raise what Python's own floats raise.
    fn __int__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.item(py)?.bind(py).call_method0("__int__")
    }

    fn __index__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.inner.dtype() {
            dtype if !dtype.is_float() => self.__int__(py),
            other => Err(raise(RbeError::dtype("index", "a tensor of one integer or bool", other))),
        }
    }
}
