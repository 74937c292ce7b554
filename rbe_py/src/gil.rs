//! Calls from Python into the core, and the GIL meanwhile.
//!
//! An operation states in the core what it costs ([`Op::cost`](rbe_core::op::Op::cost)). The core surrounds one that takes long by
//! [`release`], on a thread that came in through [`enter`] and so holds the GIL. What is no operation of the core (backward, steps of
//! optimisers, files) releases it by [`detach`].

use std::cell::Cell;

use pyo3::prelude::*;
use rbe_core::{memory, parallel};

use crate::error::{OrRaise, carry};
use crate::fork::{Away, Inside};

/// Operation in errors of memory that the core does not name.
const UNNAMED: &str = "allocate";

thread_local! {
    /// Whether this thread holds the GIL, as far as it is known: the core runs without it where this is not known.
    static HOLDS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread holds the GIL, until dropped, even by a panic.
struct Holding {
    before: bool,
}

impl Holding {
    fn set(holds: bool) -> Holding {
        Holding { before: HOLDS.replace(holds) }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        HOLDS.set(self.before);
    }
}

/// Makes the core release the GIL around long work.
pub fn start() {
    parallel::surround_long_work(release);
}

/// Runs long work of the core, without the GIL if this thread holds it.
fn release(work: &mut (dyn FnMut() + Send)) {
    if HOLDS.get() { Python::attach(|py| without(py, work)) } else { work() }
}

/// Runs `work` without the GIL, which is taken again even after a panic.
fn without<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let _away = Away::begin();
    py.detach(|| {
        let _inside = Inside::enter();
        let _holding = Holding::set(false);
        work()
    })
}

/// Runs `work`, whose long operations release the GIL, and converts its error.
pub fn enter<T>(py: Python<'_>, work: impl FnOnce() -> rbe_core::Result<T>) -> PyResult<T> {
    enter_as(py, UNNAMED, work)
}

/// As [`enter`], with `op` as the name in errors of memory that the core does not name.
pub fn enter_as<T>(_py: Python<'_>, op: &str, work: impl FnOnce() -> rbe_core::Result<T>) -> PyResult<T> {
    let _holding = Holding::set(true);
    memory::guard(op, work).or_raise()
}

/// Runs `work` for `op`, which is no operation of the core and makes, reads or copies so many `elements`, and converts its error.
pub fn enter_for<T: Send>(py: Python<'_>, op: &str, elements: usize, work: impl FnOnce() -> rbe_core::Result<T> + Send) -> PyResult<T> {
    enter_as(py, op, || parallel::long_work(elements as u64, || memory::guard(op, work)))
}

/// Runs `work` without the GIL; a refused allocation is an error.
pub fn detach<T: Send>(py: Python<'_>, work: impl FnOnce() -> rbe_core::Result<T> + Send) -> rbe_core::Result<T> {
    detach_for(py, UNNAMED, work)
}

/// As [`detach`], for `op`.
pub fn detach_for<T: Send>(py: Python<'_>, op: &str, work: impl FnOnce() -> rbe_core::Result<T> + Send) -> rbe_core::Result<T> {
    without(py, || memory::guard(op, work))
}

/// Runs `work`, which needs the GIL, for `op`; a refused allocation becomes a Python error.
pub fn within<T>(op: &str, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    memory::guard(op, || work().map_err(carry)).or_raise()
}
