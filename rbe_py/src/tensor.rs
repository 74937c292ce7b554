//! The tensor class: identity, value, gradient.

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};
use rbe_core::array::Array;
use rbe_core::gradient::Gradient;
use rbe_core::tape;
use rbe_core::{DType, RbeError, Value, memory};

use crate::autograd::{Hook, Node, PackedGradient, listed, run_backward};
use crate::create::from_nested;
use crate::error::{OrRaise, is_dtype_error, raise};
use crate::memory::{ArrayHolder, array_of};
use crate::runtime::{enter_for, within};

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

/// A tensor on its way to Python, where it becomes an object of the registered class.
pub struct NewTensor(rbe_core::RBETensor);

impl From<rbe_core::RBETensor> for NewTensor {
    fn from(tensor: rbe_core::RBETensor) -> NewTensor {
        NewTensor(tensor)
    }
}

impl From<Array> for NewTensor {
    fn from(array: Array) -> NewTensor {
        NewTensor(rbe_core::RBETensor::from_array(array))
    }
}

/// The classes of the package's users, `rbe.RBETensor` and `rbe.RBEGradient`.
static TENSORS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static GRADIENTS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Makes a subclass of `TensorBase` or `GradientBase` the class of all results; decorates the class.
#[pyfunction(name = "_class_of_results")]
pub fn class_of_results(class: Bound<'_, PyType>) -> PyResult<Bound<'_, PyType>> {
    let py = class.py();
    let registered = if class.is_subclass_of::<RBETensor>()? { &TENSORS } else { &GRADIENTS };
    if !class.is_subclass_of::<RBETensor>()? && !class.is_subclass_of::<PackedGradient>()? || registered.get(py).is_some() {
        return Err(raise(RbeError::value("class of results", "one subclass of TensorBase or GradientBase", class.name()?)));
    }
    registered.get_or_init(py, || class.clone().unbind());
    Ok(class)
}

/// `object` as one of the class of the package's users. PyO3 makes objects of its own classes only; as the subclass has no fields of its
/// own, the object may change its class.
fn of_class<'py, T>(object: Bound<'py, T>, class: &PyOnceLock<Py<PyType>>) -> PyResult<Bound<'py, T>> {
    if let Some(class) = class.get(object.py()) {
        object.as_any().setattr(intern!(object.py(), "__class__"), class)?;
    }
    Ok(object)
}

impl<'py> IntoPyObject<'py> for NewTensor {
    type Target = RBETensor;
    type Output = Bound<'py, RBETensor>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, RBETensor>> {
        of_class(Bound::new(py, RBETensor { inner: self.0 })?, &TENSORS)
    }
}

/// The element type that `object` names: an rbe or NumPy dtype, a string, or a Python type.
pub fn dtype_of(object: &Bound<'_, PyAny>) -> PyResult<DType> {
    let name: String = if let Ok(name) = object.extract::<String>() {
        name
    } else if let Ok(name) = object.getattr("name") {
        name.extract()?
    } else if let Ok(name) = object.getattr("__name__") {
        name.extract()?
    } else {
        object.str()?.extract()?
    };
    match name.as_str() {
        "float32" => Ok(DType::F32),
        "float64" | "double" => Ok(DType::F64),
        "float" if object.is_instance_of::<pyo3::types::PyType>() => Ok(DType::F64),
        "int64" | "int" | "long" => Ok(DType::I64),
        "bool" | "bool_" => Ok(DType::Bool),
        "uint8" => Ok(DType::U8),
        _ => Err(raise(RbeError::dtype("dtype", "float32, float64, int64, uint8 or bool", name))),
    }
}

/// The Python object of an element type.
pub fn dtype_object(py: Python<'_>, dtype: DType) -> PyResult<Py<PyAny>> {
    static OBJECTS: PyOnceLock<[Py<PyAny>; 5]> = PyOnceLock::new();
    let objects = OBJECTS.get_or_try_init(py, || -> PyResult<_> {
        let module = py.import("rbe.dtypes")?;
        let get = |d: DType| -> PyResult<Py<PyAny>> { Ok(module.getattr(if d == DType::Bool { "bool" } else { d.name() })?.unbind()) };
        Ok([get(DType::F32)?, get(DType::F64)?, get(DType::I64)?, get(DType::Bool)?, get(DType::U8)?])
    })?;
    let at = match dtype {
        DType::F32 => 0,
        DType::F64 => 1,
        DType::I64 => 2,
        DType::Bool => 3,
        DType::U8 => 4,
    };
    Ok(objects[at].clone_ref(py))
}

