//! The classes of the package's users, `rbe.RBETensor` and `rbe.RBEGradient`: what Rust returns becomes an object of theirs.

#![allow(unsafe_code)]

use pyo3::impl_::pymethods::tp_new_impl;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use pyo3::{PyClass, PyClassInitializer};
use rbe_core::RbeError;
use rbe_core::array::Array;

use crate::autograd::PackedGradient;
use crate::error::raise;
use crate::tensor::RBETensor;

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
pub static GRADIENTS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

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

/// An object of the class of the package's users that holds `value`. `Bound::new` makes objects of PyO3's own classes only, and to
/// change the class of an object takes 50 ns; this is what PyO3 calls to construct one of a subclass.
pub fn of_class<'py, T>(py: Python<'py>, value: T, class: &PyOnceLock<Py<PyType>>) -> PyResult<Bound<'py, T>>
where
    T: PyClass + Into<PyClassInitializer<T>>,
{
    let Some(class) = class.get(py) else { return Bound::new(py, value) };
    // SAFETY: `class_of_results` registers subclasses of the class of `T` alone. The call returns a new reference to an object of one.
    unsafe {
        let object = tp_new_impl::<PyClassInitializer<T>, T>(py, value.into(), class.bind(py).as_type_ptr())?;
        Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked())
    }
}

impl<'py> IntoPyObject<'py> for NewTensor {
    type Target = RBETensor;
    type Output = Bound<'py, RBETensor>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, RBETensor>> {
        of_class(py, RBETensor { inner: self.0 }, &TENSORS)
    }
}
