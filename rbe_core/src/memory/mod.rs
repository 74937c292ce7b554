//! Memory that the system refuses: one way from the allocation that fails to an error.
//!
//! Kernels allocate in closures that return numbers, on several threads. A refused allocation therefore unwinds, with a
//! payload of its own and without a message, to the operation that needed it; there [`guard`] turns it into
//! [`RbeError::Memory`]. Allocations whose size a user or a file controls go through this module or through [`crate::Buffer`];
//! all others are small, and [`Allocator`] keeps a reserve for them.

mod allocator;
mod assured;
mod system;
mod vector;

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};

pub use allocator::Allocator;
pub(crate) use allocator::{has_room, lend};
pub(crate) use assured::{assured, attempt, current_work, taking_part};
pub(crate) use system::there_is;
pub use vector::{collect, copied, filled, pad, push, with_capacity, zeros};

use crate::array::Dims;
use crate::dtype::DType;
use crate::error::{RbeError, Result};

/// What an allocation that failed unwinds with.
#[derive(Debug)]
struct Refused {
    bytes: Option<usize>, // none: more than an address can name
    array: Option<(DType, Dims)>,
}

thread_local! {
    /// How many guards this thread is in.
    static GUARDS: Cell<u32> = const { Cell::new(0) };
}

struct Guarded;

impl Guarded {
    fn enter() -> Guarded {
        GUARDS.set(GUARDS.get() + 1);
        Guarded
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        GUARDS.set(GUARDS.get() - 1);
    }
}

/// Runs `work` for the operation `op`. An allocation that fails inside, on any thread that works for it, is its error, and so is
/// an error that had to unwind.
///
/// # Errors
/// Those of `work`; `Memory` if the system refuses memory, or has so little left that the operation had better not begin.
pub fn guard<T>(op: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if allocator::is_low() {
        return Err(nothing_left(op));
    }
    let guarded = Guarded::enter();
    let result = catch_unwind(AssertUnwindSafe(work));
    drop(guarded);
    result.unwrap_or_else(|payload| Err(caught(op, payload)))
}

#[cold]
fn nothing_left(op: &str) -> RbeError {
    RbeError::memory(op.to_owned(), "memory to begin with", "a system that has next to none left")
}

/// The error that something unwound with; anything else goes on unwinding.
#[cold]
fn caught(op: &str, payload: Box<dyn Any + Send>) -> RbeError {
    match payload.downcast::<Refused>() {
        Ok(refused) => refused.error(op),
        Err(other) => match other.downcast::<RbeError>() {
            Ok(error) => *error,
            Err(other) => resume_unwind(other),
        },
    }
}

/// Unwinds to the guard with an error that cannot be returned.
#[cold]
pub(crate) fn unwind(error: RbeError) -> ! {
    if GUARDS.get() > 0 { resume_unwind(Box::new(error)) } else { panic_any(error) }
}

impl Refused {
    fn error(&self, op: &str) -> RbeError {
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
        if GUARDS.get() > 0 || crate::parallel::is_worker() {
            resume_unwind(Box::new(self)) // nothing is printed: somebody will return the error
        }
        panic_any(self)
    }
}

/// Unwinds because `bytes` were refused; none if they are more than an address can name.
#[cold]
pub(crate) fn refuse(bytes: Option<usize>) -> ! {
    Refused { bytes, array: None }.raise()
}

/// Goes on unwinding on the thread that waited for the one that began it.
#[cold]
pub(crate) fn resume(payload: Box<dyn Any + Send>) -> ! {
    match payload.downcast::<Refused>() {
        Ok(refused) => refused.raise(),
        Err(other) => resume_unwind(other),
    }
}

/// What `allocate` gives, at most after the pool has given up what waits for reuse. `bytes` are how much it wants.
fn obtain<T>(bytes: usize, mut allocate: impl FnMut() -> Option<T>) -> Option<T> {
    allocate().or_else(|| {
        crate::GradientPool::global().clear();
        attempt(bytes, allocate)
    })
}

/// Number of elements of a shape; `None` if they are more than there can be positions.
pub fn count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
    isize::try_from(count).is_ok().then_some(count)
}

/// Runs `allocate` with the bytes of an array of `shape`. What it refuses names the array.
pub(crate) fn for_array<R>(dtype: DType, shape: &[usize], allocate: impl FnOnce(usize) -> Option<R>) -> R {
    let bytes = count(shape).and_then(|n| n.checked_mul(dtype.size())).filter(|bytes| isize::try_from(*bytes).is_ok());
    match bytes.and_then(allocate) {
        Some(made) => made,
        None => Refused { bytes, array: Some((dtype, Dims::from_slice(shape))) }.raise(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_the_error_of_the_innermost_guard() {
        let inner = || guard("inner", || -> Result<()> { refuse(Some(7)) });
        let error = guard("outer", || inner().and(Ok(()))).unwrap_err();
        assert_eq!(error.to_string(), "inner: expected results and scratch that fit in memory, got 7 bytes, which the system refuses");
        assert_eq!(GUARDS.get(), 0);
        let error = guard("zeros", || Ok(crate::array::Array::zeros(DType::F32, &[1 << 40, 1 << 40]))).unwrap_err();
        assert!(error.to_string().ends_with("float32 [1099511627776, 1099511627776]: more bytes than there are addresses"), "{error}");
    }

    #[test]
    fn errors_that_had_to_unwind_are_returned_by_the_guard() {
        let error = guard("op", || -> Result<()> { unwind(RbeError::shape("inner", "this", "that")) }).unwrap_err();
        assert_eq!(error.to_string(), "inner: expected this, got that");
        assert_eq!(GUARDS.get(), 0);
    }

    #[test]
    fn other_panics_go_through_a_guard() {
        let panic = catch_unwind(|| guard("op", || -> Result<()> { resume_unwind(Box::new(5)) })).unwrap_err();
        assert_eq!(panic.downcast_ref::<i32>(), Some(&5));
        assert_eq!(GUARDS.get(), 0);
    }

    #[test]
    fn tasks_hand_it_to_their_caller_and_the_threads_go_on() {
        crate::parallel::set_num_threads(3).unwrap();
        for _ in 0..20 {
            let work = || {
                crate::parallel::for_each(9, |i| {
                    if i % 4 == 3 {
                        refuse(Some(i))
                    }
                });
                Ok(())
            };
            assert!(matches!(guard("tasks", work), Err(RbeError::Memory(_))));
            assert_eq!(crate::parallel::map(9, |i| i), (0..9).collect::<Vec<_>>());
        }
    }

    #[test]
    fn counts_do_not_wrap() {
        assert_eq!(count(&[3, 4]), Some(12));
        assert_eq!(count(&[]), Some(1));
        assert_eq!(count(&[usize::MAX, usize::MAX, 0]), Some(0));
        assert_eq!(count(&[1 << 32, 1 << 32]), None);
        assert_eq!(count(&[1 << 63]), None);
    }
}
