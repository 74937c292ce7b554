//! Python objects that the tape owns, and their report to Python's garbage collector.
//!
//! A hook that captures its tensor, or the context of a user-defined operation that stores its output, is part of a cycle from a
//! Python object through the tape, which Python does not see, back to the object. The tensor reports to the collector the objects
//! that only it leads to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use rbe_core::tape::{Held, each_held};

use crate::fork::is_away;

/// Number of objects that tapes of the process own; with none there is nothing to report.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// A Python object that the tape owns until the collector clears it.
pub struct Object(Mutex<Option<Py<PyAny>>>);

impl Object {
    /// Takes ownership of `object`.
    pub fn new(object: Py<PyAny>) -> Arc<Object> {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Arc::new(Object(Mutex::new(Some(object))))
    }

    /// The object; `None` if it was collected.
    pub fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock().as_ref().map(|object| object.clone_ref(py))
    }

    /// Drops the object.
    pub fn give_up(&self) {
        let object = self.lock().take();
        drop(object); // outside the lock
    }

    fn lock(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

fn each_object(tensor: &rbe_core::RBETensor, visit: &mut dyn FnMut(&Object)) {
    // While another thread works without the GIL, reference counts may change at any time.
    if LIVE.load(Ordering::Relaxed) == 0 || is_away() {
        return;
    }
    each_held(tensor, &mut |held: &Held| {
        if let Some(object) = held.downcast_ref::<Object>() {
            visit(object);
        }
    });
}

/// Reports to the collector the objects that only `tensor` leads to.
pub fn traverse(tensor: &rbe_core::RBETensor, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    let mut result = Ok(());
    each_object(tensor, &mut |object| {
        if let (Ok(()), Ok(object)) = (&result, object.0.try_lock()) {
            result = visit.call(&*object);
        }
    });
    result
}

/// Drops the objects that only `tensor` leads to, because it is part of an unreachable cycle.
pub fn clear(tensor: &rbe_core::RBETensor) {
    let mut taken = Vec::new();
    each_object(tensor, &mut |object| taken.extend(object.lock().take()));
    drop(taken); // after the traversal, because dropping them can drop anything else
}
