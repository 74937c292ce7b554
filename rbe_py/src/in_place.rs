//! Changes of a tensor in place.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use rbe_core::RbeError;
use rbe_core::tape;

use crate::class::NewTensor;
use crate::convert::operand;
use crate::error::OrRaise;
use crate::gil::enter;
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// Replaces the elements of a tensor by what `f` makes of it, which must have its shape and fit its kind of numbers. Where `f` is recorded
/// and its gradient reads the elements from before, `keeps` is set and the tape keeps a copy.
pub fn change<'py>(
    slf: &Bound<'py, RBETensor>,
    op: &'static str,
    other: Option<&Tensor>,
    keeps: bool,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor>,
) -> PyResult<Bound<'py, RBETensor>> {
    let this = &slf.get().inner;
    let recorded = tape::is_grad_enabled() && (this.requires_grad() || other.is_some_and(Tensor::requires_grad));
    enter(slf.py(), || {
        let before = if recorded && keeps {
            this.before_change(op)?
        } else {
            this.writable(op)?;
            this.clone()
        };
        let result = f(&before)?;
        if result.shape() != this.shape() {
            return Err(RbeError::shape(op, format!("a result of shape {:?}", this.shape()), format!("{:?}", result.shape())));
        }
        if !result.dtype().fits_kind_of(this.dtype()) {
            return Err(RbeError::dtype(op, format!("a result that {} holds", this.dtype()), result.dtype()));
        }
        this.take_over(op, &result)
    })?;
    Ok(slf.clone())
}

/// The name of an in-place method for as long as the process runs; there are few.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(have) => have,
        None => {
            let new: &'static str = Box::leak(name.to_owned().into_boxed_str());
            names.insert(new);
            new
        }
    }
}

#[pymethods]
impl RBETensor {
    /// The tensor as operand of a change in place: in memory of its own where the tape may keep it (`kept`).
    #[pyo3(name = "_before_change")]
    fn before_change(slf: PyRef<'_, Self>, op: &str, kept: bool) -> PyResult<Py<RBETensor>> {
        let op = lasting(op);
        if kept {
            let inner = &slf.inner;
            let copy = enter(slf.py(), || inner.before_change(op))?;
            return Ok(NewTensor::from(copy).into_pyobject(slf.py())?.unbind());
        }
        slf.inner.writable(op).or_raise()?;
        Ok(slf.into())
    }

    /// Takes over the values of `result` and its place on the tape.
    #[pyo3(name = "_take_over")]
    fn take_over(&self, py: Python<'_>, op: &str, result: &RBETensor) -> PyResult<()> {
        let op = lasting(op);
        enter(py, || self.inner.take_over(op, &result.inner))
    }

    #[pyo3(name = "_assign")]
    fn assign(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = operand(value, Some(self.inner.number_type()))?;
        enter(py, || self.inner.assign(&value))
    }
}
