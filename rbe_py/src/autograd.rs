//! The tape as Python sees it: nodes, hooks, packed gradients.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rbe_core::array::Array;
use rbe_core::gradient::{Gradient, GradientCache};
use rbe_core::tape::{self, BackwardOptions, CheckpointStrategy, ComputationGraph, GradMode, Parent, Step};
use rbe_core::{RbeError, WeakSlot};

use crate::class::NewTensor;
use crate::convert::{gradient_object, gradient_of, operand, type_name};
use crate::error::{OrRaise, carry, raise};
use crate::gc::Object;
use crate::gil::detach;
use crate::tensor::RBETensor;

pub type Tensor = rbe_core::RBETensor;

/// A recorded operation.
#[pyclass(frozen, module = "rbe._rbe")]
pub struct Node {
    pub node: Arc<tape::Node>,
}

#[pymethods]
impl Node {
    fn name(&self) -> String {
        self.node.name().to_owned()
    }

    /// Recorded operations of the inputs; `None` for leaves and constants.
    #[getter]
    fn next_functions(&self) -> Vec<Option<Node>> {
        let next = |p: &Parent| if let Parent::Node(edge) = p { Some(Node { node: edge.node().clone() }) } else { None };
        self.node.parents().iter().map(next).collect()
    }

    /// Number of the operation, in the order of recording.
    #[getter]
    fn _id(&self) -> u64 {
        self.node.id()
    }

    /// Shapes of the results.
    #[getter]
    fn _shapes(&self) -> Vec<Vec<usize>> {
        (0..self.node.outputs()).map(|k| self.node.shape(k).to_vec()).collect()
    }

    /// Hashes of the leaves among the inputs.
    #[getter]
    fn _leaves(&self) -> Vec<isize> {
        self.node.parents().iter().filter_map(|p| if let Parent::Leaf(leaf) = p { Some(leaf.id() as isize) } else { None }).collect()
    }

    fn __repr__(&self) -> String {
        format!("<{} backward>", self.node.name())
    }
}

/// Gradient of a packed tensor, held as factors until it is read: the Rust side of `rbe.RBEGradient`.
#[pyclass(frozen, subclass, module = "rbe._rbe", name = "GradientBase")]
pub struct PackedGradient {
    pub cache: GradientCache,
}

#[pymethods]
impl PackedGradient {
    fn _hi(&self, py: Python<'_>) -> PyResult<NewTensor> {
        detach(py, || self.cache.hi()).or_raise().map(NewTensor::from)
    }

    fn _lo(&self, py: Python<'_>) -> PyResult<NewTensor> {
        detach(py, || self.cache.lo()).or_raise().map(NewTensor::from)
    }

    fn _levels(&self, py: Python<'_>) -> PyResult<NewTensor> {
        detach(py, || self.cache.levels()).or_raise().map(NewTensor::from)
    }

    fn _interaction(&self, py: Python<'_>) -> PyResult<NewTensor> {
        detach(py, || self.cache.interaction()).or_raise().map(NewTensor::from)
    }

    /// Bytes held.
    #[getter]
    fn nbytes(&self) -> usize {
        self.cache.nbytes()
    }

    fn __repr__(&self) -> String {
        let w = self.cache.weight();
        format!(
            "RBEGradient(shape={:?}, blocks={}, held={} factors, {} bytes)",
            w.shape(),
            w.rows() * w.blocks(),
            self.cache.factors().len(),
            self.cache.nbytes()
        )
    }
}

/// A registered hook.
#[pyclass(frozen, module = "rbe._rbe")]
pub struct Hook {
    slot: WeakSlot, // what the hook captures may hold this
    id: u64,
}

impl Hook {
    /// Registers the Python callable `hook` on `tensor`.
    pub fn register(_py: Python<'_>, tensor: &Tensor, hook: Py<PyAny>) -> PyResult<Hook> {
        let hook = Object::new(hook);
        let held = hook.clone();
        let call = move |gradient: &Gradient| -> rbe_core::Result<Option<Gradient>> {
            Python::attach(|py| {
                let Some(hook) = hook.get(py) else { return Ok(None) };
                let result = hook.bind(py).call1((gradient_object(py, gradient.clone())?,))?;
                if result.is_none() { Ok(None) } else { gradient_of(&result).map(Some) }
            })
            .map_err(carry)
        };
        let slot = tensor.slot(); // a hook stays with the values that it was registered for
        let id = slot.add_hook_holding(Arc::new(call), Some(held));
        Ok(Hook { slot: slot.downgrade(), id })
    }
}

