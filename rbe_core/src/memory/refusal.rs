//! Errors that unwind: a refused allocation, and any other error that cannot be returned.

use std::any::Any;
use std::cell::Cell;
use std::panic::{panic_any, resume_unwind};

use smallvec::SmallVec;

use crate::dtype::DType;
use crate::error::RbeError;

/// What an allocation that failed unwinds with.
#[derive(Debug)]
pub(super) struct Refused {
    bytes: Option<usize>, // none: more than an address can name
    array: Option<(DType, SmallVec<[usize; 4]>)>,
}

thread_local! {
    /// How many guards this thread is in.
    static GUARDS: Cell<u32> = const { Cell::new(0) };
}

/// Whether somebody returns the errors of this thread: then they unwind without a message.
fn is_guarded() -> bool {
    GUARDS.get() > 0
}

/// Declares that another thread raises again what unwinds on this one.
pub(crate) fn hand_on_errors() {
    GUARDS.set(1);
}

/// Counts a guard while it lives.
pub(super) struct Guarded;

impl Guarded {
    pub(super) fn enter() -> Guarded {
        GUARDS.set(GUARDS.get() + 1);
        Guarded
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        GUARDS.set(GUARDS.get() - 1);
    }
}

impl Refused {
    pub(super) fn error(&self, op: &str) -> RbeError {
        let bytes = match self.bytes {
            Some(bytes) => format!("{bytes} bytes, which the system refuses"),
            None => "more bytes than there are addresses".to_owned(),
        };
        let got = match &self.array {
            Some((dtype, shape)) => format!("{dtype} {:?}: {bytes}", shape.as_slice()),
            None => bytes,
        };
        RbeError::memory(op.to_owned(), "results and scratch that fit in memory", got)
    }

    fn raise(self) -> ! {
        if is_guarded() { resume_unwind(Box::new(self)) } else { panic_any(self) }
    }
}

/// Unwinds because `bytes` were refused; none if they are more than an address can name.
#[cold]
pub(crate) fn refuse(bytes: Option<usize>) -> ! {
    Refused { bytes, array: None }.raise()
}

/// Unwinds to the guard with an error that cannot be returned.
#[cold]
pub(crate) fn unwind(error: RbeError) -> ! {
    if is_guarded() { resume_unwind(Box::new(error)) } else { panic_any(error) }
}

/// Goes on unwinding on the thread that waited for the one that began it.
#[cold]
pub(crate) fn resume(payload: Box<dyn Any + Send>) -> ! {
    match payload.downcast::<Refused>() {
        Ok(refused) => refused.raise(),
        Err(other) => match other.downcast::<RbeError>() {
            Ok(error) => unwind(*error),
            Err(other) => resume_unwind(other),
        },
    }
}

/// Runs `allocate` with the bytes of an array of `shape`. What it refuses names the array.
pub(crate) fn for_array<R>(dtype: DType, shape: &[usize], allocate: impl FnOnce(usize) -> Option<R>) -> R {
    let bytes = count(shape).and_then(|n| n.checked_mul(dtype.size())).filter(|bytes| isize::try_from(*bytes).is_ok());
    match bytes.and_then(allocate) {
        Some(made) => made,
        None => Refused { bytes, array: Some((dtype, SmallVec::from_slice(shape))) }.raise(),
    }
}

/// Number of elements of a shape; `None` if they are more than there can be positions.
pub fn count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
    isize::try_from(count).is_ok().then_some(count)
}
