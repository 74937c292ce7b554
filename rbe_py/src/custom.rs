//! Operations that Python computes and differentiates.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyList;
use rbe_core::RbeError;
use rbe_core::array::Array;
use rbe_core::tape::{self, Arrays, BackwardRule, Cx, Grads, Holding, dense};

use crate::autograd::{Tensor, collected, tensors};
use crate::class::NewTensor;
use crate::convert::operand;
use crate::error::{OrRaise, carry, raise};
use crate::gc::Object;
use crate::tensor::RBETensor;

/// The rule of an operation whose results Python has computed and whose gradients it will.
struct Custom {
    name: String,
    backward: Arc<Object>,
    held: tape::Held, // the same
    always: bool,     // called in backward even if no gradient comes
}

impl BackwardRule for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn holdings<'a>(&'a self, visit: &mut dyn FnMut(Holding<'a>)) {
        visit(Holding::Object(&self.held));
    }

    fn runs_without_gradient(&self) -> bool {
        self.always
    }

    fn free(&self) {
        self.backward.give_up();
    }

    fn backward(&self, cx: &Cx<'_>) -> rbe_core::Result<Grads> {
        let listed = Python::attach(|py| self.call(py, cx)).map_err(carry)?;
        if listed.len() != cx.arity() {
            return Err(RbeError::graph(self.name.clone(), format!("{} gradients from its backward", cx.arity()), listed.len()));
        }
        for (i, g) in listed.iter().enumerate() {
            if let Some(g) = g.as_ref().filter(|g| g.shape() != cx.shape(i)) {
                return Err(RbeError::shape(
                    self.name.clone(),
                    format!("a gradient {:?} of input {i}", cx.shape(i)),
                    format!("{:?}", g.shape()),
                ));
            }
        }
        Ok(listed.into_iter().map(|g| g.and_then(dense)).collect())
    }
}

impl Custom {
    /// What the Python function returns for the gradients of the outputs, None where none came: a list or tuple with a gradient or
    /// None for every input.
    fn call(&self, py: Python<'_>, cx: &Cx<'_>) -> PyResult<Vec<Option<Array>>> {
        let upstream = (0..cx.outputs()).map(|k| cx.dy_of(k).map(|dy| NewTensor::from(dy.clone()).into_pyobject(py)).transpose());
        let upstream = PyList::new(py, upstream.collect::<PyResult<Vec<_>>>()?)?;
        let backward = self.backward.get(py).ok_or_else(|| raise(collected(self.name.clone())))?;
        let gradient = |g: Bound<'_, PyAny>| {
            if g.is_none() {
                return Ok(None);
            }
            Ok(Some(operand(&g, Some(cx.dtype_of(0)))?.array("backward").or_raise()?.clone()))
        };
        backward.bind(py).call1((upstream,))?.try_iter()?.map(|g| gradient(g?)).collect()
    }
}

/// Records `results` as those of one operation on `inputs`. `backward(dys)` takes the gradients of the results, None where none
/// came, and returns those of the inputs; `always` calls it even where none came at all.
#[pyfunction(name = "_record")]
#[pyo3(signature = (name, inputs, results, backward, always = false))]
pub fn record(
    name: String,
    inputs: Vec<PyRef<'_, RBETensor>>,
    results: Vec<PyRef<'_, RBETensor>>,
    backward: Py<PyAny>,
    always: bool,
) -> PyResult<Vec<NewTensor>> {
    let inputs = tensors(inputs);
    let array = |result: &Tensor| match result.array("custom") {
        Ok(array) => Ok(array.clone()),
        Err(_) if result.is_packed() => Err(raise(RbeError::dtype(name.clone(), "dense results", "a packed one"))),
        Err(error) => Err(raise(error)),
    };
    let outputs = tensors(results).iter().map(array).collect::<PyResult<Arrays>>()?;
    let backward = Object::new(backward);
    let rule = Custom { name, held: backward.clone(), backward, always };
    let recorded = tape::record(Arc::new(rule), &inputs.iter().collect::<Vec<_>>(), outputs).or_raise()?;
    Ok(recorded.into_iter().map(NewTensor::from).collect())
}
