//! Memory for intermediate results.

use crate::memory::Buffer;

/// Memory from the pool for `len` numbers of unspecified value.
pub(in crate::kernel) fn scratch(len: usize) -> Buffer {
    Buffer::dirty(len * size_of::<f32>())
}