#[pymethods]
impl Hook {
    /// Removes the hook.
    fn remove(&self) {
        if let Some(slot) = self.slot.upgrade() {
            slot.remove_hook(self.id);
        }
    }
}

/// Whether operations are recorded on this thread.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.is_grad_enabled()
/// True
#[pyfunction]
pub fn is_grad_enabled() -> bool {
    tape::is_grad_enabled()
}

/// Whether `rbe.autograd.checkpoint` runs its function a second time on this thread, in backward.
///
/// A module that counts its calls or keeps running values does so only where this is False.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> runs = []
/// >>> def function(x):
/// ...     runs.append(rbe.autograd.is_recomputing())
/// ...     return x.exp()
/// >>> rbe.autograd.checkpoint(function, rbe.ones(1, requires_grad=True)).backward()
/// >>> runs
/// [False, True]
#[pyfunction]
pub fn is_recomputing() -> bool {
    tape::is_recomputing()
}

/// Sets recording on or off; what it was before.
#[pyfunction(name = "_set_grad_enabled")]
pub fn set_grad_enabled(enabled: bool) -> bool {
    let before = tape::is_grad_enabled();
    std::mem::forget(GradMode::set(enabled));
    before
}

pub fn tensors(list: Vec<PyRef<'_, RBETensor>>) -> Vec<Tensor> {
    list.iter().map(|t| t.inner.clone()).collect()
}

fn upstream(gradients: Vec<Option<Bound<'_, PyAny>>>) -> PyResult<Vec<Option<Array>>> {
    gradients.into_iter().map(|g| g.map(|g| Ok(operand(&g, None)?.array("backward").or_raise()?.clone())).transpose()).collect()
}

/// Backward from several tensors.
#[pyfunction(name = "_backward")]
pub fn backward(
    py: Python<'_>,
    roots: Vec<PyRef<'_, RBETensor>>,
    gradients: Vec<Option<Bound<'_, PyAny>>>,
    retain_graph: bool,
    inputs: Option<Vec<PyRef<'_, RBETensor>>>,
) -> PyResult<()> {
    let (roots, gradients, inputs) = (tensors(roots), upstream(gradients)?, inputs.map(tensors));
    run_backward(py, &roots, &gradients, retain_graph, inputs.as_deref())
}

/// Backward from `roots` to all leaves, or to `inputs`.
pub fn run_backward(
    py: Python<'_>,
    roots: &[Tensor],
    gradients: &[Option<Array>],
    retain_graph: bool,
    inputs: Option<&[Tensor]>,
) -> PyResult<()> {
    let options = BackwardOptions { retain_graph };
    let roots: Vec<&Tensor> = roots.iter().collect();
    // Hooks and user-defined operations may call Python from any thread of the pool: the GIL must be free.
    detach(py, || match inputs {
        None => tape::backward(&roots, gradients, options),
        Some(inputs) => tape::backward_into(&roots, gradients, &inputs.iter().collect::<Vec<_>>(), options),
    })
    .or_raise()
}

/// One tensor, or the tensors of an iterable.
pub fn listed(op: &'static str, name: &str, object: &Bound<'_, PyAny>) -> PyResult<Vec<Tensor>> {
    let tensor = |o: &Bound<'_, PyAny>| match o.cast::<RBETensor>() {
        Ok(t) => Ok(t.get().inner.clone()),
        Err(_) => Err(raise(RbeError::dtype(op, format!("a tensor or a sequence of tensors as {name}"), type_name(o)))),
    };
    if object.is_instance_of::<RBETensor>() {
        return Ok(vec![tensor(object)?]);
    }
    match object.try_iter() {
        Ok(items) => items.map(|item| tensor(&item?)).collect(),
        Err(_) => Ok(vec![tensor(object)?]),
    }
}

