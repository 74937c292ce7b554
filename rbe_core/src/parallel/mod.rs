//! The thread pool.
//!
//! Work is cut into chunks whose size depends on the problem, never on the number of threads, and every chunk owns
//! its output; reductions fold the chunks' partial results in order. So results are bit-equal for any thread count.

#![allow(unsafe_code)]

mod long;
mod place;
mod team;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

pub use self::long::{LONG, Surround, long_work, surround_long_work};
use self::team::Team;
use crate::error::{RbeError, Result};
use crate::memory;

/// Most threads there may be.
pub const MAX_THREADS: usize = 1024;

/// Default spin time in microseconds: how long an idle thread polls for work before it sleeps.
const SPIN_MICROS: u64 = 100;
/// Largest value of `RBE_SPIN_US`: a second.
const MAX_SPIN_MICROS: u64 = 1_000_000;
/// How long a forked process waits for a lock that may have been held when it was forked.
const ORPHANED: Duration = Duration::from_millis(100);

struct Pool {
    process: u32, // a forked process does not inherit the threads
    threads: usize,
    spin: Duration,
    team: Option<Arc<Team>>, // none for one thread
}

static POOL: RwLock<Option<Pool>> = RwLock::new(None);

/// A pool of as many of `threads` as the system starts.
fn build(threads: usize, spin: Duration) -> Pool {
    let (team, workers) = Team::new(threads - 1, spin); // the caller is one
    Pool { process: std::process::id(), threads: workers + 1, spin, team: (workers > 0).then(|| Arc::new(team)) }
}

/// The integer in an environment variable.
fn number(name: &'static str, low: u64, high: u64) -> Result<Option<u64>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    let found = text.parse().ok().filter(|n| (low..=high).contains(n));
    let wrong = || RbeError::config(name, format!("an integer from {low} to {high}"), format!("{text:?}"));
    found.ok_or_else(wrong).map(Some)
}

fn threads_of_environment() -> Result<usize> {
    let threads = number("RBE_NUM_THREADS", 1, MAX_THREADS as u64)?;
    Ok(threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize))
}

fn spin_of_environment() -> Result<Duration> {
    number("RBE_SPIN_US", 0, MAX_SPIN_MICROS).map(|micros| Duration::from_micros(micros.unwrap_or(SPIN_MICROS)))
}

/// Starts `RBE_NUM_THREADS` threads (default: number of cores), or as many of them as the system grants, with the spin time `RBE_SPIN_US`
/// (default: 100 µs), unless they are running.
///
/// # Errors
/// [`RbeError::Config`] if the first is not an integer from 1 to [`MAX_THREADS`], or the second not one from 0 to a million.
pub fn init() -> Result<()> {
    if POOL.read().is_some() {
        return Ok(());
    }
    let (threads, spin) = (threads_of_environment()?, spin_of_environment()?);
    let mut pool = POOL.write();
    if pool.is_none() {
        *pool = Some(build(threads, spin));
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
    let pool = build(threads, before.map_or_else(spin_of_environment, Ok)?);
    if pool.threads < threads {
        return Err(RbeError::config("set_num_threads", "a thread count the system can start", threads));
    }
    replace(&mut POOL.write(), pool);
    Ok(())
}

/// Replaces the pool. A forked process forgets the inherited pool, whose threads do not exist there and whose locks may be held for
/// ever.
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
        let fresh = build(threads, spin);
        let team = fresh.team.clone();
        replace(&mut *POOL.try_write_for(ORPHANED)?, fresh);
        return team;
    }
    // `init` has reported a malformed variable to its caller; here one thread is used.
    init().ok().and_then(|()| POOL.read().as_ref().and_then(|p| p.team.clone()))
}

/// The team, if there is more than one task for it.
fn team_for(tasks: usize) -> Option<Arc<Team>> {
    if tasks > 1 { team() } else { None }
}

/// Calls `task(i)` for every `i` below `tasks`, on several threads when there is more than one task.
/// Each task must own what it writes.
pub fn for_each(tasks: usize, task: impl Fn(usize) + Sync + Send) {
    run(tasks, &task);
}

/// [`for_each`], compiled once and not for every task.
fn run(tasks: usize, task: &(dyn Fn(usize) + Sync)) {
    match team_for(tasks) {
        Some(team) => team.share(tasks, task),
        None => (0..tasks).for_each(task),
    }
}

/// The results of `task(i)` for every `i` below `tasks`, in order.
pub fn map<R: Send>(tasks: usize, task: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    let mut results = Results::new(tasks);
    let places = Places::of(&mut results.places);
    // SAFETY: every task has a place of its own.
    for_each(tasks, |i| *unsafe { places.at(i) } = Some(task(i)));
    results.in_order()
}

/// Room for the results of tasks, all of it allocated before the first task begins.
struct Results<R> {
    places: Vec<Option<R>>,
    in_order: Vec<R>,
}

