//! Which processor a woken thread runs on.
//!
//! Linux may wake a thread on the processor of the one that wakes it, in virtual machines even if another is idle. There it waits
//! until its caller has done all the work alone.

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

#[cfg(not(target_os = "linux"))]
type Pid = ();
#[cfg(not(target_os = "linux"))]
type CpuSet = ();

/// A thread that others wake.
pub(super) struct Sleeper(Pid);

/// Where a thread may run.
pub(super) struct Processors(CpuSet);

impl Sleeper {
    /// The thread that calls.
    pub(super) fn current() -> Sleeper {
        #[cfg(target_os = "linux")]
        return Sleeper(gettid());
        #[cfg(not(target_os = "linux"))]
        Sleeper(())
    }

    /// Keeps it off the processor of the thread that calls. Where it may run when it is awake, if that is elsewhere too.
    pub(super) fn keep_away(&self) -> Option<Processors> {
        #[cfg(target_os = "linux")]
        {
            let allowed = sched_getaffinity(Some(self.0)).ok()?;
            let mut elsewhere = allowed;
            elsewhere.unset(sched_getcpu());
            if elsewhere.count() == 0 || elsewhere == allowed {
                return None;
            }
            sched_setaffinity(Some(self.0), &elsewhere).ok().map(|()| Processors(allowed))
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}

impl Processors {
    /// Lets the thread that calls run on all of them.
    pub(super) fn allow(&self) {
        #[cfg(target_os = "linux")]
        sched_setaffinity(None, &self.0).ok(); // else it has fewer to choose from
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_is_kept_off_this_processor_until_it_is_awake() {
        let (tell, told) = std::sync::mpsc::channel();
        let (wake, woken) = std::sync::mpsc::channel::<Option<Processors>>();
        let thread = std::thread::spawn(move || {
            tell.send(Sleeper::current()).unwrap();
            if let Some(processors) = woken.recv().unwrap() {
                processors.allow();
            }
            sched_getaffinity(None).unwrap()
        });
        let sleeper = told.recv().unwrap();
        let allowed = sched_getaffinity(None).unwrap();
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        sched_setaffinity(None, &here).unwrap(); // so that it cannot be moved in between
        let processors = sleeper.keep_away();
        let away = sched_getaffinity(Some(sleeper.0)).unwrap();
        sched_setaffinity(None, &allowed).unwrap();
        assert_eq!(processors.is_some(), allowed.count() > 1);
        assert_eq!(away.count(), if allowed.count() > 1 { allowed.count() - 1 } else { 1 });
        assert!(allowed.count() == 1 || (0..CpuSet::MAX_CPU).all(|i| !(here.is_set(i) && away.is_set(i))));
        wake.send(processors).unwrap();
        assert!(thread.join().unwrap() == allowed);
    }
}
