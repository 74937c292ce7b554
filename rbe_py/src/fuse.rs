//! Scripted functions: chains of element-wise operations are fused.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rbe_core::tape;

use crate::error::{OrRaise, carry};
use crate::gil::detach;

/// Calls `function`, and computes its deferred element-wise operations without the GIL.
fn call(function: &Bound<'_, PyAny>, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> rbe_core::Result<Py<PyAny>> {
    let result = function.call(args, kwargs);
    if tape::fused_depth() == 1 {
        let settled = detach(function.py(), tape::compute_waiting);
        return result.map(Bound::unbind).map_err(carry).and_then(|result| settled.map(|()| result));
    }
    result.map(Bound::unbind).map_err(carry)
}

/// The result of `function(*args, **kwargs)` with fused element-wise operations.
#[pyfunction(name = "_fuse")]
pub fn fuse(function: &Bound<'_, PyAny>, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
    tape::fuse(|| call(function, args, kwargs)).or_raise()
}

/// Names of the operations that `_fuse` runs.
#[pyfunction(name = "_fused_operations")]
pub fn fused_operations(
    function: &Bound<'_, PyAny>,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<Vec<String>> {
    tape::fuse_and_tell(|| call(function, args, kwargs)).map(|(_, names)| names).or_raise()
}
