//! What this thread is doing: whether operations are recorded, and whether a checkpoint computes again.

use std::cell::Cell;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether operations on this thread are recorded.
pub fn is_grad_enabled() -> bool {
    ENABLED.get()
}

/// Sets recording on or off until dropped.
pub struct GradMode {
    before: bool,
}

impl GradMode {
    /// Recording `enabled` on this thread from now on.
    pub fn set(enabled: bool) -> GradMode {
        GradMode { before: ENABLED.replace(enabled) }
    }
}

impl Drop for GradMode {
    fn drop(&mut self) {
        ENABLED.set(self.before);
    }
}

/// Runs `work` with recording on or off.
pub fn with_grad<R>(enabled: bool, work: impl FnOnce() -> R) -> R {
    let _mode = GradMode::set(enabled);
    work()
}

/// Whether a checkpoint runs its function a second time on this thread: what forward counts or keeps running values of was
/// updated the first time.
pub fn is_recomputing() -> bool {
    AGAIN.get()
}

/// Runs `work` as the second run of a checkpoint's function.
pub(super) fn recomputing<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            AGAIN.set(self.0);
        }
    }
    let _restore = Restore(AGAIN.replace(true));
    work()
}
