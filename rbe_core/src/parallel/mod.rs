//! Threads: work shared out to a team.
//!
//! Work is cut into chunks whose size depends on the problem, never on the number of threads, and every chunk owns
//! its output; reductions fold the chunks' partial results in order. So results are bit-equal for any thread count.

mod place;
mod team;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use self::team::Team;
use crate::error::{RbeError, Result};

/// Most threads there may be.
pub const MAX_THREADS: usize = 1024;

/// How long a thread without work looks for some before it sleeps, in microseconds, unless `RBE_SPIN_US` says otherwise.
const SPIN_MICROS: u64 = 100;
/// Most that `RBE_SPIN_US` may say: a second.
const MAX_SPIN_MICROS: u64 = 1_000_000;
/// How long a forked process waits for a lock that was perhaps held when it was forked.
const ORPHANED: Duration = Duration::from_millis(100);

struct Pool {
    process: u32, // a forked process has none of the threads
    threads: usize,
    spin: Duration,
    team: Option<Arc<Team>>, // none for one thread
}

static POOL: RwLock<Option<Pool>> = RwLock::new(None);

fn build(threads: usize, spin: Duration) -> Result<Pool> {
    let team = if threads == 1 {
        None
    } else {
        let start = |e| RbeError::config("set_num_threads", "a thread count the system can start", e);
        Some(Arc::new(Team::new(threads - 1, spin).map_err(start)?)) // the caller is one
    };
    Ok(Pool { process: std::process::id(), threads, spin, team })
}

/// The whole number in an environment variable.
fn number(name: &'static str, low: u64, high: u64) -> Result<Option<u64>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    let found = text.parse().ok().filter(|n| (low..=high).contains(n));
    let wrong = || RbeError::config(name, format!("a whole number from {low} to {high}"), format!("{text:?}"));
    found.ok_or_else(wrong).map(Some)
}

fn threads_of_environment() -> Result<usize> {
    let threads = number("RBE_NUM_THREADS", 1, MAX_THREADS as u64)?;
    Ok(threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize))
}

fn spin_of_environment() -> Result<Duration> {
    number("RBE_SPIN_US", 0, MAX_SPIN_MICROS).map(|micros| Duration::from_micros(micros.unwrap_or(SPIN_MICROS)))
}

/// Starts the threads from `RBE_NUM_THREADS` (default: one a core) and `RBE_SPIN_US` (default 100: microseconds that an idle one
/// looks for work before it sleeps) if that has not been done.
///
/// # Errors
/// [`RbeError::Config`] if the first is not a whole number from 1 to [`MAX_THREADS`], or the second from 0 to a million.
pub fn init() -> Result<()> {
    if POOL.read().is_some() {
        return Ok(());
    }
    let (threads, spin) = (threads_of_environment()?, spin_of_environment()?);
    let mut pool = POOL.write();
    if pool.is_none() {
        *pool = Some(build(threads, spin)?);
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
/// [`RbeError::Config`] if `threads` is 0 or above [`MAX_THREADS`], the system cannot start them, or `RBE_SPIN_US` is malformed.
pub fn set_num_threads(threads: usize) -> Result<()> {
    if !(1..=MAX_THREADS).contains(&threads) {
        return Err(RbeError::config("set_num_threads", format!("1 to {MAX_THREADS}"), threads));
    }
    let before = POOL.read().as_ref().map(|pool| pool.spin);
    let pool = build(threads, before.map_or_else(spin_of_environment, Ok)?)?;
    replace(&mut POOL.write(), pool);
    Ok(())
}

/// Puts another pool in place. The threads of one that was inherited by forking did not come along, perhaps its locks are held for
/// ever: it is forgotten.
fn replace(place: &mut Option<Pool>, pool: Pool) {
    match place.replace(pool) {
        Some(old) if old.process != std::process::id() => std::mem::forget(old),
        old => drop(old),
    }
}

/// The team of this process, if it has more than one thread.
fn team() -> Option<Arc<Team>> {
    let inherited = match POOL.read().as_ref() {
        Some(Pool { team: None, .. }) => return None,
        Some(pool) if pool.process == std::process::id() => return pool.team.clone(),
        Some(pool) => Some((pool.threads, pool.spin)),
        None => None,
    };
    if let Some((threads, spin)) = inherited {
        let fresh = build(threads, spin).ok()?;
        let team = fresh.team.clone();
        replace(&mut *POOL.try_write_for(ORPHANED)?, fresh);
        return team;
    }
    // A malformed variable was reported by `init` where there is somebody to report to; one thread is always right.
    init().ok().and_then(|()| POOL.read().as_ref().and_then(|p| p.team.clone()))
}

/// The team, if there is more than one task for it.
fn team_for(tasks: usize) -> Option<Arc<Team>> {
    if tasks > 1 { team() } else { None }
}

/// Calls `task(i)` for every `i` below `tasks`, on several threads when there is more than one task.
/// Each task must own what it writes.
pub fn for_each(tasks: usize, task: impl Fn(usize) + Sync + Send) {
    match team_for(tasks) {
        Some(team) => team.share(tasks, &task),
        None => (0..tasks).for_each(task),
    }
}

/// Calls `task(i, item)` with every item, which tasks take by their number: out of locks that nobody waits for.
fn deal<T: Send>(team: &Team, items: impl Iterator<Item = T>, task: &(dyn Fn(usize, T) + Sync)) {
    let deck: Vec<Mutex<Option<T>>> = items.map(|item| Mutex::new(Some(item))).collect();
    team.share(deck.len(), &|i| {
        let item = deck[i].lock().take();
        if let Some(item) = item {
            task(i, item);
        }
    });
}

/// The results of `task(i)` for every `i` below `tasks`, in order.
pub fn map<R: Send>(tasks: usize, task: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    let Some(team) = team_for(tasks) else { return (0..tasks).map(task).collect() };
    let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(tasks).collect();
    deal(&team, results.iter_mut(), &|i, slot: &mut Option<R>| *slot = Some(task(i)));
    results.into_iter().flatten().collect()
}

/// The results of `task(i, item)` for every item, each owned by its task, in order.
pub fn map_mut<T: Send, R: Send>(items: &mut [T], task: impl Fn(usize, &mut T) -> R + Sync + Send) -> Vec<R> {
    let Some(team) = team_for(items.len()) else { return items.iter_mut().enumerate().map(|(i, item)| task(i, item)).collect() };
    let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(items.len()).collect();
    deal(&team, results.iter_mut().zip(items), &|i, (slot, item): (&mut Option<R>, &mut T)| *slot = Some(task(i, item)));
    results.into_iter().flatten().collect()
}

/// Splits `data` into pieces of `size` elements (the last may be shorter) and calls `task(i, piece)` on each.
pub fn for_each_piece<T: Send>(data: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync + Send) {
    let pieces = data.chunks_mut(size.max(1));
    match team_for(pieces.len()) {
        Some(team) => deal(&team, pieces, &task),
        None => pieces.enumerate().for_each(|(i, piece)| task(i, piece)),
    }
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
