//! An output that tasks write parts of at once.

use std::marker::PhantomData;

/// A row-major matrix that tasks write disjoint rectangles of.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    width: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: a Shared only hands out parts under the contract of `part`: no two tasks hold the same element.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    /// Matrix of rows of `width` elements.
    pub(in crate::kernel) fn new(data: &'a mut [T], width: usize) -> Shared<'a, T> {
        Shared { data: data.as_mut_ptr(), len: data.len(), width, life: PhantomData }
    }

    /// All of it as one row.
    pub(in crate::kernel) fn whole(data: &'a mut [T]) -> Shared<'a, T> {
        let width = data.len();
        Shared::new(data, width)
    }

    /// What is left of it from row `row` on.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub(in crate::kernel) fn rows_after(self, row: usize) -> Shared<'a, T> {
        let at = row * self.width;
        assert!(at <= self.len, "rows outside their matrix");
        // SAFETY: inside the borrowed slice, or its end.
        Shared { data: unsafe { self.data.add(at) }, len: self.len - at, ..self }
    }

    /// Elements of a row.
    pub(in crate::kernel) fn width(&self) -> usize {
        self.width
    }

    /// Elements `start..start + len` of row `row`.
    ///
    /// # Panics
    /// If they lie outside the matrix.
    ///
    /// # Safety
    /// No other reference to any of these elements may be alive.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the caller vouches for disjointness
    pub(in crate::kernel) unsafe fn part(&self, row: usize, start: usize, len: usize) -> &mut [T] {
        let at = row * self.width + start;
        assert!(start + len <= self.width && at + len <= self.len, "a part outside its matrix");
        // SAFETY: inside the borrowed slice as just asserted; exclusive by the contract above.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(at), len) }
    }
}
