//! Memory: buffers from a pool, vectors, and one way from the allocation that fails to an error.
//!
//! Kernels allocate in closures that return numbers, on several threads. A refused allocation therefore unwinds, with a
//! payload of its own and without a message, to the operation that needed it; there [`guard`] turns it into
//! [`RbeError::Memory`]. Allocations whose size a user or a file controls go through this module;
//! all others are small, and [`Allocator`] keeps a reserve for them.

mod allocator;
mod assured;
mod block;
mod buffer;
mod obtain;
mod pool;
mod refusal;
mod regions;
mod system;
mod vector;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub use allocator::Allocator;
pub(crate) use allocator::{can_allocate, lend};
pub(crate) use assured::{assured, current_work, taking_part};
pub use block::ALIGN;
pub use buffer::Buffer;
pub use pool::{GradientPool, PoolStats};
pub use refusal::count;
pub(crate) use refusal::{for_array, hand_on_errors, refuse, resume, unwind};
pub use vector::{collect, copied, filled, pad, push, with_capacity, zeros};

use self::refusal::{Guarded, Refused};
use crate::error::{RbeError, Result};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn what_is_refused_is_the_error_of_the_innermost_guard() {
        let inner = || guard("inner", || -> Result<()> { refuse(Some(7)) });
        let error = guard("outer", || inner().and(Ok(()))).unwrap_err();
        assert_eq!(error.to_string(), "inner: expected results and scratch that fit in memory, got 7 bytes, which the system refuses");
        let error = guard("zeros", || Ok(crate::array::Array::zeros(DType::F32, &[1 << 40, 1 << 40]))).unwrap_err();
        assert!(error.to_string().ends_with("float32 [1099511627776, 1099511627776]: more bytes than there are addresses"), "{error}");
    }

    #[test]
    fn errors_that_had_to_unwind_are_returned_by_the_guard() {
        let error = guard("op", || -> Result<()> { unwind(RbeError::shape("inner", "this", "that")) }).unwrap_err();
        assert_eq!(error.to_string(), "inner: expected this, got that");
    }

    #[test]
    fn other_panics_go_through_a_guard() {
        let panic = catch_unwind(|| guard("op", || -> Result<()> { resume_unwind(Box::new(5)) })).unwrap_err();
        assert_eq!(panic.downcast_ref::<i32>(), Some(&5));
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
