//! Pooled tensor memory: a training loop allocates in its first step and reuses from then on. What is no longer needed goes back to the
//! system.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::assured::attempt;
use super::block::{ALIGN, Block};
use super::regions::{LEAST, Regions};

/// Free memory: lists of small blocks by size class, and regions for large ones. A block returns when the [`crate::Buffer`] that owns it is
/// dropped.
pub struct GradientPool {
    lists: Mutex<FreeLists>,
}

struct FreeLists {
    free: Vec<Vec<Block>>, // by class
    listed: usize,         // bytes of those
    large: Regions,
    stats: PoolStats, // but for `cached_bytes`
    recent: Recent,
}

/// The largest use of late, by which it is decided what goes back to the system.
struct Recent {
    begun: Instant,
    requests: u32,
    peak: u64,   // since then
    before: u64, // in the period before
}

/// A period of [`Recent`] has at least so many requests and lasts at least so long: longer than a step of most training.
const REQUESTS: u32 = 256;
const PERIOD: Duration = Duration::from_secs(2);

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
    /// Bytes of free memory that is kept for reuse.
    pub cached_bytes: u64,
}

impl FreeLists {
    fn new() -> FreeLists {
        let recent = Recent { begun: Instant::now(), requests: 0, peak: 0, before: 0 };
        FreeLists { free: Vec::new(), listed: 0, large: Regions::default(), stats: PoolStats::default(), recent }
    }

    /// A free block of at least `size` bytes, those of `class`.
    fn find(&mut self, class: usize, size: usize) -> Option<Block> {
        if size >= LEAST {
            return self.large.take(size);
        }
        let block = self.free.get_mut(class)?.pop()?;
        self.listed -= size;
        Some(block)
    }

    /// Counts a block that is taken.
    fn count(&mut self, size: usize) {
        self.stats.in_use_bytes += size as u64;
        self.stats.peak_bytes = self.stats.peak_bytes.max(self.stats.in_use_bytes);
        self.recent.peak = self.recent.peak.max(self.stats.in_use_bytes);
        self.recent.requests += 1;
    }

    fn cached(&self) -> usize {
        self.listed + self.large.held()
    }

    /// At the end of a period: what of the free memory neither it nor the period before has needed, but for an eighth, is taken out, for the
    /// caller to drop.
    fn surplus(&mut self) -> Vec<Block> {
        if self.recent.requests < REQUESTS {
            return Vec::new();
        }
        self.recent.requests = 0;
        let now = Instant::now();
        if now.duration_since(self.recent.begun) < PERIOD {
            return Vec::new();
        }
        let (peak, before) = (self.recent.peak, self.recent.before);
        self.recent = Recent { begun: now, requests: 0, peak: self.stats.in_use_bytes, before: peak };
        let needed = peak.max(before) as usize;
        let surplus = (self.stats.in_use_bytes as usize + self.cached()).saturating_sub(needed + needed / 8);
        self.release(surplus)
    }

    /// Takes out free memory until it is `bytes` less, for the caller to drop; pages inside regions are given back at once.
    fn release(&mut self, bytes: usize) -> Vec<Block> {
        let before = self.large.held();
        let mut out = self.large.release(bytes);
        let mut left = bytes.saturating_sub(before - self.large.held());
        for list in self.free.iter_mut().rev() {
            while left > 0
                && let Some(block) = list.pop()
            {
                self.listed -= block.size();
                left = left.saturating_sub(block.size());
                out.push(block);
            }
        }
        out
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
        GradientPool { lists: Mutex::new(FreeLists::new()) }
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
        let found = {
            let mut lists = self.lists.lock(); // one critical section for finding and taking
            lists.find(class, size).map(|block| {
                lists.stats.hits += 1;
                lists.count(block.size());
                (block, lists.surplus())
            })
        };
        if let Some((block, surplus)) = found {
            drop(surplus); // outside the lock: freeing is slow
            return Some(block);
        }
        let block = Block::allocate(size).or_else(|| {
            self.clear();
            attempt(size, || Block::allocate(size))
        })?;
        let mut lists = self.lists.lock();
        lists.stats.misses += 1;
        lists.count(size);
        Some(if size >= LEAST { lists.large.add(block) } else { block })
    }

    /// Takes a block back; the system gets it if there is no memory to extend its list.
    pub(super) fn give(&self, block: Block) {
        let size = block.size();
        let mut lists = self.lists.lock();
        lists.stats.in_use_bytes -= size as u64;
        if size >= LEAST {
            return lists.large.give(&block);
        }
        let class = class_of(size);
        let missing = (class + 1).saturating_sub(lists.free.len());
        if lists.free.try_reserve(missing).is_err() {
            return;
        }
        if missing > 0 {
            lists.free.resize_with(class + 1, Vec::new);
        }
        if lists.free[class].try_reserve(1).is_ok() {
            lists.listed += size;
            lists.free[class].push(block);
        }
    }

    /// The counters.
    pub fn stats(&self) -> PoolStats {
        let lists = self.lists.lock();
        PoolStats { cached_bytes: lists.cached() as u64, ..lists.stats }
    }

    /// Sets hits and misses to zero and the peak to what is in use now.
    pub fn reset_stats(&self) {
        let stats = &mut self.lists.lock().stats;
        stats.hits = 0;
        stats.misses = 0;
        stats.peak_bytes = stats.in_use_bytes;
    }

    /// Returns all free memory to the system.
    pub fn clear(&self) {
        let free = {
            let mut lists = self.lists.lock();
            let mut free = lists.release(usize::MAX);
            free.extend(std::mem::take(&mut lists.free).into_iter().flatten());
            lists.listed = 0;
            free
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
