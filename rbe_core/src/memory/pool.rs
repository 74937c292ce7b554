//! Pooled tensor memory: a training loop allocates in its first step and reuses from then on.

use std::sync::LazyLock;

use parking_lot::Mutex;

use super::assured::attempt;
use super::block::{ALIGN, Block};

/// Free lists of blocks by size class. A block returns when the [`crate::Buffer`] that owns it is dropped.
pub struct GradientPool {
    lists: Mutex<FreeLists>,
}

struct FreeLists {
    free: Vec<Vec<Block>>, // by class
    stats: PoolStats,
}

/// Counters of the pool since the start of the process or [`GradientPool::reset_stats`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Requests served from a free block.
    pub hits: u64,
    /// Requests that had to allocate.
    pub misses: u64,
    /// Bytes of the blocks in use now.
    pub in_use_bytes: u64,
    /// Largest value of `in_use_bytes`.
    pub peak_bytes: u64,
    /// Bytes of the blocks in free lists.
    pub cached_bytes: u64,
}

impl PoolStats {
    fn take(&mut self, size: usize) {
        self.in_use_bytes += size as u64;
        self.peak_bytes = self.peak_bytes.max(self.in_use_bytes);
    }
}

/// Size classes of an octave, as a power of two: at most a sixteenth of a block is unused.
const STEPS: u32 = 4;

fn class_of(len: usize) -> usize {
    let last = len.div_ceil(ALIGN) - 1; // len >= 1
    let octave = last.checked_ilog2().unwrap_or(0).saturating_sub(STEPS); // the first two are one by one
    ((octave as usize) << STEPS) + (last >> octave)
}

/// Bytes of a block of `class`, which [`class_of`] gave for at most [`MOST`] bytes.
fn size_of_class(class: usize) -> usize {
    let octave = (class >> STEPS).saturating_sub(1);
    ((class - (octave << STEPS) + 1) << octave) * ALIGN
}

/// Most bytes of a block: those beyond have no layout.
const MOST: usize = isize::MAX as usize / 2;

impl GradientPool {
    fn new() -> GradientPool {
        GradientPool { lists: Mutex::new(FreeLists { free: Vec::new(), stats: PoolStats::default() }) }
    }

    /// The pool of the process.
    pub fn global() -> &'static GradientPool {
        static POOL: LazyLock<GradientPool> = LazyLock::new(GradientPool::new);
        &POOL
    }

    /// A block of at least `len > 0` bytes; `None` if the system refuses it even after the free lists were emptied.
    pub(super) fn take(&self, len: usize) -> Option<Block> {
        if len > MOST {
            return None;
        }
        let class = class_of(len);
        let size = size_of_class(class);
        {
            let mut lists = self.lists.lock(); // one critical section for finding and taking
            if let Some(block) = lists.free.get_mut(class).and_then(Vec::pop) {
                lists.stats.hits += 1;
                lists.stats.cached_bytes -= size as u64;
                lists.stats.take(size);
                return Some(block);
            }
        }
        let block = Block::allocate(size).or_else(|| {
            self.clear();
            attempt(size, || Block::allocate(size))
        })?;
        let stats = &mut self.lists.lock().stats;
        stats.misses += 1;
        stats.take(size);
        Some(block)
    }

    /// Returns a block to its free list, or to the system if there is no memory to extend the list.
    pub(super) fn give(&self, block: Block) {
        let class = class_of(block.size());
        let mut lists = self.lists.lock();
        lists.stats.in_use_bytes -= block.size() as u64;
        let missing = (class + 1).saturating_sub(lists.free.len());
        if lists.free.try_reserve(missing).is_err() {
            return;
        }
        if missing > 0 {
            lists.free.resize_with(class + 1, Vec::new);
        }
        if lists.free[class].try_reserve(1).is_ok() {
            lists.stats.cached_bytes += block.size() as u64;
            lists.free[class].push(block);
        }
    }

    /// The counters.
    pub fn stats(&self) -> PoolStats {
        self.lists.lock().stats
    }

    /// Sets hits and misses to zero and the peak to what is in use now.
    pub fn reset_stats(&self) {
        let stats = &mut self.lists.lock().stats;
        stats.hits = 0;
        stats.misses = 0;
        stats.peak_bytes = stats.in_use_bytes;
    }

    /// Returns every free block to the system.
    pub fn clear(&self) {
        let free = {
            let mut lists = self.lists.lock();
            lists.stats.cached_bytes = 0;
            std::mem::take(&mut lists.free)
        };
        drop(free); // outside the lock: freeing is slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Buffer;

    #[test]
    fn classes_are_tight_and_consistent() {
        let mut previous = 0;
        for class in 0..400 {
            let size = size_of_class(class);
            assert!(size > previous);
            assert_eq!(class_of(size), class);
            assert_eq!(class_of(previous + 1), class);
            previous = size;
        }
    }

    #[test]
    fn a_dropped_buffer_is_reused() {
        let pool = GradientPool::new();
        let block = pool.take(1000).unwrap();
        let address = block.ptr();
        pool.give(block);
        let again = pool.take(990).unwrap();
        assert_eq!(again.ptr(), address);
        let stats = pool.stats();
        assert_eq!((stats.hits, stats.misses, stats.cached_bytes), (1, 1, 0));
        pool.give(again);
        pool.clear();
        assert_eq!(pool.stats().cached_bytes, 0);
    }

    #[test]
    fn what_is_refused_is_not_counted_and_makes_waiting_blocks_go() {
        let pool = GradientPool::new();
        for len in [usize::MAX, MOST + 1, MOST, 1 << 60] {
            assert!(pool.take(len).is_none());
        }
        assert_eq!(pool.stats(), PoolStats::default());
        let block = pool.take(1000).unwrap();
        pool.give(block);
        let held = pool.take(5000).unwrap();
        let before = pool.stats();
        assert!(pool.take(1 << 60).is_none());
        assert_eq!(pool.stats(), PoolStats { cached_bytes: 0, ..before });
        pool.give(held);
        assert_eq!(pool.stats().in_use_bytes, 0);
    }

    #[test]
    fn two_threads_never_share_the_last_block() {
        let pool = GradientPool::new();
        let seed = pool.take(64).unwrap();
        pool.give(seed);
        for _ in 0..200 {
            let (a, b) = std::thread::scope(|s| {
                let a = s.spawn(|| pool.take(64).unwrap());
                let b = s.spawn(|| pool.take(64).unwrap());
                (a.join().unwrap(), b.join().unwrap())
            });
            assert_ne!(a.ptr(), b.ptr());
            pool.give(a);
            pool.give(b);
        }
    }

    #[test]
    fn zeroed_is_zero_after_reuse() {
        for len in [1, 63, 64, 65, 4097] {
            let mut dirty = Buffer::dirty(len);
            dirty.bytes_mut().fill(7);
            drop(dirty);
            assert!(Buffer::zeroed(len).bytes().iter().all(|b| *b == 0));
        }
    }
}
