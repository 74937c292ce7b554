//! Aligned memory from the pool, or of another owner.

#![allow(unsafe_code)]

use std::any::Any;
use std::ptr::NonNull;

use super::block::Block;
use super::pool::GradientPool;
use super::refusal::refuse;

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
    /// If there is no memory for them; [`super::guard`] makes an error of that.
    pub fn dirty(len: usize) -> Buffer {
        Buffer::try_dirty(len).unwrap_or_else(|| refuse(Some(len)))
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
