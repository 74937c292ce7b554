//! Changes that must not stop half-way for want of memory.
//!
//! What changes several things in turn, a step of an optimiser say, needs scratch for each of them. [`assured`] asks for as much
//! address space as all of that can take before anything has changed, and keeps it. Where an allocation for that work fails, some
//! of it is given back to the system, and the allocation tried again.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::refusal::refuse;
use super::system::there_is;

/// What is kept for one piece of work.
struct Kept {
    work: u64,
    range: Range,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The work that this thread does or takes part in; 0 for none.
    static WORK: Cell<u64> = const { Cell::new(0) };
}

/// Runs `work`, whose allocations, on any thread that takes part, succeed as long as they come to no more than `bytes` at a time.
///
/// # Panics
/// If there is not so much memory; nothing has been done then.
pub(crate) fn assured<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    {
        let range = Some(bytes).filter(|bytes| there_is(*bytes)).and_then(Range::ask_for).unwrap_or_else(|| refuse(Some(bytes)));
        let mut kept = KEPT.lock();
        if kept.try_reserve(1).is_err() {
            refuse(Some(size_of::<Kept>()));
        }
        kept.push(Kept { work: id, range });
    }
    struct Done(u64);
    impl Drop for Done {
        fn drop(&mut self) {
            let mut kept = KEPT.lock();
            let at = kept.iter().position(|k| k.work == self.0);
            let range = at.map(|at| kept.swap_remove(at));
            drop(kept);
            drop(range); // outside the lock
        }
    }
    let _done = Done(id);
    taking_part(id, work)
}

/// The work that this thread takes part in, to hand to others.
pub(crate) fn current_work() -> u64 {
    WORK.get()
}

/// Runs `task` as a part of the work `id`.
pub(crate) fn taking_part<R>(id: u64, task: impl FnOnce() -> R) -> R {
    struct Before(u64);
    impl Drop for Before {
        fn drop(&mut self) {
            WORK.set(self.0);
        }
    }
    let _before = Before(WORK.replace(id));
    task()
}

/// Tries to allocate `bytes`, at most the second time with what was kept for this work.
pub(crate) fn attempt<T>(bytes: usize, mut allocate: impl FnMut() -> Option<T>) -> Option<T> {
    allocate().or_else(|| {
        while give_way(bytes) {
            let made = allocate();
            if made.is_some() {
                return made;
            }
        }
        None
    })
}

/// Gives the system back `bytes` and a margin of what was kept for this thread's work; whether there was any.
#[cold]
fn give_way(bytes: usize) -> bool {
    let work = WORK.get();
    work != 0 && KEPT.lock().iter_mut().find(|kept| kept.work == work).is_some_and(|kept| kept.range.give_back(bytes))
}

/// Addresses that nobody has touched.
#[cfg(target_os = "linux")]
struct Range {
    start: usize,
    len: usize,
}

#[cfg(target_os = "linux")]
impl Range {
    /// Large blocks lie on boundaries of large pages, for which as much again is needed.
    const MARGIN: usize = 4 << 20;
    const PAGE: usize = 1 << 16;

    fn ask_for(bytes: usize) -> Option<Range> {
        let len = bytes.checked_next_multiple_of(Range::PAGE)?;
        if len == 0 {
            return Some(Range { start: 0, len });
        }
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping anywhere.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, kind, -1, 0) };
        (start != libc::MAP_FAILED).then(|| Range { start: start.expose_provenance(), len })
    }

    fn give_back(&mut self, bytes: usize) -> bool {
        let part = bytes.saturating_add(Range::MARGIN).checked_next_multiple_of(Range::PAGE).unwrap_or(self.len).min(self.len);
        if part == 0 {
            return false;
        }
        self.len -= part;
        let end: *mut libc::c_void = std::ptr::with_exposed_provenance_mut(self.start + self.len);
        // SAFETY: the last pages of the mapping, which nobody refers to.
        unsafe { libc::munmap(end, part) == 0 }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Range {
    fn drop(&mut self) {
        while self.give_back(self.len) {}
    }
}

/// Other systems give what they have promised.
#[cfg(not(target_os = "linux"))]
struct Range;

#[cfg(not(target_os = "linux"))]
impl Range {
    fn ask_for(_: usize) -> Option<Range> {
        Some(Range)
    }

    fn give_back(&mut self, _: usize) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_given_back_bit_by_bit_and_only_for_its_work() {
        let mut tries = 0;
        let mut third = || {
            tries += 1;
            (tries == 3).then_some(())
        };
        assert_eq!(attempt(1 << 16, || None::<()>), None);
        assured(16 << 20, || {
            assert_eq!(attempt(1 << 16, &mut third), Some(()));
            let id = current_work();
            assert!(id != 0);
            std::thread::scope(|s| {
                s.spawn(|| assert!(!give_way(1)));
                s.spawn(|| assert!(taking_part(id, || give_way(1))));
            });
            assert!(give_way(usize::MAX) && !give_way(1));
        });
        assert_eq!(current_work(), 0);
    }

    #[test]
    fn more_than_there_is_is_refused_before_the_work() {
        let error = crate::memory::guard("work", || -> crate::Result<()> { assured(1 << 60, || panic!("begun")) });
        assert!(matches!(error, Err(crate::RbeError::Memory(_))));
    }
}
