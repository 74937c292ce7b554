//! Applies an operation to tensors, at once or when its result is asked for.

use std::sync::Arc;

use super::deferred::defer;
use super::narrow::{is_narrow, narrowed, widened};
use super::rule::Op;
use super::run::{run, run_all};
use crate::error::{RbeError, Result};
use crate::tape::{RBETensor, Tensors};

/// Runs `op` and, where an input wants a gradient and recording is on, records it.
///
/// # Errors
/// Those of the operation, and `Graph` for a wrong number of inputs.
pub fn apply(op: impl Op, inputs: &[&RBETensor]) -> Result<RBETensor> {
    let op: Arc<dyn Op> = Arc::new(op);
    if is_narrow(&*op, inputs) {
        let wide = widened(&*op, inputs)?;
        let result = now_or_later(op.clone(), &wide.iter().collect::<Vec<_>>())?;
        return narrowed(&op, inputs, 0, result);
    }
    now_or_later(op, inputs)
}

fn now_or_later(op: Arc<dyn Op>, inputs: &[&RBETensor]) -> Result<RBETensor> {
    match defer(&op, inputs)? {
        Some(waiting) => Ok(waiting),
        None => run(op, inputs),
    }
}

/// As [`apply`], for an operation of `N` results.
///
/// # Errors
/// As [`apply`].
pub fn apply_many<const N: usize>(op: impl Op, inputs: &[&RBETensor]) -> Result<[RBETensor; N]> {
    let op: Arc<dyn Op> = Arc::new(op);
    let results = if is_narrow(&*op, inputs) {
        let wide = widened(&*op, inputs)?;
        let results = run_all(op.clone(), &wide.iter().collect::<Vec<_>>())?;
        results.into_iter().enumerate().map(|(k, result)| narrowed(&op, inputs, k, result)).collect::<Result<Tensors>>()?
    } else {
        run_all(op.clone(), inputs)?
    };
    let count = results.len();
    let listed: Vec<RBETensor> = results.into_iter().collect();
    listed.try_into().map_err(|_| RbeError::graph(op.rule().name.clone(), format!("{N} results"), count))
}
