//! Whether operations are recorded, per thread.

use std::cell::Cell;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
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
