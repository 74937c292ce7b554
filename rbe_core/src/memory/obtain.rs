//! One more attempt for an allocation that the system refuses.

use super::assured::attempt;
use super::pool::GradientPool;

/// What `allocate` gives, at most after the pool has given up what waits for reuse. `bytes` are how much it wants.
pub(super) fn obtain<T>(bytes: usize, mut allocate: impl FnMut() -> Option<T>) -> Option<T> {
    allocate().or_else(|| {
        GradientPool::global().clear();
        attempt(bytes, allocate)
    })
}
