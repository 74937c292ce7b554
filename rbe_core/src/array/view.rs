//! Views: new shapes over the same memory.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::shape::{Dims, Strides, contiguous_strides, normalize_axis};
use super::storage::Array;
use super::transpose::copy_strided;
use crate::dispatch_size;
use crate::error::{RbeError, Result};
use crate::memory;

/// Part of one axis: `start`, then every `step`-th element (backwards if negative), `len` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceSpec {
    /// Position of the first element.
    pub start: usize,
    /// Distance of neighbours, not 0.
    pub step: isize,
    /// Number of elements.
    pub len: usize,
}

impl Array {
    fn with(&self, shape: Dims, strides: Strides, offset: usize) -> Array {
        Array { storage: self.storage.clone(), dtype: self.dtype, shape, strides, offset }
    }

    /// This array if it is contiguous, else a contiguous copy.
    pub fn contiguous(&self) -> Array {
        if self.is_contiguous() { self.clone() } else { self.copy() }
    }

    /// This array if it is contiguous, else a contiguous copy; borrows where nothing need be copied.
    pub fn as_contiguous(&self) -> Cow<'_, Array> {
        if self.is_contiguous() { Cow::Borrowed(self) } else { Cow::Owned(self.copy()) }
    }

    /// A contiguous copy with memory of its own.
    pub fn copy(&self) -> Array {
        dispatch_size!(self.dtype, T => Array::build::<T>(&self.shape, |out| {
            if self.is_contiguous() {
                out.copy_from_slice(&self.read::<T>());
            } else {
                copy_strided(&self.read_storage::<T>(), self.offset, &self.strides, &self.shape, out);
            }
        }))
        .relabel(self.dtype)
    }

    /// Axes in the order `axes`.
    ///
    /// # Errors
    /// `Shape` unless `axes` names every axis once.
    pub fn permute(&self, axes: &[isize]) -> Result<Array> {
        const OP: &str = "permute";
        let ndim = self.ndim();
        let order = axes.iter().map(|a| normalize_axis(OP, *a, ndim)).collect::<Result<SmallVec<[usize; 4]>>>()?;
        let mut seen: SmallVec<[bool; 4]> = SmallVec::from_elem(false, ndim);
        order.iter().for_each(|a| seen[*a] = true);
        if order.len() != ndim || seen.contains(&false) {
            return Err(RbeError::shape(OP, format!("each of {ndim} axes once"), format!("{axes:?}")));
        }
        Ok(self.with(order.iter().map(|a| self.shape[*a]).collect(), order.iter().map(|a| self.strides[*a]).collect(), self.offset))
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// `Index` for an axis that is not there.
    pub fn transpose(&self, a: isize, b: isize) -> Result<Array> {
        let (a, b) = (normalize_axis("transpose", a, self.ndim())?, normalize_axis("transpose", b, self.ndim())?);
        let mut out = self.clone();
        out.shape.swap(a, b);
        out.strides.swap(a, b);
        Ok(out)
    }

    /// The same elements in another shape: a view where strides allow, else a copy. One length may be -1.
    ///
    /// # Errors
    /// `Shape` if the number of elements differs.
    pub fn reshape(&self, shape: &[isize]) -> Result<Array> {
        let dims = self.resolve_shape("reshape", shape)?;
        match self.view_strides(&dims) {
            Some(strides) => Ok(self.with(dims, strides, self.offset)),
            None => {
                let copy = self.copy();
                Ok(Array { strides: contiguous_strides(&dims), shape: dims, ..copy })
            }
        }
    }

    /// As [`Array::reshape`] with known lengths.
    ///
    /// # Errors
    /// `Shape` if the number of elements differs.
    pub fn reshape_to(&self, shape: &[usize]) -> Result<Array> {
        let signed: SmallVec<[isize; 4]> = shape.iter().map(|n| *n as isize).collect();
        self.reshape(&signed)
    }

    /// `shape` with its -1 replaced.
    ///
    /// # Errors
    /// `Shape` if it cannot hold this array's elements.
    pub fn resolve_shape(&self, op: &'static str, shape: &[isize]) -> Result<Dims> {
        let wrong = || RbeError::shape(op, format!("a shape of {} elements", self.numel()), format!("{shape:?}"));
        let known = shape.iter().filter(|n| **n >= 0).try_fold(1usize, |p, n| p.checked_mul(*n as usize)).ok_or_else(wrong)?;
        let free = shape.iter().filter(|n| **n < 0).count();
        if free > 1 || shape.iter().any(|n| *n < -1) || (free == 1 && (known == 0 || !self.numel().is_multiple_of(known))) {
            return Err(wrong());
        }
        let dims: Dims = shape.iter().map(|n| if *n < 0 { self.numel() / known } else { *n as usize }).collect();
        if memory::count(&dims) == Some(self.numel()) { Ok(dims) } else { Err(wrong()) }
    }

    /// Strides that show this array's elements in `shape` without a copy, if there are any.
    fn view_strides(&self, shape: &[usize]) -> Option<Strides> {
        if self.is_contiguous() {
            return Some(contiguous_strides(shape));
        }
        // Walk both shapes from the back; every run of old axes must be one even run of memory.
        let old: SmallVec<[(usize, isize); 4]> =
            self.shape.iter().copied().zip(self.strides.iter().copied()).filter(|(n, _)| *n != 1).collect();
        let mut strides: Strides = SmallVec::from_elem(0, shape.len());
        let mut at = shape.len();
        let mut i = old.len();
        while i > 0 {
            let (mut len, base) = old[i - 1];
            let mut reach = base * len as isize;
            i -= 1;
            while i > 0 && old[i - 1].1 == reach {
                len *= old[i - 1].0;
                reach = old[i - 1].1 * old[i - 1].0 as isize;
                i -= 1;
            }
            let (mut left, mut step) = (len, base);
            while left > 1 {
                at = at.checked_sub(1)?;
                if !left.is_multiple_of(shape[at]) {
                    return None;
                }
                strides[at] = step;
                step *= shape[at] as isize;
                left /= shape[at];
            }
        }
        Some(strides)
    }

    /// The array repeated, without a copy, along axes of length 1 and new leading axes.
    ///
    /// # Errors
    /// `Shape` if `shape` is not a broadcast of this array's.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Array> {
        if memory::count(shape).is_none() {
            return Err(RbeError::shape("broadcast_to", "a shape of fewer than 2^63 elements", format!("{shape:?}")));
        }
        Ok(self.with(Dims::from_slice(shape), self.broadcast_strides(shape)?, self.offset))
    }

    /// Strides of [`Array::broadcast_to`].
    ///
    /// # Errors
    /// Those of it.
    pub(crate) fn broadcast_strides(&self, shape: &[usize]) -> Result<Strides> {
        let lead = shape.len().checked_sub(self.ndim());
        let fits = lead.is_some_and(|lead| self.shape.iter().zip(&shape[lead..]).all(|(have, want)| have == want || *have == 1));
        let Some(lead) = lead.filter(|_| fits) else {
            return Err(RbeError::shape("broadcast_to", format!("a shape that {:?} broadcasts to", self.shape()), format!("{shape:?}")));
        };
        Ok((0..shape.len()).map(|i| if i < lead || self.shape[i - lead] != shape[i] { 0 } else { self.strides[i - lead] }).collect())
    }

    /// Part of one axis.
    ///
    /// # Errors
    /// `Index` if the part reaches outside the axis.
    pub fn slice_axis(&self, axis: usize, part: SliceSpec) -> Result<Array> {
        let n = self.shape[axis];
        if part.len > 0 {
            let last = part.start as isize + (part.len as isize - 1) * part.step;
            if part.start >= n || last < 0 || last >= n as isize {
                return Err(RbeError::index("slice", format!("positions inside axis {axis} of length {n}"), format!("{part:?}")));
            }
        }
        let mut out = self.clone();
        if part.len > 0 && self.numel() > 0 {
            out.offset = (out.offset as isize + part.start as isize * out.strides[axis]) as usize;
        }
        out.shape[axis] = part.len;
        out.strides[axis] *= part.step;
        Ok(out)
    }

    /// One position of an axis; the axis goes.
    ///
    /// # Errors
    /// `Index` if there is no such position.
    pub fn select(&self, axis: usize, position: usize) -> Result<Array> {
        let mut out = self.slice_axis(axis, SliceSpec { start: position, step: 1, len: 1 })?;
        out.shape.remove(axis);
        out.strides.remove(axis);
        Ok(out)
    }

    /// The first position of `axis`, which goes; the axis may be empty as long as no element is then read.
    pub(crate) fn without_axis(&self, axis: usize) -> Array {
        let mut out = self.clone();
        out.shape.remove(axis);
        out.strides.remove(axis);
        out
    }

    /// A new axis of length 1 before `axis`.
    pub fn unsqueeze(&self, axis: usize) -> Array {
        let mut out = self.clone();
        out.shape.insert(axis, 1);
        out.strides.insert(axis, 0);
        out
    }

    /// Without `axis`, which has length 1.
    ///
    /// # Errors
    /// `Shape` if it has another length.
    pub fn squeeze(&self, axis: usize) -> Result<Array> {
        if self.shape[axis] != 1 {
            return Err(RbeError::shape("squeeze", format!("axis {axis} of length 1"), self.shape[axis]));
        }
        self.select(axis, 0)
    }
}
