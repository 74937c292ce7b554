//! Runs an operation and records it.

use std::sync::Arc;

use super::rule::{Inputs, Op, Output};
use crate::array::Array;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::tape::{Phase, RBETensor, Tensors, measured, note, record_view, record_with};

/// Results of `op` on `inputs`, one of which may require grad.
pub(super) fn run_all(op: Arc<dyn Op>, inputs: &[&RBETensor]) -> Result<Tensors> {
    inputs.iter().try_for_each(|t| t.resolve())?;
    note(|| op.describe());
    let rule = op.rule();
    if inputs.len() < rule.arity.0 || inputs.len() > rule.arity.1 {
        return Err(RbeError::graph(rule.name.clone(), format!("{} to {} inputs", rule.arity.0, rule.arity.1), inputs.len()));
    }
    let given = Inputs::new(inputs, &rule.name);
    let forward = || parallel::long_work(op.cost(given), || memory::guard(&rule.name, || op.forward(given)));
    let bytes = |out: &Result<Output>| out.iter().flat_map(|out| &out.values).map(Array::nbytes).sum();
    let Output { mut values, kept } = measured(&rule.name, Phase::Forward, forward, bytes)?;
    if op.is_view()
        && let Some(view) = values.pop()
    {
        return Ok(Tensors::from_buf([record_view(op, inputs, view)]));
    }
    record_with(op, inputs, values, kept)
}

/// The result of an operation that has one, or the first of several.
pub(super) fn run(op: Arc<dyn Op>, inputs: &[&RBETensor]) -> Result<RBETensor> {
    let mut results = run_all(op, inputs)?;
    Ok(results.swap_remove(0))
}
