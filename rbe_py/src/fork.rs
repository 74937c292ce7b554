//! Forking: the process is forked only while no other thread is inside the engine.
//!
//! The child has only the thread that forked. A lock that another thread held, of the pool or of a tensor, would stay locked in
//! the child for ever. A thread that holds the GIL cannot be inside while another one forks; threads that released it are counted here.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;

static INSIDE: AtomicUsize = AtomicUsize::new(0);
static AWAY: AtomicUsize = AtomicUsize::new(0); // threads that released the GIL to work inside, or are about to
static FORKING: AtomicBool = AtomicBool::new(false);

/// Longest wait for the other threads, because one of them may wait for the forking thread.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_micros(50);

thread_local! {
    static OWN: Cell<usize> = const { Cell::new(0) }; // nesting depth of this thread's calls, because hooks may call the engine
}

/// The state of being inside the engine without the GIL.
pub struct Inside;

impl Inside {
    /// Counts this thread, as soon as no other one forks.
    pub fn enter() -> Inside {
        loop {
            INSIDE.fetch_add(1, Ordering::SeqCst);
            if OWN.get() > 0 || !FORKING.load(Ordering::SeqCst) {
                OWN.set(OWN.get() + 1);
                return Inside;
            }
            INSIDE.fetch_sub(1, Ordering::SeqCst);
            while FORKING.load(Ordering::SeqCst) {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        OWN.set(OWN.get() - 1);
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A thread without the GIL, counted from before it releases the GIL until it has it again.
pub struct Away;

impl Away {
    /// Counts this thread.
    pub fn begin() -> Away {
        AWAY.fetch_add(1, Ordering::SeqCst);
        Away
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        AWAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a thread works without the GIL. None can start while the calling thread keeps the GIL.
pub fn is_away() -> bool {
    AWAY.load(Ordering::SeqCst) > 0
}

/// Waits until no other thread is inside, and prevents others from entering.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    FORKING.store(true, Ordering::SeqCst);
    let (own, began) = (OWN.get(), Instant::now());
    py.detach(|| {
        while INSIDE.load(Ordering::SeqCst) > own && began.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
        }
    });
}

#[pyfunction]
fn after_in_parent() {
    FORKING.store(false, Ordering::SeqCst);
}

#[pyfunction]
fn after_in_child() {
    INSIDE.store(OWN.get(), Ordering::SeqCst);
    AWAY.store(OWN.get(), Ordering::SeqCst); // the other threads do not exist in this process
    FORKING.store(false, Ordering::SeqCst);
}

/// Registers the handlers with Python; some systems have no fork.
pub fn watch(py: Python<'_>) -> PyResult<()> {
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        let calls = PyDict::new(py);
        calls.set_item("before", wrap_pyfunction!(before_fork, py)?)?;
        calls.set_item("after_in_parent", wrap_pyfunction!(after_in_parent, py)?)?;
        calls.set_item("after_in_child", wrap_pyfunction!(after_in_child, py)?)?;
        os.call_method("register_at_fork", (), Some(&calls))?;
    }
    Ok(())
}
