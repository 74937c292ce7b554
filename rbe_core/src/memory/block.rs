//! One allocation of the pool.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use super::system::there_is;

/// Alignment of every buffer this crate allocates: one cache line, one AVX-512 vector.
pub const ALIGN: usize = 64;

/// A large page of the system: blocks of that size on lie on its boundaries, so that reading through them meets few gaps in the
/// tables of pages.
const LARGE_PAGE: usize = 2 << 20;

/// Memory of a fixed size, [`ALIGN`]-aligned and initialised: an allocation, or a part of one.
pub(crate) struct Block {
    ptr: NonNull<u8>,
    size: usize, // bytes, > 0, a multiple of ALIGN
    whole: bool, // an allocation, which ends with the block
}

// SAFETY: a Block owns its bytes exclusively.
unsafe impl Send for Block {}

impl Block {
    /// Allocates `size` zero bytes, a positive multiple of [`ALIGN`]; `None` if the system refuses them.
    pub(super) fn allocate(size: usize) -> Option<Block> {
        assert!(size > 0 && size.is_multiple_of(ALIGN));
        let layout = Block::layout(size).filter(|_| there_is(size))?;
        // SAFETY: the layout has a size greater than zero.
        let ptr = NonNull::new(unsafe { if size < LARGE_PAGE { alloc_zeroed(layout) } else { alloc(layout) } })?;
        if size >= LARGE_PAGE {
            prefer_large_pages(ptr, size / LARGE_PAGE * LARGE_PAGE);
            // SAFETY: the block has `size` bytes.
            unsafe { ptr.write_bytes(0, size) };
        }
        Some(Block { ptr, size, whole: true })
    }

    /// `size` bytes from `offset` on, for a use that ends before the block does; the caller hands out no byte twice.
    ///
    /// # Panics
    /// If they are not in the block or not aligned.
    pub(super) fn part(&self, offset: usize, size: usize) -> Block {
        let inside = size > 0 && offset.checked_add(size).is_some_and(|end| end <= self.size);
        assert!(inside && offset.is_multiple_of(ALIGN) && size.is_multiple_of(ALIGN), "part of a block");
        // SAFETY: inside the block.
        Block { ptr: unsafe { self.ptr.add(offset) }, size, whole: false }
    }

    /// Gives the system back the pages in `len` bytes from `offset` on, which nobody uses; they become zero when they are next used.
    pub(super) fn give_back_pages(&self, offset: usize, len: usize) {
        const PAGE: usize = 1 << 16; // of any system
        let start = self.address() + offset;
        let (first, end) = (start.next_multiple_of(PAGE), (start + len) / PAGE * PAGE);
        #[cfg(target_os = "linux")]
        if first < end && start + len <= self.address() + self.size {
            // SAFETY: pages of this block; what is lost of them nobody reads, and zeros are initialised, too.
            unsafe { libc::madvise(self.ptr.as_ptr().add(first - self.address()).cast(), end - first, libc::MADV_DONTNEED) };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (first, end);
    }

    pub(super) fn address(&self) -> usize {
        self.ptr.as_ptr().addr()
    }

    #[cfg(test)]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block owns its bytes, which are initialised.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.size) }
    }

    pub(super) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size, if size < LARGE_PAGE { ALIGN } else { LARGE_PAGE }).ok()
    }
}

/// Asks the system to keep memory that nobody has touched yet in large pages; it may decline.
fn prefer_large_pages(ptr: NonNull<u8>, len: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the range is part of an allocation; the advice changes nothing that can be observed in it.
    unsafe {
        libc::madvise(ptr.as_ptr().cast(), len, libc::MADV_HUGEPAGE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (ptr, len);
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.whole
            && let Some(layout) = Block::layout(self.size)
        {
            // SAFETY: ptr was allocated with this very layout and is freed once.
            unsafe { dealloc(self.ptr.as_ptr(), layout) }
        }
    }
}
