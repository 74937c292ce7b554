//! The threads of the pool, which share the tasks of their callers.
//!
//! A caller appends its job to a queue and starts with the first task at once; workers that are awake join it. A worker without
//! work polls the queue for the spin time before it sleeps, so that calls in quick succession find it awake; a caller never
//! waits for a worker to wake up. Each thread starts with its own tasks, the same in every job, and then takes the remaining
//! tasks of the others. Tasks may submit jobs.

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

/// Memory of a thread: its stack and its thread-local values.
const THREAD_BYTES: usize = 3 << 20;
/// Rounds of polling, a few microseconds, before a thread yields to others of the system.
const EAGER: u32 = 64;

/// Threads that run tasks from a queue until the team is dropped.
pub(super) struct Team {
    shared: Arc<Shared>,
}

struct Shared {
    open: AtomicUsize, // number of jobs in the queue, which polling threads read
    // A lock of the standard library, because workers sleep here when a process forks. The locks of parking_lot list their waiters in the
    // memory of these threads, which a forked process gives to its own threads.
    queue: std::sync::Mutex<Queue>,
    wake: Vec<Condvar>, // one for each worker
    spin: Duration,     // how long a worker polls before it sleeps
}

struct Queue {
    jobs: Vec<Arc<Job>>,            // oldest first
    asleep: Vec<(usize, Sleeper)>,  // sleeping workers
    woken: Vec<Option<Processors>>, // the processors that each worker had before it was kept off its caller's
    closed: bool,
}

/// Tasks of one call.
struct Job {
    task: NonNull<dyn Fn(usize) + Sync>,
    lanes: SmallVec<[Lane; 2]>,
    unfinished: AtomicUsize, // tasks
    caller: Thread,
    within: Option<Arc<Job>>, // the job whose task submitted this one
    work: u64,                // the work whose reserve of memory the tasks may use
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Neighbouring tasks of a job, which one thread takes first. A thread starts with the same lane in every job, because its cache still
/// has the data that it wrote in the last one.
#[repr(align(64))] // threads write the counters
struct Lane {
    next: AtomicUsize, // first task that no thread has taken
    end: usize,
}

// SAFETY: `task` points to a function that may be called from any thread, while `Team::share` keeps it alive.
unsafe impl Send for Job {}
// SAFETY: as above; the other fields are `Sync`.
unsafe impl Sync for Job {}

thread_local! {
    /// The job whose task this thread runs.
    static CURRENT: RefCell<Option<Arc<Job>>> = const { RefCell::new(None) };
    /// Number of this thread in its team; callers are 0.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
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

    /// Runs tasks until all are taken: those of this thread's lane, then those of other lanes.
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
    /// Locks the queue. No thread panics while it holds the lock.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a job with remaining tasks; if `outer` is given, among the jobs that its tasks submitted.
    fn find(&self, outer: Option<&Arc<Job>>) -> Option<Arc<Job>> {
        if self.open.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.queue().jobs.iter().find(|job| job.has_tasks() && outer.is_none_or(|outer| job.is_within(outer))).cloned()
    }

    fn publish(&self, job: &Arc<Job>, tasks: usize) {
        let mut queue = self.queue();
        queue.jobs.push(job.clone());
        self.open.store(queue.jobs.len(), Ordering::Release);
        for _ in 0..queue.asleep.len().min(tasks - 1) {
            let Some((worker, sleeper)) = queue.asleep.pop() else { break };
            queue.woken[worker] = sleeper.keep_away();
            self.wake[worker].notify_one();
        }
        drop(queue);
        let mut outer = job.within.as_ref();
        while let Some(waiting) = outer {
            waiting.caller.unpark(); // it may help
            outer = waiting.within.as_ref();
        }
    }

    /// Runs the remaining tasks of a job and removes it from the queue.
    fn run(&self, job: &Arc<Job>) {
        job.work();
        let mut queue = self.queue();
        queue.jobs.retain(|other| !Arc::ptr_eq(other, job));
        self.open.store(queue.jobs.len(), Ordering::Release);
    }

    /// Runs the jobs that `look` finds until it finds none during the spin time, or returns `Over`.
    fn look_while(&self, mut look: impl FnMut() -> Look) {
        let (mut rounds, mut began) = (0u32, Instant::now());
        loop {
            match look() {
                Look::Over => return,
                Look::Found(job) => {
                    self.run(&job);
                    (rounds, began) = (0, Instant::now());
                }
                Look::Nothing if began.elapsed() >= self.spin => return,
                Look::Nothing if rounds < EAGER => {
                    rounds += 1;
                    (0..16).for_each(|_| std::hint::spin_loop());
                }
                Look::Nothing => std::thread::yield_now(),
            }
        }
    }

    /// Runs a worker until the team is dropped.
    fn serve(&self, worker: usize) {
        NUMBER.set(worker + 1);
        memory::hand_on_errors(); // callers raise them
        loop {
            self.look_while(|| self.find(None).map_or(Look::Nothing, Look::Found));
            let mut queue = self.queue();
            if queue.jobs.iter().any(|job| job.has_tasks()) {
                continue;
            }
            queue.asleep.push((worker, Sleeper::current()));
            while queue.asleep.iter().any(|(other, _)| *other == worker) && !queue.closed {
                queue = self.wake[worker].wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            if queue.closed {
                return;
            }
            let processors = queue.woken[worker].take();
            drop(queue);
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
    /// Creates a team of at most `workers` threads with a spin time; returns it with the number of threads that the system has started.
    pub(super) fn new(workers: usize, spin: Duration) -> (Team, usize) {
        let queue = std::sync::Mutex::new(Queue {
            jobs: Vec::new(),
            asleep: Vec::new(),
            woken: (0..workers).map(|_| None).collect(),
            closed: false,
        });
        let team = Team {
            shared: Arc::new(Shared { open: AtomicUsize::new(0), queue, wake: (0..workers).map(|_| Condvar::new()).collect(), spin }),
        };
        for i in 0..workers {
            let shared = team.shared.clone();
            let thread = std::thread::Builder::new().name(format!("rbe-{}", i + 1));
            // A thread that cannot allocate its thread-local values ends the process.
            if !memory::can_allocate(THREAD_BYTES) || thread.spawn(move || shared.serve(i)).is_err() {
                return (team, i);
            }
        }
        (team, workers)
    }

    /// Calls `task(i)` for every `i` below `tasks`. A panic of a task is resumed here after all tasks are finished.
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
        // Other jobs may need locks that the caller holds, so it helps only with jobs that its own tasks submitted.
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
        self.shared.queue().closed = true;
        self.shared.wake.iter().for_each(Condvar::notify_one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teams() -> [Team; 2] {
        [Duration::ZERO, Duration::from_micros(100)].map(|spin| Team::new(3, spin).0)
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
            assert!(began.elapsed() < Duration::from_secs(20), "a worker is still running");
            std::thread::yield_now();
        }
    }
}
