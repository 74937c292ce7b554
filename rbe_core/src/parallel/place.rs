//! Which processor a woken thread runs on.
//!
//! Linux may wake a thread on the processor of the one that wakes it, in virtual machines even if another is idle. There it waits
//! until its caller has done all the work alone.

/// A thread that others wake.
pub(super) struct Sleeper(#[cfg(target_os = "linux")] libc::pid_t);

/// Where a thread may run.
pub(super) struct Processors(#[cfg(target_os = "linux")] libc::cpu_set_t);

#[cfg(target_os = "linux")]
impl Sleeper {
    /// The thread that calls.
    pub(super) fn current() -> Sleeper {
        // SAFETY: a call without pointers. By number, for older C libraries have no function for it.
        Sleeper(unsafe { libc::syscall(libc::SYS_gettid) } as libc::pid_t)
    }

    /// Keeps it off the processor of the thread that calls. Where it may run when it is awake, if that is elsewhere too.
    pub(super) fn keep_away(&self) -> Option<Processors> {
        let allowed = Processors::of(self.0)?;
        // SAFETY: a call without pointers.
        let here = usize::try_from(unsafe { libc::sched_getcpu() }).ok()?;
        let mut elsewhere = allowed.0;
        // SAFETY: the set is valid, and the functions check the number.
        let somewhere = unsafe {
            let held = libc::CPU_ISSET(here, &elsewhere);
            libc::CPU_CLR(here, &mut elsewhere);
            held && libc::CPU_COUNT(&elsewhere) > 0
        };
        (somewhere && Processors(elsewhere).assign(self.0)).then_some(allowed)
    }
}

#[cfg(target_os = "linux")]
impl Processors {
    /// Where a thread may run.
    fn of(thread: libc::pid_t) -> Option<Processors> {
        // SAFETY: a set is plain bits, of which all may be 0.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set has the size that is given.
        let failed = unsafe { libc::sched_getaffinity(thread, size_of_val(&set), &raw mut set) };
        (failed == 0).then_some(Processors(set))
    }

    /// Lets a thread, or with 0 the one that calls, run on all of them; whether the system does so.
    fn assign(&self, thread: libc::pid_t) -> bool {
        // SAFETY: the set has the size that is given.
        unsafe { libc::sched_setaffinity(thread, size_of_val(&self.0), &raw const self.0) == 0 }
    }

    /// Lets the thread that calls run on all of them.
    pub(super) fn allow(&self) {
        self.assign(0); // else it has fewer to choose from
    }
}

#[cfg(not(target_os = "linux"))]
impl Sleeper {
    pub(super) fn current() -> Sleeper {
        Sleeper()
    }

    pub(super) fn keep_away(&self) -> Option<Processors> {
        None
    }
}

#[cfg(not(target_os = "linux"))]
impl Processors {
    pub(super) fn allow(&self) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn numbers(processors: &Processors) -> Vec<usize> {
        // SAFETY: the numbers are within the size of the set.
        (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &processors.0) }).collect()
    }

    #[test]
    fn a_sleeper_is_kept_off_this_processor_until_it_is_awake() {
        let (tell, told) = std::sync::mpsc::channel();
        let (wake, woken) = std::sync::mpsc::channel::<Option<Processors>>();
        let thread = std::thread::spawn(move || {
            tell.send(Sleeper::current()).unwrap();
            if let Some(processors) = woken.recv().unwrap() {
                processors.allow();
            }
            Processors::of(0).unwrap()
        });
        let sleeper = told.recv().unwrap();
        let allowed = Processors::of(0).unwrap();
        // SAFETY: a set is plain bits, of which all may be 0; the processor of this thread is within its size.
        let here = unsafe {
            let mut here = std::mem::zeroed();
            libc::CPU_SET(libc::sched_getcpu() as usize, &mut here);
            Processors(here)
        };
        assert!(here.assign(0)); // so that it cannot be moved in between
        let processors = sleeper.keep_away();
        let away = Processors::of(sleeper.0).unwrap();
        assert!(allowed.assign(0));
        let (allowed, away, here) = (numbers(&allowed), numbers(&away), numbers(&here));
        assert_eq!(processors.is_some(), allowed.len() > 1);
        let elsewhere: Vec<usize> = allowed.iter().copied().filter(|cpu| !here.contains(cpu)).collect();
        assert_eq!(away, if allowed.len() > 1 { elsewhere } else { allowed.clone() });
        wake.send(processors).unwrap();
        assert_eq!(numbers(&thread.join().unwrap()), allowed);
    }
}
