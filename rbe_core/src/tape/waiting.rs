//! Tensors whose values are computed when they are first asked for.
//!
//! Inside [`fuse`] an operation may give a tensor without values ([`Waiting`]); here is which of them wait on a thread, and when they
//! have to be computed whether or not somebody asks: before memory that they read changes, and when the function ends.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::node::Edge;
use super::tensor::{RBETensor, WeakTensor};
use crate::array::Array;
use crate::dtype::DType;
use crate::error::Result;

/// Tensors that wait on a thread before those that nobody holds are swept out.
const FEW: usize = 64;

/// Fused functions that run in the process.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SCOPE: RefCell<Scope> = const { RefCell::new(Scope { depth: 0, waiting: Vec::new(), few: 0, names: None }) };
}

/// What waits on a thread.
struct Scope {
    depth: usize,
    waiting: Vec<WeakTensor>, // oldest first; those that nobody holds any more are swept out now and then
    few: usize,               // how many were left by the last sweep
    names: Option<Vec<String>>,
}

/// Takes the values of a tensor and, if they were recorded, the output that they are.
pub(crate) type SetValues<'a> = &'a mut (dyn FnMut(Array, Option<Edge>) + Send);

/// What is known of a tensor without values, and how they are computed.
pub(crate) trait Waiting: Any + Send + Sync {
    fn shape(&self) -> &[usize];

    fn dtype(&self) -> DType;

    fn requires_grad(&self) -> bool;

    /// Computes the values of `tensor`, whose state this is, and gives them to `set`; does nothing if that has been done. With
    /// `apart` recorded operations run one by one.
    fn compute(&self, tensor: &RBETensor, apart: bool, set: SetValues<'_>) -> Result<()>;
}

fn with_scope<R>(work: impl FnOnce(&mut Scope) -> R) -> Option<R> {
    (ACTIVE.load(Ordering::Relaxed) != 0).then(|| SCOPE.with_borrow_mut(work))
}

/// Ends the scope of a function, even by a panic.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        SCOPE.with_borrow_mut(|scope| scope.depth -= 1);
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs `work` with element-wise operations joined where their results are not needed one by one. All tensors that are left
/// have their values afterwards.
///
/// # Errors
/// Those of `work` and of the operations.
pub fn fuse<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    ACTIVE.fetch_add(1, Ordering::Relaxed);
    SCOPE.with_borrow_mut(|scope| scope.depth += 1);
    let result = {
        let _end = End;
        work()
    };
    if fused_depth() > 0 {
        return result;
    }
    let settled = compute_waiting();
    result.and_then(|result| settled.map(|()| result))
}

/// How many calls of [`fuse`] this thread is in.
pub fn fused_depth() -> usize {
    SCOPE.with_borrow(|scope| scope.depth)
}

/// Whether operations on this thread may wait.
pub(crate) fn may_wait() -> bool {
    with_scope(|scope| scope.depth > 0) == Some(true)
}

/// As [`fuse`], with the names of the operations that ran on this thread.
///
/// # Errors
/// As [`fuse`].
pub fn fuse_and_tell<R>(work: impl FnOnce() -> Result<R>) -> Result<(R, Vec<String>)> {
    let before = SCOPE.with_borrow_mut(|scope| scope.names.replace(Vec::new()));
    let result = fuse(|| {
        let result = work();
        compute_waiting()?;
        result
    });
    let names = SCOPE.with_borrow_mut(|scope| std::mem::replace(&mut scope.names, before));
    result.map(|result| (result, names.unwrap_or_default()))
}

/// Notes that an operation runs.
pub(crate) fn note(name: impl FnOnce() -> String) {
    with_scope(|scope| {
        if let Some(names) = &mut scope.names {
            names.push(name());
        }
    });
}

/// Notes that `tensor` waits on this thread.
pub(crate) fn wait_for(tensor: &RBETensor) {
    with_scope(|scope| {
        scope.waiting.push(tensor.downgrade());
        if scope.waiting.len() >= 2 * scope.few.max(FEW) {
            scope.waiting.retain(WeakTensor::is_alive);
            scope.few = scope.waiting.len();
        }
    });
}

/// Computes all that waits on this thread.
///
/// # Errors
/// Those of the operations.
pub fn compute_waiting() -> Result<()> {
    let waiting = SCOPE.with_borrow_mut(|scope| std::mem::take(&mut scope.waiting));
    // The newest first: what only they need is joined to them.
    waiting.iter().rev().filter_map(WeakTensor::upgrade).try_for_each(|tensor| tensor.resolve())
}

/// Computes all that waits on this thread because memory that it may read is about to change. What is recorded is not joined: a
/// joined operation reads its inputs again in backward, where the single ones may have saved other values.
///
/// # Errors
/// Those of the operations.
pub fn settle() -> Result<()> {
    let waiting = SCOPE.with_borrow_mut(|scope| std::mem::take(&mut scope.waiting));
    waiting.iter().rev().filter_map(WeakTensor::upgrade).try_for_each(|tensor| tensor.resolve_apart())
}
