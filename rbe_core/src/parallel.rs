//! Threads: the one file that names rayon.
//!
//! Work is cut into chunks whose size depends on the problem, never on the number of threads, and every chunk owns
//! its output; reductions fold the chunks' partial results in order. So results are bit-equal for any thread count.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use crate::error::{RbeError, Result};

/// Most threads a pool may have.
pub const MAX_THREADS: usize = 1024;

struct Pool {
    process: u32, // a forked process has none of the threads
    threads: usize,
    rayon: Option<Arc<rayon::ThreadPool>>, // none for one thread
}

static POOL: RwLock<Option<Pool>> = RwLock::new(None);

fn build(threads: usize) -> Result<Pool> {
    let rayon = if threads == 1 {
        None
    } else {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("rbe-{i}"))
            .build()
            .map_err(|e| RbeError::config("set_num_threads", "a thread count the system can start", e))?;
        Some(Arc::new(pool))
    };
    Ok(Pool { process: std::process::id(), threads, rayon })
}

fn threads_of_environment() -> Result<usize> {
    match std::env::var("RBE_NUM_THREADS") {
        Err(_) => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Ok(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=MAX_THREADS).contains(n))
            .ok_or_else(|| RbeError::config("RBE_NUM_THREADS", format!("a whole number from 1 to {MAX_THREADS}"), format!("{text:?}"))),
    }
}

/// Starts the pool from `RBE_NUM_THREADS` (default: every core) if it has not been started.
///
/// # Errors
/// [`RbeError::Config`] if the variable is not a whole number from 1 to [`MAX_THREADS`].
pub fn init() -> Result<()> {
    if POOL.read().is_some() {
        return Ok(());
    }
    let threads = threads_of_environment()?;
    let mut pool = POOL.write();
    if pool.is_none() {
        *pool = Some(build(threads)?);
    }
    Ok(())
}

/// Number of threads that kernels use.
pub fn num_threads() -> usize {
    if let Some(pool) = POOL.read().as_ref() {
        return pool.threads;
    }
    threads_of_environment().unwrap_or(1)
}

/// Makes kernels use `threads` threads from now on. Results do not depend on it.
///
/// # Errors
/// [`RbeError::Config`] if `threads` is 0 or above [`MAX_THREADS`], or the system cannot start them.
pub fn set_num_threads(threads: usize) -> Result<()> {
    if !(1..=MAX_THREADS).contains(&threads) {
        return Err(RbeError::config("set_num_threads", format!("1 to {MAX_THREADS}"), threads));
    }
    let pool = build(threads)?;
    *POOL.write() = Some(pool);
    Ok(())
}

/// A pool of this process for one that was inherited by forking. The threads of the old one did not come along: it is
/// forgotten, for dropping it would wait for them.
fn revive(threads: usize) -> Option<Arc<rayon::ThreadPool>> {
    let fresh = build(threads).ok()?;
    let rayon = fresh.rayon.clone();
    std::mem::forget(POOL.write().replace(fresh));
    rayon
}

fn current() -> Option<Arc<rayon::ThreadPool>> {
    let inherited = match POOL.read().as_ref() {
        Some(Pool { rayon: None, .. }) => return None,
        Some(pool) if pool.process == std::process::id() => return pool.rayon.clone(),
        Some(pool) => Some(pool.threads),
        None => None,
    };
    if let Some(threads) = inherited {
        return revive(threads);
    }
    // A malformed variable was reported by `init` where there is somebody to report to; one thread is always right.
    init().ok().and_then(|()| POOL.read().as_ref().and_then(|p| p.rayon.clone()))
}

/// Whether calls from this thread have somebody to share with.
fn alone() -> bool {
    rayon::current_thread_index().is_none() && current().is_none()
}

/// Runs `work` inside the pool. Neither this nor [`share`] is generic: rayon's machinery is compiled once, not for every caller.
fn install(work: &mut (dyn FnMut() + Send)) {
    if rayon::current_thread_index().is_some() {
        return work();
    }
    match current() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// Calls `task(i)` for every `i` below `tasks` on the threads of the pool.
fn share(tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    install(&mut || (0..tasks).into_par_iter().with_max_len(1).for_each(task));
}

/// Runs `work` inside the pool, so that the parallel calls it makes hand over without entering again.
pub fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let (mut work, mut result) = (Some(work), None);
    install(&mut || result = work.take().map(|work| work()));
    match result {
        Some(result) => result,
        None => unreachable!("install runs its work"),
    }
}

/// Calls `task(i)` for every `i` below `tasks`, on the pool when there is more than one task and one thread.
/// Each task must own what it writes.
pub fn for_each(tasks: usize, task: impl Fn(usize) + Sync + Send) {
    if tasks <= 1 || alone() { (0..tasks).for_each(task) } else { share(tasks, &task) }
}

/// Items that tasks take by their number: locks that nobody waits for.
struct Deck<T>(Vec<Mutex<Option<T>>>);

impl<T: Send> Deck<T> {
    fn new(items: impl Iterator<Item = T>) -> Deck<T> {
        Deck(items.map(|item| Mutex::new(Some(item))).collect())
    }

    fn share(&self, task: &(dyn Fn(usize, T) + Sync)) {
        share(self.0.len(), &|i| {
            if let Some(item) = self.0[i].lock().take() {
                task(i, item);
            }
        });
    }
}

/// The results of `task(i)` for every `i` below `tasks`, in order.
pub fn map<R: Send>(tasks: usize, task: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    if tasks <= 1 || alone() {
        return (0..tasks).map(task).collect();
    }
    let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(tasks).collect();
    Deck::new(results.iter_mut()).share(&|i, slot: &mut Option<R>| *slot = Some(task(i)));
    results.into_iter().flatten().collect()
}

/// The results of `task(i, item)` for every item, each owned by its task, in order.
pub fn map_mut<T: Send, R: Send>(items: &mut [T], task: impl Fn(usize, &mut T) -> R + Sync + Send) -> Vec<R> {
    if items.len() <= 1 || alone() {
        return items.iter_mut().enumerate().map(|(i, item)| task(i, item)).collect();
    }
    let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(items.len()).collect();
    Deck::new(results.iter_mut().zip(items)).share(&|i, (slot, item): (&mut Option<R>, &mut T)| *slot = Some(task(i, item)));
    results.into_iter().flatten().collect()
}

/// Splits `data` into pieces of `size` elements (the last may be shorter) and calls `task(i, piece)` on each.
pub fn for_each_piece<T: Send>(data: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync + Send) {
    if data.len() <= size {
        if !data.is_empty() {
            task(0, data);
        }
        return;
    }
    let pieces = data.chunks_mut(size);
    if alone() { pieces.enumerate().for_each(|(i, piece)| task(i, piece)) } else { Deck::new(pieces).share(&task) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outside_the_range_are_refused() {
        for n in [0, MAX_THREADS + 1] {
            assert!(matches!(set_num_threads(n), Err(RbeError::Config(_))));
        }
    }

    #[test]
    fn every_piece_is_visited_once() {
        let mut data = vec![0u32; 1003];
        for_each_piece(&mut data, 100, |i, piece| piece.iter_mut().for_each(|v| *v += i as u32 + 1));
        assert!(data.iter().enumerate().all(|(k, v)| *v == (k / 100) as u32 + 1));
        assert_eq!(map(5, |i| i * i), [0, 1, 4, 9, 16]);
    }
}
