//! Captured functions.

use pyo3::prelude::*;
use pyo3::types::PyList;
use rbe_core::graph;

use crate::error::{OrRaise, carry};
use crate::fork::detach;
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

fn inner(list: &[PyRef<'_, RBETensor>]) -> Vec<Tensor> {
    list.iter().map(|t| t.inner.clone()).collect()
}

/// A function of tensors as the operations it ran.
#[pyclass(frozen, module = "rbe._rbe", name = "_Captured")]
pub struct Captured {
    inner: graph::Captured,
}

#[pymethods]
impl Captured {
    /// Runs the operations on other inputs.
    fn run(&self, py: Python<'_>, inputs: Vec<PyRef<'_, RBETensor>>) -> PyResult<Vec<RBETensor>> {
        let inputs = inner(&inputs);
        let outputs = detach(py, || self.inner.run(&inputs)).or_raise()?;
        Ok(outputs.into_iter().map(RBETensor::from).collect())
    }

    /// Names of the operations.
    fn names(&self) -> Vec<String> {
        self.inner.names()
    }
}

/// Captures `function()`, which returns a list of tensors computed from `inputs`.
#[pyfunction(name = "_capture")]
pub fn capture(function: &Bound<'_, PyAny>, inputs: Vec<PyRef<'_, RBETensor>>) -> PyResult<(Vec<RBETensor>, Captured)> {
    let inputs = inner(&inputs);
    let work = || -> rbe_core::Result<Vec<Tensor>> {
        let call = || -> PyResult<Vec<Tensor>> {
            let result = function.call0()?;
            let mut tensors = Vec::new();
            for item in result.cast::<PyList>().map_err(PyErr::from)? {
                tensors.push(item.cast::<RBETensor>().map_err(PyErr::from)?.get().inner.clone());
            }
            Ok(tensors)
        };
        call().map_err(carry)
    };
    let (outputs, inner) = graph::capture(&inputs, work).or_raise()?;
    Ok((outputs.into_iter().map(RBETensor::from).collect(), Captured { inner }))
}
