//! A global allocator with a reserve, so that small allocations go on while the error of a large one travels.
//!
//! An allocation that fails in the standard library ends the process: a node of the tape, a task, the text of an error. With
//! this allocator such requests are met from a reserve once the system refuses them, and operations do not begin while little
//! of it is left ([`super::guard`]). The reserve is asked for once and not touched until it is needed, so it is an address
//! range and no memory.
//!
//! Libraries that allocate scratch of their own, the `gemm` crate here, are lent a block that was allocated beforehand.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::obtain::obtain;
use super::refusal::refuse;
use super::system::there_is;

/// Bytes of the reserve.
const SIZE: usize = 8 << 20;
/// A request takes at most this share of what is left, so that large ones leave enough for small ones.
const SHARE: usize = 8;
/// Sizes are rounded up to powers of two from this one on.
const SMALLEST: usize = 32;
const CLASSES: usize = (SIZE / SMALLEST).ilog2() as usize + 1;
/// Largest alignment that the reserve serves: that of anything but scratch of kernels.
const ALIGN: usize = 16;
/// Where the reserve is before there is one: no allocation is there.
const NOWHERE: usize = usize::MAX - SIZE;

static START: AtomicUsize = AtomicUsize::new(NOWHERE);
static LEFT: AtomicUsize = AtomicUsize::new(SIZE);
static RESERVE: Reserve =
    Reserve { locked: AtomicBool::new(false), lists: UnsafeCell::new(Lists { used: 0, free: [null_mut(); CLASSES] }) };

thread_local! {
    /// A block for the next allocation of this thread that fails and fits in it, and its size.
    static LENT: Cell<(*mut u8, usize)> = const { Cell::new((null_mut(), 0)) };
    /// Frees that block when the thread ends: the allocator itself must not touch what has a destructor.
    static LENDER: Lender = const { Lender };
}

struct Lender;

impl Drop for Lender {
    fn drop(&mut self) {
        take_back();
    }
}

/// The allocator of the system with a reserve. Declare it in the program or extension module:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: rbe_core::memory::Allocator = rbe_core::memory::Allocator;
/// # rbe_core::memory::Allocator::prepare();
/// ```
pub struct Allocator;

impl Allocator {
    /// Takes the reserve; to be called once at the start. Without it the allocator is that of the system.
    pub fn prepare() {
        let Ok(layout) = Layout::from_size_align(SIZE, 4096) else { return };
        // SAFETY: the layout has a size.
        let start = unsafe { System.alloc(layout) };
        if !start.is_null() && START.compare_exchange(NOWHERE, start.expose_provenance(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // SAFETY: allocated above with this layout; another thread was first.
            unsafe { System.dealloc(start, layout) };
        }
    }
}

/// Whether little of the reserve is left and the system has nothing either.
pub(super) fn is_low() -> bool {
    LEFT.load(Ordering::Relaxed) < SIZE / 2 && !can_allocate(SIZE / SHARE)
}

/// Whether the system has `bytes` to give now.
pub(crate) fn can_allocate(bytes: usize) -> bool {
    let Ok(layout) = Layout::from_size_align(bytes, ALIGN) else { return false };
    // SAFETY: the layout has a size; what it gives is given back.
    unsafe {
        let block = System.alloc(layout);
        if !block.is_null() {
            System.dealloc(block, layout);
        }
        !block.is_null()
    }
}

/// Blocks of the reserve, by size.
struct Reserve {
    locked: AtomicBool, // no lock that may allocate
    lists: UnsafeCell<Lists>,
}

struct Lists {
    used: usize,              // bytes from the start that have been given out at least once
    free: [*mut u8; CLASSES], // blocks that have come back; each begins with the address of the next
}

// SAFETY: the lists are touched by whoever holds `locked` only.
unsafe impl Sync for Reserve {}

fn class_of(size: usize) -> usize {
    (size.max(SMALLEST).next_power_of_two() / SMALLEST).ilog2() as usize
}

impl Reserve {
    fn with<R>(&self, work: impl FnOnce(&mut Lists) -> R) -> R {
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            std::hint::spin_loop();
        }
        // SAFETY: this thread holds the lock.
        let result = work(unsafe { &mut *self.lists.get() });
        self.locked.store(false, Ordering::Release);
        result
    }

    fn holds(block: *mut u8) -> bool {
        block.addr().wrapping_sub(START.load(Ordering::Relaxed)) < SIZE
    }

    fn take(&self, layout: Layout) -> *mut u8 {
        let start = START.load(Ordering::Acquire);
        if start == NOWHERE || layout.align() > ALIGN || layout.size() > SIZE / SHARE {
            return null_mut();
        }
        let class = class_of(layout.size());
        let size = SMALLEST << class;
        self.with(|lists| {
            let left = LEFT.load(Ordering::Relaxed);
            if size > left / SHARE {
                return null_mut();
            }
            let block = if !lists.free[class].is_null() {
                let block = lists.free[class];
                // SAFETY: a block that has come back begins with the address of the next.
                lists.free[class] = unsafe { block.cast::<*mut u8>().read() };
                block
            } else if lists.used + size <= SIZE {
                lists.used += size;
                std::ptr::with_exposed_provenance_mut(start + lists.used - size)
            } else {
                return null_mut();
            };
            LEFT.store(left - size, Ordering::Relaxed);
            block
        })
    }

    /// # Safety
    /// `block` must be one that `take` gave for this layout.
    unsafe fn give(&self, block: *mut u8, layout: Layout) {
        let class = class_of(layout.size());
        self.with(|lists| {
            let left = LEFT.load(Ordering::Relaxed) + (SMALLEST << class);
            LEFT.store(left, Ordering::Relaxed);
            if left == SIZE {
                *lists = Lists { used: 0, free: [null_mut(); CLASSES] }; // all are back: any sizes again
                return;
            }
            // SAFETY: the block is free, aligned to and at least as large as an address.
            unsafe { block.cast::<*mut u8>().write(lists.free[class]) };
            lists.free[class] = block;
        });
    }
}

