//! Memory of dense arrays and the handle that views it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{MappedRwLockReadGuard, MappedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::shape::{Dims, Strides, contiguous_strides};
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::memory::Buffer;

/// Memory that arrays view, with a count of the in-place changes made to it.
pub struct Storage {
    buffer: RwLock<Buffer>,
    version: AtomicU64,
    shared: AtomicUsize,
}

impl Storage {
    /// Storage of `buffer`.
    pub fn new(buffer: Buffer) -> Arc<Storage> {
        Arc::new(Storage { buffer: RwLock::new(buffer), version: AtomicU64::new(0), shared: AtomicUsize::new(0) })
    }

    /// Count of in-place changes.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Counts an in-place change made from outside.
    pub fn touch(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Says that somebody outside, who is not counted in the version, may change the memory from now on.
    pub fn share(&self) {
        self.shared.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes back one [`Storage::share`].
    pub fn unshare(&self) {
        self.shared.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether somebody outside may change the memory.
    pub fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Acquire) > 0
    }

    /// Address of the first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.buffer.read_recursive().as_ptr()
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.buffer.read_recursive().len()
    }

    /// Whether no byte is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Shared access to elements.
pub type Read<'a, T> = MappedRwLockReadGuard<'a, [T]>;
/// Exclusive access to elements.
pub type Write<'a, T> = MappedRwLockWriteGuard<'a, [T]>;

/// A dense strided array. Cloning and viewing share the storage.
pub struct Array {
    pub(super) storage: Arc<Storage>,
    pub(super) dtype: DType,
    pub(super) shape: Dims,
    pub(super) strides: Strides,
    pub(super) offset: usize, // elements before the first
}

impl Clone for Array {
    fn clone(&self) -> Array {
        // A SmallVec is cloned element by element; a slice of plain numbers is copied at once.
        let (shape, strides) = (Dims::from_slice(&self.shape), Strides::from_slice(&self.strides));
        Array { storage: self.storage.clone(), dtype: self.dtype, shape, strides, offset: self.offset }
    }
}

impl Array {
    /// Row-major array of `shape` over a whole buffer.
    #[inline(never)]
    pub(crate) fn from_buffer(buffer: Buffer, dtype: DType, shape: &[usize]) -> Array {
        debug_assert_eq!(Some(buffer.len()), memory::count(shape).map(|n| n * dtype.size()));
        Array { storage: Storage::new(buffer), dtype, shape: Dims::from_slice(shape), strides: contiguous_strides(shape), offset: 0 }
    }

    /// Array over existing storage.
    ///
    /// # Errors
    /// `Shape` if an element would lie outside the storage.
    pub fn from_parts(storage: Arc<Storage>, dtype: DType, shape: &[usize], strides: &[isize], offset: usize) -> Result<Array> {
        if shape.len() != strides.len() {
            return Err(RbeError::shape("array", format!("{} strides", shape.len()), strides.len()));
        }
        if !shape.contains(&0) {
            let elements = (storage.len() / dtype.size()) as i128;
            let (mut low, mut high) = (offset as i128, offset as i128);
            for (len, stride) in shape.iter().zip(strides) {
                let reach = (*len as i128 - 1).saturating_mul(*stride as i128);
                if reach < 0 { low = low.saturating_add(reach) } else { high = high.saturating_add(reach) }
            }
            if low < 0 || high >= elements || memory::count(shape).is_none() {
                return Err(RbeError::shape(
                    "array",
                    format!("elements inside {} bytes", storage.len()),
                    format!("{shape:?} by {strides:?}"),
                ));
            }
        }
        Ok(Array { storage, dtype, shape: Dims::from_slice(shape), strides: Strides::from_slice(strides), offset })
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The same bytes as elements of `dtype`, of the same size; bools must be 0 or 1.
    ///
    /// # Panics
    /// If elements of the two types differ in size.
    pub fn relabel(self, dtype: DType) -> Array {
        assert!(dtype.size() == self.dtype.size(), "{} as {dtype}", self.dtype);
        Array { dtype, ..self }
    }

    /// Length of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Step along every axis, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Elements of the storage before the first.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().fold(1, |n, len| n.wrapping_mul(*len)) // it fits, but for parts of the product of an empty shape
    }

    /// Bytes of the elements.
    pub fn nbytes(&self) -> usize {
        self.numel() * self.dtype.size()
    }

    /// The memory viewed.
    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// Count of in-place changes of the memory viewed.
    pub fn version(&self) -> u64 {
        self.storage.version()
    }

    /// Whether both view the same memory.
    pub fn same_storage(&self, other: &Array) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    /// Whether both view one storage, or two over memory that may overlap: reading one while writing the other is no option.
    pub fn may_overlap(&self, other: &Array) -> bool {
        let (a, b) = (self.addresses(), other.addresses());
        self.same_storage(other) || (a.start < b.end && b.start < a.end)
    }

    /// From the first byte of the elements to the last.
    fn addresses(&self) -> std::ops::Range<usize> {
        let size = self.dtype.size() as isize;
        let first = self.storage.as_ptr().addr() as isize + self.offset as isize * size;
        if self.numel() == 0 {
            return 0..0;
        }
        let reach = || self.shape.iter().zip(&self.strides).map(|(n, stride)| (*n as isize - 1) * stride * size);
        let (low, high): (isize, isize) = (reach().filter(|r| *r < 0).sum(), reach().filter(|r| *r > 0).sum());
        (first + low) as usize..(first + high + size) as usize
    }

    /// Whether nobody else views this memory.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.storage) == 1
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1isize;
        for (len, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *len != 1 {
                if *stride != step {
                    return self.shape.contains(&0);
                }
                step = step.wrapping_mul(*len as isize); // as `contiguous_strides`
            }
        }
        true
    }

    /// The elements of a contiguous array, to read.
    ///
    /// # Panics
    /// If `T` is not the element type or the array is not contiguous: callers check both.
    pub fn read<T: Element>(&self) -> Read<'_, T> {
        assert!(T::holds(self.dtype) && self.is_contiguous());
        let range = self.offset..self.offset + self.numel();
        RwLockReadGuard::map(self.storage.buffer.read_recursive(), |b| &b.slice::<T>()[range])
    }

    /// The elements of a contiguous array, to write; counts as one in-place change.
    ///
    /// # Panics
    /// As [`Array::read`].
    pub fn write<T: Element>(&self) -> Write<'_, T> {
        assert!(T::holds(self.dtype) && self.is_contiguous());
        let range = self.offset..self.offset + self.numel();
        self.storage.touch();
        RwLockWriteGuard::map(self.storage.buffer.write(), |b| &mut b.slice_mut::<T>()[range])
    }

    /// All elements of the storage, to read; positions are `offset` plus multiples of the strides.
    ///
    /// # Panics
    /// If `T` is not the element type.
    pub fn read_storage<T: Element>(&self) -> Read<'_, T> {
        assert!(T::holds(self.dtype));
        RwLockReadGuard::map(self.storage.buffer.read_recursive(), |b| b.slice::<T>())
    }

    /// All elements of the storage, to write; counts as one in-place change.
    ///
    /// # Panics
    /// If `T` is not the element type.
    pub fn write_storage<T: Element>(&self) -> Write<'_, T> {
        assert!(T::holds(self.dtype));
        self.storage.touch();
        RwLockWriteGuard::map(self.storage.buffer.write(), |b| b.slice_mut::<T>())
    }
}

impl std::fmt::Debug for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Array({} {:?})", self.dtype, self.shape.as_slice())
    }
}