impl<R> Results<R> {
    fn new(tasks: usize) -> Results<R> {
        let mut places = memory::with_capacity(tasks);
        places.resize_with(tasks, || None);
        Results { places, in_order: memory::with_capacity(tasks) }
    }

    fn in_order(mut self) -> Vec<R> {
        self.in_order.extend(self.places.into_iter().flatten());
        self.in_order
    }
}

/// The results of `task(i, item)` for every item, each owned by its task, in order.
pub fn map_mut<T: Send, R: Send>(items: &mut [T], task: impl Fn(usize, &mut T) -> R + Sync + Send) -> Vec<R> {
    let (tasks, items) = (items.len(), Places::of(items));
    // SAFETY: every task has an item of its own.
    map(tasks, |i| task(i, unsafe { items.at(i) }))
}

/// Calls `task(i, item)` for every item, each owned by its task.
pub fn for_each_mut<T: Send>(items: &mut [T], task: impl Fn(usize, &mut T) + Sync + Send) {
    let (tasks, items) = (items.len(), Places::of(items));
    // SAFETY: every task has an item of its own.
    for_each(tasks, |i| task(i, unsafe { items.at(i) }));
}

/// Splits `data` into pieces of `size` elements (the last may be shorter) and calls `task(i, piece)` on each.
pub fn for_each_piece<T: Send>(data: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync + Send) {
    for_each_pieces([data], size, |i, [piece]| task(i, piece));
}

/// Splits each of several slices into pieces of `size` elements and calls `task(i, pieces)` on those that belong together. There are as
/// many as the first has; the others have as many elements, or none and then empty pieces.
///
/// Unlike the other functions of this module it allocates nothing but the job: what has begun comes to its end.
///
/// # Panics
/// If the slices differ in length.
pub fn for_each_pieces<T: Send, const N: usize>(data: [&mut [T]; N], size: usize, task: impl Fn(usize, [&mut [T]; N]) + Sync + Send) {
    let (size, len) = (size.max(1), common_length(&data));
    let all = data.map(Places::of);
    let pieces = |i: usize| {
        let (start, end) = (i * size, ((i + 1) * size).min(len));
        // SAFETY: pieces do not overlap, and every task has its own.
        task(i, all.each_ref().map(|d| unsafe { d.range(start, end) }));
    };
    for_each(len.div_ceil(size), pieces);
}

fn common_length<T>(data: &[&mut [T]]) -> usize {
    let len = data.first().map_or(0, |first| first.len());
    assert!(data.iter().all(|d| d.len() == len || d.is_empty()), "pieces: lengths");
    len
}

/// Elements of a slice that tasks share out between them.
struct Places<'a, T> {
    start: *mut T,
    len: usize,
    _of: PhantomData<&'a mut [T]>,
}

// SAFETY: a place is used by one thread at a time, as the callers of `at` and `range` vouch.
unsafe impl<T: Send> Sync for Places<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Places<'_, T> {}

impl<'a, T> Places<'a, T> {
    fn of(data: &'a mut [T]) -> Places<'a, T> {
        Places { start: data.as_mut_ptr(), len: data.len(), _of: PhantomData }
    }

    /// # Safety
    /// Nobody else may use element `i` at the same time.
    #[allow(clippy::mut_from_ref)] // that of one task
    unsafe fn at(&self, i: usize) -> &mut T {
        assert!(i < self.len);
        // SAFETY: the element is there, and the caller's alone.
        unsafe { &mut *self.start.add(i) }
    }

    /// Elements `start..end`, or none of a slice without elements.
    ///
    /// # Safety
    /// Nobody else may use them at the same time.
    #[allow(clippy::mut_from_ref)] // those of one task
    unsafe fn range(&self, start: usize, end: usize) -> &mut [T] {
        let (start, end) = (start.min(self.len), end.min(self.len));
        // SAFETY: the elements are there, and the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), end - start) }
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
        let mut items = vec![String::new(); 40];
        let lengths = map_mut(&mut items, |i, item| {
            item.push_str(&i.to_string());
            item.len()
        });
        assert!(items.iter().enumerate().all(|(i, item)| *item == i.to_string() && lengths[i] == item.len()));
        let (mut a, mut b) = (vec![0u32; 205], vec![0u32; 205]);
        for_each_pieces([&mut a, &mut b, &mut []], 50, |i, [a, b, none]| {
            assert!(none.is_empty() && a.len() == b.len());
            a.iter_mut().zip(b).enumerate().for_each(|(k, (a, b))| (*a, *b) = ((50 * i + k) as u32, i as u32));
        });
        assert!((0..205).all(|k| (a[k], b[k]) == (k as u32, k as u32 / 50)));
        for_each_piece(&mut [0u32; 0], 3, |_, _| panic!("a piece of nothing"));
    }
}
