//! Saving and loading.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use rbe_core::io;

use crate::error::{OrRaise, carry};
use crate::gil::{detach, within};
use crate::nesting;

/// Lets Python's signal handlers run while a long file is written or read: Ctrl-C ends that.
fn poll() -> rbe_core::Result<()> {
    Python::attach(|py| py.check_signals()).map_err(carry)
}

/// Writes nested state to a file.
#[pyfunction(name = "_save")]
pub fn save(py: Python<'_>, path: PathBuf, state: &Bound<'_, PyMapping>, metadata: io::Texts) -> PyResult<()> {
    let flat = within("save", || nesting::flatten(state))?;
    detach(py, || io::save(&path, &flat.tensors, metadata, flat.tree, &poll)).or_raise()
}

/// What `_load` returns: state, and metadata.
type Loaded<'py> = (Bound<'py, PyAny>, Option<io::Texts>);

/// Reads what `_save` wrote, and the metadata if wanted.
#[pyfunction(name = "_load")]
pub fn load<'py>(py: Python<'py>, path: PathBuf, metadata: bool) -> PyResult<Loaded<'py>> {
    let contents = detach(py, || io::load(&path, &poll)).or_raise()?;
    let state = match &contents.tree {
        Some(tree) => within("load", || nesting::build(py, tree, contents.tensors))?,
        None => {
            let state = PyDict::new(py);
            for (name, value) in contents.tensors {
                state.set_item(name, nesting::tensor(py, value)?)?;
            }
            state.into_any()
        }
    };
    Ok((state, metadata.then_some(contents.metadata)))
}
