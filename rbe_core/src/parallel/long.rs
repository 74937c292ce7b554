//! Long work, which a host program may surround: a binding lets other threads of its language run meanwhile.

use std::sync::OnceLock;

/// Cost from which work is long, in the time that an element-wise operation takes for an element. To surround shorter work would take
/// longer than the work.
pub const LONG: u64 = 1 << 12;

/// Calls its argument, once, with what the host does before and after long work.
pub type Surround = fn(&mut (dyn FnMut() + Send));

static SURROUND: OnceLock<Surround> = OnceLock::new();

/// Surrounds long work of the process, on every thread, by `surround`; whether it is the first to do so.
pub fn surround_long_work(surround: Surround) -> bool {
    SURROUND.set(surround).is_ok()
}

/// Runs `work`, surrounded if its `cost` says that it is long.
///
/// What the host does may wait for other threads, so the caller holds no lock that they may need.
#[inline]
pub fn long_work<R: Send>(cost: u64, work: impl FnOnce() -> R + Send) -> R {
    match SURROUND.get() {
        Some(surround) if cost >= LONG => surrounded(*surround, work),
        _ => work(),
    }
}

#[inline(never)]
fn surrounded<R: Send>(surround: Surround, work: impl FnOnce() -> R + Send) -> R {
    let (mut work, mut result) = (Some(work), None);
    surround(&mut || result = work.take().map(|work| work()));
    match result {
        Some(result) => result,
        None => panic!("the host surrounded long work without calling it, or stopped its panic"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }

    /// Counts on this thread how deep it is in surrounded work.
    fn count(work: &mut (dyn FnMut() + Send)) {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                DEPTH.set(DEPTH.get() - 1);
            }
        }
        DEPTH.set(DEPTH.get() + 1);
        let _leave = Leave;
        work();
    }

    #[test]
    fn long_work_alone_is_surrounded_and_left_by_a_panic() {
        surround_long_work(count);
        assert!(!surround_long_work(count));
        assert_eq!(long_work(LONG - 1, || DEPTH.get()), 0);
        assert_eq!(long_work(LONG, || DEPTH.get()), 1);
        assert!(catch_unwind(AssertUnwindSafe(|| long_work(LONG, || panic!("of the work")))).is_err());
        assert_eq!(DEPTH.get(), 0);
        let refused = crate::memory::guard("op", || long_work(LONG, || crate::memory::refuse(Some(7))));
        assert!(matches!(refused, Err::<(), _>(crate::RbeError::Memory(_))));
        assert_eq!(DEPTH.get(), 0);
    }
}
