//! How something that was computed gets onto the tape: one primitive for built-in operations, user-defined ones and checkpoints.

use std::sync::Arc;

use smallvec::SmallVec;

use super::mode::is_grad_enabled;
use super::node::{Arrays, Edge, Node};
use super::profile::{Phase, measured};
use super::rule::BackwardRule;
use super::tensor::RBETensor;
use super::waiting::note;
use crate::array::Array;
use crate::error::Result;
use crate::memory;

/// Tensors of an operation, most often one.
pub type Tensors = SmallVec<[RBETensor; 1]>;

/// Tensors of `outputs`, which somebody computed from `inputs`; `rule` takes gradients back from the former to the latter. They are
/// recorded as one node while recording is on and an input requires grad. Outputs of integers are constants.
///
/// # Errors
/// Those of operations that compute an input now; `Memory` for the copy of an output that lies in the memory of an input.
pub fn record(rule: Arc<dyn BackwardRule>, inputs: &[&RBETensor], outputs: Arrays) -> Result<Tensors> {
    inputs.iter().try_for_each(|t| t.resolve())?;
    note(|| rule.name().to_owned());
    measured(rule.name(), Phase::Forward, || (), |()| outputs.iter().map(Array::nbytes).sum());
    record_with(rule, inputs, outputs, Vec::new())
}

/// As [`record`], with the by-products `kept` that the rule wants; for an operation that has been noted and measured.
pub(crate) fn record_with(rule: Arc<dyn BackwardRule>, inputs: &[&RBETensor], mut outputs: Arrays, kept: Vec<Array>) -> Result<Tensors> {
    // Gradients of a view that is changed in place go by its memory, past its operation: only views may share that.
    for output in &mut outputs {
        if inputs.iter().any(|t| t.value().shares(output)) {
            *output = memory::guard(rule.name(), || Ok(output.copy()))?;
        }
    }
    let node = node_of(rule, inputs, &outputs, kept);
    let tensor = |(k, array): (usize, Array)| RBETensor::result(array_edge(&node, k, &array), array, None);
    if outputs.len() == 1
        && let Some(only) = outputs.pop()
    {
        return Ok(Tensors::from_buf([tensor((0, only))])); // most operations: without the loop, which small ones would notice
    }
    Ok(outputs.into_iter().enumerate().map(tensor).collect())
}

/// As [`record_with`], for an output that may lie in the memory of an input, as a view of it.
pub(crate) fn record_view(rule: Arc<dyn BackwardRule>, inputs: &[&RBETensor], output: Array) -> RBETensor {
    let node = node_of(rule, inputs, std::slice::from_ref(&output), Vec::new());
    let of = inputs.iter().find(|t| t.value().shares(&output));
    RBETensor::result(array_edge(&node, 0, &output), output, of.copied())
}

fn node_of(rule: Arc<dyn BackwardRule>, inputs: &[&RBETensor], outputs: &[Array], kept: Vec<Array>) -> Option<Arc<Node>> {
    let wanted = is_grad_enabled() && outputs.iter().any(|a| a.dtype().is_float()) && inputs.iter().any(|t| t.requires_grad());
    wanted.then(|| Arc::new(Node::new(rule, inputs, outputs, kept)))
}

fn array_edge(node: &Option<Arc<Node>>, k: usize, array: &Array) -> Option<Edge> {
    node.as_ref().filter(|_| array.dtype().is_float()).map(|node| Edge { node: node.clone(), output: k as u32 })
}

/// The node by which memory that holds `array` already goes to a later place on the tape.
pub(crate) fn record_place(rule: Arc<dyn BackwardRule>, inputs: &[&RBETensor], array: &Array) -> Edge {
    Edge { node: Arc::new(Node::new(rule, inputs, std::slice::from_ref(array), Vec::new())), output: 0 }
}
