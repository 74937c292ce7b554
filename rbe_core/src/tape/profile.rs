//! Where the time goes: the operations that run while a profile is taken. Otherwise each costs one atomic load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What an operation was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Computing its result.
    Forward,
    /// Computing the gradients of its inputs.
    Backward,
    /// Updating parameters.
    Step,
}

/// One run of one operation.
#[derive(Debug, Clone)]
pub struct Event {
    /// Name of the operation.
    pub name: String,
    /// What it was doing.
    pub phase: Phase,
    /// Number of the thread that it ran on, in the order in which threads first ran one.
    pub thread: u64,
    /// When it began, from the start of the profile.
    pub start: Duration,
    /// How long it ran.
    pub length: Duration,
    /// Bytes of what it returned.
    pub bytes: usize,
}

struct Profile {
    started: Instant,
    events: Vec<Event>,
}

static ACTIVE: AtomicBool = AtomicBool::new(false);
static PROFILE: Mutex<Option<Profile>> = Mutex::new(None);
static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THREAD: u64 = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// Begins a profile; whether there was none under way.
pub fn start_profile() -> bool {
    let mut profile = PROFILE.lock();
    let fresh = profile.is_none();
    if fresh {
        *profile = Some(Profile { started: Instant::now(), events: Vec::new() });
        ACTIVE.store(true, Ordering::Relaxed);
    }
    fresh
}

/// Ends the profile under way; its events in the order in which they ended.
pub fn stop_profile() -> Vec<Event> {
    ACTIVE.store(false, Ordering::Relaxed);
    PROFILE.lock().take().map_or_else(Vec::new, |profile| profile.events)
}

/// Runs `work`, and records it while a profile is taken; `bytes` tells the size of its result.
pub fn measured<T>(name: &str, phase: Phase, work: impl FnOnce() -> T, bytes: impl FnOnce(&T) -> usize) -> T {
    if !ACTIVE.load(Ordering::Relaxed) {
        return work();
    }
    let began = Instant::now();
    let result = work();
    let length = began.elapsed();
    if let Some(profile) = &mut *PROFILE.lock()
        && profile.events.try_reserve(1).is_ok()
    {
        let start = began.saturating_duration_since(profile.started);
        let thread = THREAD.with(|t| *t);
        profile.events.push(Event { name: name.to_owned(), phase, thread, start, length, bytes: bytes(&result) });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::RBETensor;

    #[test]
    fn operations_are_recorded_forward_and_backward_while_a_profile_is_taken() {
        let x = RBETensor::new(&[1.0f32, 2.0], &[2]).unwrap().requiring_grad().unwrap();
        x.expm1().unwrap();
        assert!(start_profile());
        assert!(!start_profile());
        x.expm1().unwrap().sum(None, false).unwrap().backward().unwrap();
        let events = stop_profile();
        // Other tests run beside this one: look at what only this one does.
        let own: Vec<_> = events.iter().filter(|e| e.name == "expm1" && e.bytes == 8).map(|e| e.phase).collect();
        assert!(own.contains(&Phase::Forward) && own.contains(&Phase::Backward), "{own:?}");
        assert!(stop_profile().is_empty());
    }
}
