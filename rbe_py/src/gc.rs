//! Python objects that the tape holds, and what Python's garbage collector is told of them.
//!
//! A hook that captures its tensor, the output of a user-defined operation kept in that operation's context: such cycles go from a
//! Python object through the tape, which Python does not see, back to the object. The tensor shows the collector what it
//! alone holds behind it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use rbe_core::tape::{Held, each_held};

use crate::fork::is_away;

/// Objects held by tapes, in the process: without them there is nothing to look for.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// A Python object that the tape holds, until the collector takes it.
pub struct Object(Mutex<Option<Py<PyAny>>>);

impl Object {
    /// Holds `object`.
    pub fn new(object: Py<PyAny>) -> Arc<Object> {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Arc::new(Object(Mutex::new(Some(object))))
    }

    /// The object; none if it was collected.
    pub fn get(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock().as_ref().map(|object| object.clone_ref(py))
    }

    /// Lets the object go.
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
    // While another thread works without the GIL, what a tensor alone holds may change from one moment to the next.
    if LIVE.load(Ordering::Relaxed) == 0 || is_away() {
        return;
    }
    each_held(tensor, &mut |held: &Held| {
        if let Some(object) = held.downcast_ref::<Object>() {
            visit(object);
        }
    });
}

/// Shows the collector the objects that `tensor` alone holds.
pub fn traverse(tensor: &rbe_core::RBETensor, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
    let mut result = Ok(());
    each_object(tensor, &mut |object| {
        if let (Ok(()), Ok(object)) = (&result, object.0.try_lock()) {
            result = visit.call(&*object);
        }
    });
    result
}

/// Gives up the objects that `tensor` alone holds: it is part of a cycle that nobody can reach.
pub fn clear(tensor: &rbe_core::RBETensor) {
    let mut taken = Vec::new();
    each_object(tensor, &mut |object| taken.extend(object.lock().take()));
    drop(taken); // after the walk: anything may go with them
}
