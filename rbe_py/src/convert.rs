//! Values between Python and the core: element types, numbers, operands, gradients.

use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyInt};
use rbe_core::array::Array;
use rbe_core::gradient::Gradient;
use rbe_core::{DType, RbeError};

use crate::autograd::PackedGradient;
use crate::class::NewTensor;
use crate::class::{GRADIENTS, of_class};
use crate::create::from_nested;
use crate::error::{OrRaise, is_dtype_error, raise};
use crate::memory::array_of;
use crate::numpy::is_array;
use crate::tensor::RBETensor;

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
    match (name.as_str(), DType::named(&name)) {
        (_, Some(dtype)) => Ok(dtype),
        ("double", _) => Ok(DType::F64),
        ("float", _) if object.is_instance_of::<pyo3::types::PyType>() => Ok(DType::F64),
        ("int" | "long", _) => Ok(DType::I64),
        ("bool_", _) => Ok(DType::Bool),
        _ => Err(raise(RbeError::dtype("dtype", KNOWN, name))),
    }
}

/// The element types that tensors have, for errors.
pub const KNOWN: &str = "float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8 or bool";

/// The element type that two promote to.
#[pyfunction(name = "_promote_types")]
pub fn promote_types(py: Python<'_>, a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    dtype_object(py, dtype_of(a)?.promote(dtype_of(b)?))
}

/// Name of the type of `object`.
pub fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}

/// The Python object of an element type.
pub fn dtype_object(py: Python<'_>, dtype: DType) -> PyResult<Py<PyAny>> {
    static OBJECTS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let objects = OBJECTS.get_or_try_init(py, || -> PyResult<_> {
        let module = py.import("rbe.dtypes")?;
        DType::ALL.into_iter().map(|d| Ok(module.getattr(d.name())?.unbind())).collect()
    })?;
    Ok(objects[dtype as usize].clone_ref(py))
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

/// `object` as a tensor: a tensor itself, a number of Python or NumPy (of the type `like` where the kinds agree,
/// [`number_type`](rbe_core::RBETensor::number_type) of the tensor beside it), or whatever `rbe.as_tensor` takes.
pub fn operand(object: &Bound<'_, PyAny>, like: Option<DType>) -> PyResult<rbe_core::RBETensor> {
    if let Ok(tensor) = object.cast::<RBETensor>() {
        return Ok(tensor.get().inner.clone());
    }
    let constant = rbe_core::RBETensor::from_array;
    if is_array(object)? {
        return array_of(object, true).map(constant);
    }
    let scalar = |dtype: DType, v: f64| constant(Array::full(dtype, &[], v));
    let object = &number(object)?;
    if object.is_instance_of::<PyBool>() {
        return Ok(scalar(DType::Bool, if object.extract::<bool>()? { 1.0 } else { 0.0 }));
    }
    if object.is_instance_of::<PyInt>() {
        let exact = object.extract::<i64>();
        return match (like.filter(|d| d.is_float() || d.is_integer()), exact) {
            (Some(d), Ok(v)) if d.is_float() => Ok(scalar(d, v as f64)),
            (d, Ok(v)) => Ok(constant(Array::scalar(v).cast(d.unwrap_or(DType::I64)))),
            (Some(d), Err(_)) if d.is_float() && object.extract::<f64>().is_ok() => Ok(scalar(d, object.extract()?)),
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
    if is_array(object)? {
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
        Gradient::Packed(cache) => Ok(of_class(py, PackedGradient { cache }, &GRADIENTS)?.into_any().unbind()),
    }
}

/// Gradient of a Python object.
pub fn gradient_of(object: &Bound<'_, PyAny>) -> PyResult<Gradient> {
    if let Ok(packed) = object.cast::<PackedGradient>() {
        return Ok(Gradient::Packed(packed.get().cache.clone()));
    }
    Ok(Gradient::Dense(operand(object, None)?.array("grad").or_raise()?.clone()))
}
