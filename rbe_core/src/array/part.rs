//! A part of an array: where a view lies in the memory of its base.

use super::shape::{Dims, Strides};
use super::storage::Array;
use super::zip::map_into;
use crate::dispatch_size;
use crate::error::Result;

/// Where a view lies in the memory of its base.
pub(crate) struct Part {
    pub(crate) base: Strides,
    shape: Dims,
    strides: Strides,
    shift: isize, // elements from the first of the base to the first of the view
}

impl Part {
    pub(crate) fn of(base: &Array, view: &Array) -> Part {
        let shift = view.offset() as isize - base.offset() as isize;
        Part {
            base: Strides::from_slice(base.strides()),
            shape: Dims::from_slice(view.shape()),
            strides: Strides::from_slice(view.strides()),
            shift,
        }
    }

    /// A copy of `a` laid out as the base is.
    pub(crate) fn copy(&self, a: &Array) -> Result<Array> {
        if a.is_contiguous() && a.strides() == self.base.as_slice() {
            return Ok(a.copy());
        }
        let whole = Array::zeros_strided(a.dtype(), a.shape(), &self.base)?;
        dispatch_size!(a.dtype(), T => map_into(&whole, a, |_: T, v: T| v))?;
        Ok(whole)
    }

    /// The view of an array laid out as the base is.
    pub(crate) fn within(&self, whole: &Array) -> Result<Array> {
        let first = if self.shape.contains(&0) { 0 } else { whole.offset() as isize + self.shift };
        Array::from_parts(whole.storage().clone(), whole.dtype(), &self.shape, &self.strides, first as usize)
    }
}