/// What the system has refused, from elsewhere; null if there is nothing.
#[cold]
fn rescue(layout: Layout) -> *mut u8 {
    if layout.align() <= ALIGN {
        return RESERVE.take(layout);
    }
    let (block, size) = LENT.get();
    if layout.size() > size || !block.addr().is_multiple_of(layout.align()) {
        return null_mut();
    }
    LENT.set((null_mut(), 0));
    block
}

/// Alignment of what is lent.
const LENT_ALIGN: usize = 128;

fn lent_layout(size: usize) -> Layout {
    Layout::from_size_align(size, LENT_ALIGN).unwrap_or_else(|_| refuse(None))
}

/// Frees the block of this thread that nobody has needed.
fn take_back() {
    let (block, size) = LENT.replace((null_mut(), 0));
    if size > 0 {
        // SAFETY: `lend` allocated it with this layout, and it was not given away since.
        unsafe { System.dealloc(block, lent_layout(size)) };
    }
}

/// Runs `work`, during which one allocation of at most `bytes`, aligned to more than 16 bytes, cannot fail: if the system refuses
/// it, it is met by a block that was allocated beforehand. The block stays with the thread for the next call.
pub(crate) fn lend<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    if START.load(Ordering::Relaxed) != NOWHERE && LENT.get().1 < bytes {
        take_back();
        LENDER.with(|_| ());
        // SAFETY: the layout has a size.
        let allocate = || NonNull::new(unsafe { System.alloc(lent_layout(bytes)) });
        match obtain(bytes, || if there_is(bytes) { allocate() } else { None }) {
            Some(block) => LENT.set((block.as_ptr(), bytes)),
            None => refuse(Some(bytes)),
        }
    }
    work()
}

// SAFETY: all memory comes from the system's allocator or, for as long as it is in use by one allocation only, from the reserve.
// A block that was lent is one of the system's, larger than asked for: it frees by address on the systems where it can be lent.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { rescue(layout) } else { block }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = rescue(layout);
        if !block.is_null() {
            // SAFETY: the block has that many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: it goes back to where it came from, as the caller vouches with this layout.
        unsafe { if Reserve::holds(block) { RESERVE.give(block, layout) } else { System.dealloc(block, layout) } }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !Reserve::holds(block) {
            // SAFETY: as the caller vouches; the block is the system's.
            let moved = unsafe { System.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller vouches that `size`, rounded up to the alignment, does not overflow. The new block is another one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn blocks_of_the_reserve_are_apart_come_back_and_never_take_it_all() {
        let own = Reserve { locked: AtomicBool::new(false), lists: UnsafeCell::new(Lists { used: 0, free: [null_mut(); CLASSES] }) };
        assert!(own.take(layout(SIZE)).is_null());
        Allocator::prepare();
        let mut blocks: Vec<(*mut u8, usize)> = Vec::new();
        for size in [1, 32, 33, 500, 4096, 100_000].into_iter().cycle() {
            let block = own.take(layout(size));
            if block.is_null() {
                assert!(size.next_power_of_two() > LEFT.load(Ordering::Relaxed) / SHARE);
                break;
            }
            assert!(Reserve::holds(block) && block.addr().is_multiple_of(ALIGN));
            // SAFETY: the block has that many bytes.
            unsafe { block.write_bytes(7, size) };
            blocks.push((block, size));
        }
        assert!(!own.take(layout(100)).is_null(), "a small request is served where a large one does not");
        let mut places: Vec<(usize, usize)> = blocks.iter().map(|(block, size)| (block.addr(), *size)).collect();
        places.sort_unstable();
        assert!(places.windows(2).all(|w| w[0].0 + w[0].1 <= w[1].0));
        let again = blocks.pop().unwrap();
        // SAFETY: it was taken with this layout.
        unsafe { own.give(again.0, layout(again.1)) };
        assert_eq!(own.take(layout(again.1)), again.0);
        // SAFETY: as above.
        blocks.iter().chain([&again]).for_each(|(block, size)| unsafe { own.give(*block, layout(*size)) });
        assert_eq!(LEFT.load(Ordering::Relaxed), SIZE - 128);
        LEFT.store(SIZE, Ordering::Relaxed);
        assert!(Allocator.reallocates());
    }

    impl Allocator {
        /// Whether a block grows from the system's memory and from the reserve with its contents.
        fn reallocates(&self) -> bool {
            // SAFETY: every block is used with the layout it has.
            unsafe {
                let kept = |from: *mut u8| {
                    from.write_bytes(9, 40);
                    let grown = self.realloc(from, layout(40), 4000);
                    let same = std::slice::from_raw_parts(grown, 40).iter().all(|b| *b == 9);
                    self.dealloc(grown, layout(4000));
                    same
                };
                kept(self.alloc(layout(40))) && kept(RESERVE.take(layout(40)))
            }
        }
    }

    #[test]
    fn what_is_lent_is_given_once() {
        Allocator::prepare();
        let wide = Layout::from_size_align(1000, 64).unwrap();
        lend(2000, || {
            let block = rescue(wide);
            assert!(!block.is_null() && rescue(wide).is_null());
            // SAFETY: the block is the system's, which frees by address.
            unsafe { Allocator.dealloc(block, wide) };
        });
        lend(3000, || assert!(rescue(Layout::from_size_align(4000, 64).unwrap()).is_null()));
    }
}