/// Gradients with respect to targets.
#[pyfunction(name = "_grad")]
pub fn grad(
    py: Python<'_>,
    roots: Vec<PyRef<'_, RBETensor>>,
    targets: Vec<PyRef<'_, RBETensor>>,
    gradients: Vec<Option<Bound<'_, PyAny>>>,
    retain_graph: bool,
) -> PyResult<Vec<Option<Py<PyAny>>>> {
    let (roots, targets, gradients) = (tensors(roots), tensors(targets), upstream(gradients)?);
    let found = detach(py, || {
        tape::grad(&roots.iter().collect::<Vec<_>>(), &targets.iter().collect::<Vec<_>>(), &gradients, BackwardOptions { retain_graph })
    })
    .or_raise()?;
    found.into_iter().map(|g| g.map(|g| gradient_object(py, g)).transpose()).collect()
}

/// `f` called with tensors of the core from any thread.
fn call(op: &'static str, f: &Object, inputs: &[Tensor]) -> rbe_core::Result<Tensor> {
    Python::attach(|py| {
        let f = f.get(py).ok_or_else(|| raise(collected(op)))?;
        let args = inputs.iter().map(|t| NewTensor::from(t.clone()).into_pyobject(py)).collect::<PyResult<Vec<_>>>()?;
        let result = f.bind(py).call1(PyTuple::new(py, args)?)?;
        match result.cast::<RBETensor>() {
            Ok(t) => Ok(t.get().inner.clone()),
            Err(_) => Err(raise(RbeError::dtype(op, "a function that returns a tensor", type_name(&result)))),
        }
    })
    .map_err(carry)
}

pub fn collected(op: impl Into<Cow<'static, str>>) -> RbeError {
    RbeError::graph(op, "a graph that somebody holds", "one that the garbage collector took")
}

/// Runs `f` on tensors, and again in backward.
#[pyfunction(name = "_checkpoint")]
pub fn checkpoint(py: Python<'_>, f: Py<PyAny>, inputs: Vec<PyRef<'_, RBETensor>>) -> PyResult<NewTensor> {
    let (inputs, f) = (tensors(inputs), Object::new(f));
    let held: Vec<tape::Held> = vec![f.clone()];
    detach(py, || tape::checkpoint_holding(move |x| call("checkpoint", &f, x), held, &inputs.iter().collect::<Vec<_>>()))
        .or_raise()
        .map(NewTensor::from)
}

/// Runs functions of a tensor one after another under a checkpoint strategy.
#[pyfunction(name = "_execute")]
pub fn execute(
    py: Python<'_>,
    steps: Vec<Py<PyAny>>,
    x: &RBETensor,
    every: Option<usize>,
    budget_bytes: Option<usize>,
) -> PyResult<NewTensor> {
    let strategy = match (every, budget_bytes) {
        (Some(n), _) => CheckpointStrategy::Every(n),
        (_, Some(budget_bytes)) => CheckpointStrategy::Within { budget_bytes },
        _ => CheckpointStrategy::None,
    };
    let mut graph = ComputationGraph::new();
    for f in steps {
        let f = Object::new(f);
        let held = f.clone();
        let step: Step = Arc::new(move |x| call("execute", &f, std::slice::from_ref(x)));
        graph.register_holding(step, Some(held));
    }
    let x = x.inner.clone();
    detach(py, || graph.enable_checkpointing(strategy).execute(&x)).or_raise().map(NewTensor::from)
}

/// Gradient check of a Python function of a list of tensors.
#[pyfunction(name = "_gradcheck")]
pub fn gradcheck(py: Python<'_>, f: Py<PyAny>, inputs: Vec<PyRef<'_, RBETensor>>, eps: f64, atol: f64, rtol: f64) -> PyResult<()> {
    let (inputs, f) = (tensors(inputs), Object::new(f));
    detach(py, || {
        rbe_core::gradcheck::gradcheck(
            |inputs: &[Tensor]| call("gradcheck", &f, inputs),
            &inputs,
            rbe_core::gradcheck::Tolerance { eps, atol, rtol },
        )
    })
    .or_raise()
}