/// A scalar of NumPy as the Python number it stands for, as torch reads it; anything else as it is.
pub fn number<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static SCALAR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    if object.is_exact_instance_of::<PyFloat>() || object.is_exact_instance_of::<PyInt>() || object.is_instance_of::<RBETensor>() {
        return Ok(object.clone());
    }
    let scalar = SCALAR.get_or_try_init(py, || -> PyResult<_> { Ok(py.import("numpy")?.getattr("generic")?.unbind()) })?;
    if object.is_instance(scalar.bind(py))? { object.call_method0("item") } else { Ok(object.clone()) }
}

/// `object` as a tensor: a tensor itself, a number of Python or NumPy (of the type of `like` where the kinds agree), or whatever
/// `rbe.as_tensor` takes.
pub fn operand(object: &Bound<'_, PyAny>, like: Option<DType>) -> PyResult<rbe_core::RBETensor> {
    if let Ok(tensor) = object.cast::<RBETensor>() {
        return Ok(tensor.get().inner.clone());
    }
    let constant = rbe_core::RBETensor::from_array;
    let scalar = |dtype: DType, v: f64| constant(Array::full(dtype, &[], v));
    let object = &number(object)?;
    if object.is_instance_of::<PyBool>() {
        return Ok(scalar(DType::Bool, if object.extract::<bool>()? { 1.0 } else { 0.0 }));
    }
    if object.is_instance_of::<PyInt>() {
        let exact = object.extract::<i64>();
        return match (like.filter(|d| d.is_float()), exact) {
            (Some(d), Ok(v)) => Ok(scalar(d, v as f64)),
            (None, Ok(v)) => Ok(constant(Array::scalar(v))),
            (Some(d), Err(_)) if object.extract::<f64>().is_ok() => Ok(scalar(d, object.extract()?)),
            (_, Err(_)) => Err(raise(RbeError::value("number", "an integer that int64 holds", object))),
        };
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(scalar(like.map_or_else(DType::default_float, DType::floating), object.extract()?));
    }
    array_like(object).map(constant)
}

/// The array of a NumPy array, of nested lists of numbers, or of whatever NumPy makes an array of numbers from.
fn array_like(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    let numpy = || object.py().import("numpy");
    if object.is_instance(&numpy()?.getattr("ndarray")?)? {
        return array_of(object, true);
    }
    match from_nested(object, None) {
        Err(e) if e.is_instance_of::<PyTypeError>(object.py()) || e.is_instance_of::<PyAttributeError>(object.py()) => {
            if is_dtype_error(object.py(), &e) {
                return Err(e);
            }
            let array = numpy()?.call_method1("array", (object,))?;
            let kind: char = array.getattr("dtype")?.getattr("kind")?.extract()?;
            if matches!(kind, 'O' | 'S' | 'U') {
                return Err(raise(RbeError::dtype("tensor", "numbers", object.get_type().name()?)));
            }
            let array = array_of(&array, true)?;
            array.storage().unshare(); // nobody else has the memory
            Ok(array)
        }
        other => other,
    }
}

/// A tensor itself, numbers or arrays as one.
#[pyfunction(name = "_as_tensor")]
pub fn as_tensor<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if object.is_instance_of::<RBETensor>() {
        return Ok(object.clone());
    }
    Ok(NewTensor::from(operand(object, None)?).into_pyobject(object.py())?.into_any())
}

/// Python object of a gradient.
pub fn gradient_object(py: Python<'_>, gradient: Gradient) -> PyResult<Py<PyAny>> {
    match gradient {
        Gradient::Dense(array) => Ok(NewTensor::from(array).into_pyobject(py)?.into_any().unbind()),
        Gradient::Packed(cache) => Ok(of_class(Bound::new(py, PackedGradient { cache })?, &GRADIENTS)?.into_any().unbind()),
    }
}

/// Gradient of a Python object.
pub fn gradient_of(object: &Bound<'_, PyAny>) -> PyResult<Gradient> {
    if let Ok(packed) = object.cast::<PackedGradient>() {
        return Ok(Gradient::Packed(packed.get().cache.clone()));
    }
    Ok(Gradient::Dense(operand(object, None)?.array("grad").or_raise()?.clone()))
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
            DType::I64 => within("item", || array.to_vec::<i64>().or_raise())?[0].into_pyobject(py)?.into_any().unbind(),
            DType::U8 => (v as u8).into_pyobject(py)?.into_any().unbind(),
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
        let work = if tape::fused_depth() > 0 { usize::MAX } else { 0 };
        enter_for(py, "numpy", work, tape::settle)?;
        Ok(ArrayHolder::new(self.inner.array("numpy").or_raise()?.clone()))
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
        let work = || rbe_core::dispatch_float!("to_dense", dtype, T => Ok(w.to_dense::<T>()));
        Ok(crate::runtime::enter(py, self.inner.numel(), work)?.into())
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
            DType::I64 | DType::Bool | DType::U8 => self.__int__(py),
            other => Err(raise(RbeError::dtype("index", "a tensor of one integer or bool", other))),
        }
    }
}
