//! One Rust error, one Python class for each variant.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use rbe_core::RbeError;
use rbe_core::error::Detail;

/// A Python exception on its way through Rust.
#[derive(Debug)]
pub struct Raised(pub PyErr);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raised {}

/// `error` to carry through Rust.
pub fn carry(error: PyErr) -> RbeError {
    RbeError::External(Arc::new(Raised(error)))
}

fn class(py: Python<'_>, name: &'static str) -> PyResult<Py<PyType>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("rbe.errors").map(Bound::unbind))?;
    Ok(module.bind(py).getattr(name)?.cast_into::<PyType>()?.unbind())
}

/// Whether an exception is a `DTypeError` of the package.
pub fn is_dtype_error(py: Python<'_>, error: &PyErr) -> bool {
    class(py, "DTypeError").is_ok_and(|class| error.is_instance(py, class.bind(py)))
}

/// Class name and detail of an error.
fn parts(error: &RbeError) -> Option<(&'static str, &Detail)> {
    Some(match error {
        RbeError::Shape(d) => ("ShapeError", d),
        RbeError::DType(d) => ("DTypeError", d),
        RbeError::NonFinite(d) => ("NonFiniteError", d),
        RbeError::Value(d) => ("TensorError", d),
        RbeError::Index(d) => ("OutOfRangeError", d),
        RbeError::Graph(d) => ("GraphError", d),
        RbeError::Device(d) => ("DeviceError", d),
        RbeError::Format(d) => ("FormatError", d),
        RbeError::Memory(d) => ("OutOfMemoryError", d),
        RbeError::Config(d) => ("ConfigError", d),
        _ => return None,
    })
}

/// The Python exception of an error.
pub fn raise(error: RbeError) -> PyErr {
    Python::attach(|py| {
        if let RbeError::External(inner) = &error
            && let Some(raised) = inner.downcast_ref::<Raised>()
        {
            return raised.0.clone_ref(py);
        }
        let build = || -> PyResult<PyErr> {
            let Some((name, detail)) = parts(&error) else {
                return Ok(pyo3::exceptions::PyRuntimeError::new_err(error.to_string()));
            };
            let exception = class(py, name)?.bind(py).call1((detail.op.as_ref(), detail.expected.as_str(), detail.got.as_str()))?;
            Ok(PyErr::from_value(exception))
        };
        build().unwrap_or_else(|failure| failure)
    })
}

/// Converts the error of a result.
pub trait OrRaise<T> {
    /// The value or the Python exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T> OrRaise<T> for rbe_core::Result<T> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(raise)
    }
}
