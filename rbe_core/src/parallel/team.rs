//! A team of threads that share the tasks of whoever calls.
//!
//! The caller is one of the team: it puts its job on the board, starts with the first task at once, and the helpers that are
//! awake join it. A helper without work looks at the board for a bounded time before it sleeps, so that calls which follow
//! closely find it awake; a caller never waits for one to wake up. Each thread begins with tasks of its own, the same in every
//! job, and ends with those that others have left. Tasks may share out jobs of their own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::place::{Processors, Sleeper};
use crate::memory;

/// What a thread takes: its stack, and what is local to it.
const THREAD_BYTES: usize = 3 << 20;
/// Rounds of looking without giving way to other threads of the system: a few microseconds.
const EAGER: u32 = 64;

/// Threads that take tasks from a board until the team is dropped.
pub(super) struct Team {
    shared: Arc<Shared>,
}

struct Shared {
    open: AtomicUsize, // jobs on the board: what those who look for work read
    // Of the standard library, for helpers sleep here when a process forks. The locks of parking_lot keep a list of those who wait, in the
    // memory of their threads, which a forked process gives to threads of its own.
    board: std::sync::Mutex<Board>,
    wake: Vec<Condvar>, // of each helper
    patience: Duration, // how long one looks for work before sleeping
}

struct Board {
    jobs: Vec<Arc<Job>>,            // oldest first
    asleep: Vec<(usize, Sleeper)>,  // helpers
    woken: Vec<Option<Processors>>, // where each helper may run when it is awake, if it was woken on some of them only
    closed: bool,
}

/// Tasks of one call.
struct Job {
    task: NonNull<dyn Fn(usize) + Sync>,
    lanes: SmallVec<[Lane; 2]>,
    unfinished: AtomicUsize, // tasks
    caller: Thread,
    within: Option<Arc<Job>>, // the job of which a task made this one
    work: u64,                // for which memory is kept
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Neighbouring tasks of a job, which one thread takes first. The same thread begins with the same lane in every job: what it wrote in
/// one is still in its own cache when it reads it in the next.
#[repr(align(64))] // threads write the counters
struct Lane {
    next: AtomicUsize, // first task that nobody has taken
    end: usize,
}

// SAFETY: `task` points to a function that may be called from any thread, while `Team::share` keeps it alive.
unsafe impl Send for Job {}
// SAFETY: as above; the other fields are shared safely by themselves.
unsafe impl Sync for Job {}

thread_local! {
    /// The job of which this thread runs a task.
    static CURRENT: RefCell<Option<Arc<Job>>> = const { RefCell::new(None) };
    /// Number of this thread in its team; callers are 0.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread is one that helps callers.
pub(crate) fn is_helper() -> bool {
    NUMBER.get() > 0
}

impl Job {
    fn has_tasks(&self) -> bool {
        self.lanes.iter().any(|lane| lane.next.load(Ordering::Relaxed) < lane.end)
    }

    fn is_within(&self, outer: &Arc<Job>) -> bool {
        let mut at = self.within.as_ref();
        while let Some(job) = at {
            if Arc::ptr_eq(job, outer) {
                return true;
            }
            at = job.within.as_ref();
        }
        false
    }

    /// Runs tasks until all are taken: those of this thread's lane, then what others have left.
    fn work(self: &Arc<Job>) {
        let before = CURRENT.replace(Some(self.clone()));
        let mut finished = 0;
        let own = NUMBER.get() % self.lanes.len();
        for lane in self.lanes[own..].iter().chain(&self.lanes[..own]) {
            loop {
                let i = lane.next.fetch_add(1, Ordering::Relaxed);
                if i >= lane.end {
                    break;
                }
                // SAFETY: this task is not counted as finished yet, so the caller is still in `share` and `task` alive.
                let task = unsafe { self.task.as_ref() };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| memory::taking_part(self.work, || task(i)))) {
                    self.panic.lock().get_or_insert(panic);
                }
                finished += 1;
            }
        }
        CURRENT.set(before);
        if finished > 0 && self.unfinished.fetch_sub(finished, Ordering::AcqRel) == finished {
            self.caller.unpark();
        }
    }
}

impl Shared {
    /// The board. Nobody panics while they hold it.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job with tasks to take, of those that tasks of `outer` made if it is given.
    fn find(&self, outer: Option<&Arc<Job>>) -> Option<Arc<Job>> {
        if self.open.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.board().jobs.iter().find(|job| job.has_tasks() && outer.is_none_or(|outer| job.is_within(outer))).cloned()
    }

    fn publish(&self, job: &Arc<Job>, tasks: usize) {
        let mut board = self.board();
        board.jobs.push(job.clone());
        self.open.store(board.jobs.len(), Ordering::Release);
        for _ in 0..board.asleep.len().min(tasks - 1) {
            let Some((helper, sleeper)) = board.asleep.pop() else { break };
            board.woken[helper] = sleeper.keep_away();
            self.wake[helper].notify_one();
        }
        drop(board);
        let mut outer = job.within.as_ref();
        while let Some(waiting) = outer {
            waiting.caller.unpark(); // it may help
            outer = waiting.within.as_ref();
        }
    }

    /// Runs what is left of a job and takes it off the board.
    fn run(&self, job: &Arc<Job>) {
        job.work();
        let mut board = self.board();
        board.jobs.retain(|other| !Arc::ptr_eq(other, job));
        self.open.store(board.jobs.len(), Ordering::Release);
    }

