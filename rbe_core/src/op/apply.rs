//! Applies an operation to tensors, at once or when its result is asked for.

use std::sync::Arc;

use super::deferred::defer;
use super::rule::Op;
use super::run::{run, run_all};
use crate::error::{RbeError, Result};
use crate::tape::RBETensor;

/// Runs `op` and, where an input wants a gradient and recording is on, records it.
///
/// # Errors
/// Those of the operation, and `Graph` for a wrong number of inputs.
pub fn apply(op: impl Op, inputs: &[&RBETensor]) -> Result<RBETensor> {
    let op: Arc<dyn Op> = Arc::new(op);
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
    let results = run_all(op.clone(), inputs)?;
    let count = results.len();
    let listed: Vec<RBETensor> = results.into_iter().collect();
    listed.try_into().map_err(|_| RbeError::graph(op.rule().name.clone(), format!("{N} results"), count))
}
