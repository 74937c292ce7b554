//! Aligned memory: with the kernels, the team of threads and `memory`, the only place where `unsafe` is allowed.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::any::Any;
use std::ptr::NonNull;

use crate::memory;
use crate::pool::GradientPool;

/// Alignment of every buffer this crate allocates: one cache line, one AVX-512 vector.
pub const ALIGN: usize = 64;

/// A large page of the system: blocks of that size on lie on its boundaries, so that reading through them meets few gaps in the
/// tables of pages.
const LARGE_PAGE: usize = 2 << 20;

/// A run of bytes that is either a block of the pool, returned on drop, or memory owned by somebody else.
pub struct Buffer {
    ptr: NonNull<u8>,
    len: usize, // bytes in use
    owner: Owner,
}

enum Owner {
    Pool(Block),
    /// Kept only for its destructor.
    Foreign {
        _owner: Box<dyn Any + Send + Sync>,
    },
    Empty,
}

// SAFETY: a Buffer owns its bytes (or keeps their owner alive); plain bytes may be read and written from any thread,
// and `&mut` access goes through the lock of the storage that holds the buffer.
unsafe impl Send for Buffer {}
// SAFETY: as above; `&Buffer` gives out shared slices only.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `len` bytes of unspecified (but initialised) content from the pool.
    ///
    /// # Panics
    /// If there is no memory for them; [`memory::guard`] makes an error of that.
    pub fn dirty(len: usize) -> Buffer {
        Buffer::try_dirty(len).unwrap_or_else(|| memory::refuse(Some(len)))
    }

    /// As [`Buffer::dirty`]; `None` if there is no memory.
    pub fn try_dirty(len: usize) -> Option<Buffer> {
        if len == 0 {
            return Some(Buffer { ptr: NonNull::<Align>::dangling().cast(), len, owner: Owner::Empty });
        }
        let block = GradientPool::global().take(len)?;
        Some(Buffer { ptr: block.ptr(), len, owner: Owner::Pool(block) })
    }

    /// `len` zero bytes from the pool.
    ///
    /// # Panics
    /// As [`Buffer::dirty`].
    pub fn zeroed(len: usize) -> Buffer {
        let mut buffer = Buffer::dirty(len);
        buffer.bytes_mut().fill(0);
        buffer
    }

    /// Wraps memory of another owner, kept alive until the buffer is dropped.
    ///
    /// # Safety
    /// `ptr` must be valid for reads and writes of `len` bytes for as long as `owner` lives, and initialised.
    pub unsafe fn foreign(ptr: NonNull<u8>, len: usize, owner: Box<dyn Any + Send + Sync>) -> Buffer {
        Buffer { ptr, len, owner: Owner::Foreign { _owner: owner } }
    }

    /// Bytes in use.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the buffer holds no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of the first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: ptr is valid for len initialised bytes by construction, dangling and aligned when len is 0.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }

    /// All bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }

    /// The bytes as elements.
    ///
    /// # Panics
    /// If the length or address does not fit `T`, which no caller in this crate lets happen.
    pub fn slice<T: bytemuck::Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }

    /// The bytes as elements, to write.
    ///
    /// # Panics
    /// As [`Buffer::slice`].
    pub fn slice_mut<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.bytes_mut())
    }
}

#[repr(align(64))]
struct Align;

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Owner::Pool(block) = std::mem::replace(&mut self.owner, Owner::Empty) {
            GradientPool::global().give(block);
        }
    }
}

/// One allocation of the pool: [`ALIGN`]-aligned, initialised, a fixed size.
pub(crate) struct Block {
    ptr: NonNull<u8>,
    size: usize, // bytes, > 0, a multiple of ALIGN
}

// SAFETY: a Block owns its bytes exclusively.
unsafe impl Send for Block {}

impl Block {
    /// Allocates `size` zero bytes, a positive multiple of [`ALIGN`]; `None` if the system refuses them.
    pub(crate) fn allocate(size: usize) -> Option<Block> {
        assert!(size > 0 && size.is_multiple_of(ALIGN));
        let layout = Block::layout(size).filter(|_| memory::there_is(size))?;
        // SAFETY: the layout has a size greater than zero.
        let ptr = NonNull::new(unsafe { if size < LARGE_PAGE { alloc_zeroed(layout) } else { alloc(layout) } })?;
        if size >= LARGE_PAGE {
            prefer_large_pages(ptr, size / LARGE_PAGE * LARGE_PAGE);
            // SAFETY: the block has `size` bytes.
            unsafe { ptr.write_bytes(0, size) };
        }
        Some(Block { ptr, size })
    }

    pub(crate) fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    pub(crate) fn size(&self) -> usize {
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
        if let Some(layout) = Block::layout(self.size) {
            // SAFETY: ptr was allocated with this very layout and is freed once.
            unsafe { dealloc(self.ptr.as_ptr(), layout) }
        }
    }
}