    /// Runs what `look` finds until it finds nothing for a while, or says that it is over.
    fn look_while(&self, mut look: impl FnMut() -> Look) {
        let (mut rounds, mut began) = (0u32, Instant::now());
        loop {
            match look() {
                Look::Over => return,
                Look::Found(job) => {
                    self.run(&job);
                    (rounds, began) = (0, Instant::now());
                }
                Look::Nothing if began.elapsed() >= self.patience => return,
                Look::Nothing if rounds < EAGER => {
                    rounds += 1;
                    (0..16).for_each(|_| std::hint::spin_loop());
                }
                Look::Nothing => std::thread::yield_now(),
            }
        }
    }

    /// The life of a helper.
    fn help(&self, helper: usize) {
        NUMBER.set(helper + 1);
        loop {
            self.look_while(|| self.find(None).map_or(Look::Nothing, Look::Found));
            let mut board = self.board();
            if board.jobs.iter().any(|job| job.has_tasks()) {
                continue;
            }
            board.asleep.push((helper, Sleeper::current()));
            while board.asleep.iter().any(|(other, _)| *other == helper) && !board.closed {
                board = self.wake[helper].wait(board).unwrap_or_else(PoisonError::into_inner);
            }
            if board.closed {
                return;
            }
            let processors = board.woken[helper].take();
            drop(board);
            processors.iter().for_each(Processors::allow);
        }
    }
}

enum Look {
    Found(Arc<Job>),
    Nothing,
    Over,
}

impl Team {
    /// A team of at most `helpers` threads beside the callers, which look for work for `patience` before they sleep; how many the system
    /// has started.
    pub(super) fn new(helpers: usize, patience: Duration) -> (Team, usize) {
        let board = std::sync::Mutex::new(Board {
            jobs: Vec::new(),
            asleep: Vec::new(),
            woken: (0..helpers).map(|_| None).collect(),
            closed: false,
        });
        let team = Team {
            shared: Arc::new(Shared { open: AtomicUsize::new(0), board, wake: (0..helpers).map(|_| Condvar::new()).collect(), patience }),
        };
        for i in 0..helpers {
            let shared = team.shared.clone();
            let thread = std::thread::Builder::new().name(format!("rbe-{}", i + 1));
            // A thread that cannot allocate what is local to it ends the process.
            if !memory::has_room(THREAD_BYTES) || thread.spawn(move || shared.help(i)).is_err() {
                return (team, i);
            }
        }
        (team, helpers)
    }

    /// Calls `task(i)` for every `i` below `tasks`. A panic of a task goes on here, after all are finished.
    pub(super) fn share(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        // SAFETY: only the lifetime changes. `task` is called for tasks that are not finished, and this function returns
        // when all are.
        let task = unsafe { std::mem::transmute::<NonNull<dyn Fn(usize) + Sync + '_>, NonNull<dyn Fn(usize) + Sync>>(NonNull::from(task)) };
        let lanes = (self.shared.wake.len() + 1).min(tasks);
        let job = Arc::new(Job {
            task,
            lanes: (0..lanes).map(|k| Lane { next: AtomicUsize::new(k * tasks / lanes), end: (k + 1) * tasks / lanes }).collect(),
            unfinished: AtomicUsize::new(tasks),
            caller: std::thread::current(),
            within: CURRENT.with_borrow(Clone::clone),
            work: memory::current_work(),
            panic: Mutex::new(None),
        });
        self.shared.publish(&job, tasks);
        self.shared.run(&job);
        // Locks that the caller holds may be wanted by other jobs: it helps only with those that its own tasks made.
        let over = || job.unfinished.load(Ordering::Acquire) == 0;
        while !over() {
            self.shared.look_while(|| if over() { Look::Over } else { self.shared.find(Some(&job)).map_or(Look::Nothing, Look::Found) });
            if !over() {
                std::thread::park();
            }
        }
        let panic = job.panic.lock().take();
        if let Some(panic) = panic {
            memory::resume(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.board().closed = true;
        self.shared.wake.iter().for_each(Condvar::notify_one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teams() -> [Team; 2] {
        [Duration::ZERO, Duration::from_micros(100)].map(|patience| Team::new(3, patience).0)
    }

    #[test]
    fn every_task_runs_once_from_any_number_of_callers() {
        for team in teams() {
            std::thread::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        for round in 0..300 {
                            let counts: Vec<Mutex<u32>> = (0..round % 17 + 1).map(|_| Mutex::new(0)).collect();
                            team.share(counts.len(), &|i| *counts[i].lock() += 1);
                            assert!(counts.iter().all(|n| *n.lock() == 1));
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn tasks_share_out_jobs_of_their_own() {
        for team in teams() {
            let total = Mutex::new(0);
            for _ in 0..50 {
                team.share(5, &|_| team.share(4, &|_| team.share(3, &|_| *total.lock() += 1)));
            }
            assert_eq!(total.into_inner(), 50 * 5 * 4 * 3);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_when_all_tasks_are_finished_and_the_team_goes_on() {
        for team in teams() {
            let finished = AtomicUsize::new(0);
            let task = |i: usize| {
                assert!(i != 2, "task two");
                finished.fetch_add(1, Ordering::Relaxed);
            };
            let panic = catch_unwind(AssertUnwindSafe(|| team.share(6, &task))).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"task two"));
            assert_eq!(finished.load(Ordering::Relaxed), 5);
            team.share(2, &|i| task(i));
            assert_eq!(finished.into_inner(), 7);
        }
    }

    #[test]
    fn the_threads_of_a_dropped_team_end() {
        let (team, started) = Team::new(2, Duration::from_micros(10));
        assert_eq!(started, 2);
        team.share(3, &|_| {});
        let shared = Arc::downgrade(&team.shared);
        drop(team);
        let began = Instant::now();
        while shared.strong_count() > 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "a helper is still there");
            std::thread::yield_now();
        }
    }
}
