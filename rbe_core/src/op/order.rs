//! Order along an axis: sorting and the few largest.

use std::cmp::Ordering;

use crate::array::{Array, Dims, fold_rows, normalize_axis};
use crate::dispatch_all;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::tape::RBETensor;

/// Order of two elements; NaN is above everything, as in NumPy and torch.
fn compare<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |v: &T| v.partial_cmp(v).is_none();
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

/// Positions in `row` of its first `out.len()` elements in order; equal elements keep their order.
fn leading<T: PartialOrd>(row: &[T], descending: bool, out: &mut [i64]) {
    let order = |a: &i64, b: &i64| {
        let by_value = compare(&row[*a as usize], &row[*b as usize]);
        (if descending { by_value.reverse() } else { by_value }).then(a.cmp(b))
    };
    let mut places = memory::collect(0..row.len() as i64);
    if out.len() < places.len() {
        places.select_nth_unstable_by(out.len() - 1, order);
        places.truncate(out.len());
    }
    places.sort_unstable_by(order); // positions break ties, so the order is total
    out.copy_from_slice(&places);
}

impl RBETensor {
    /// Positions (int64) of the first `count` elements along `axis`; all if `None`.
    fn ranked(&self, op: &'static str, axis: isize, count: Option<usize>, descending: bool) -> Result<RBETensor> {
        let a = self.array(op)?;
        if a.ndim() == 0 {
            return self.with_an_axis()?.ranked(op, axis, count, descending)?.reshape(if count == Some(0) { &[0] } else { &[] });
        }
        let axis = normalize_axis(op, axis, a.ndim())? as isize;
        RBETensor::unrecorded(op, || {
            let rows = a.transpose(axis, -1)?.contiguous();
            let mut shape = Dims::from_slice(rows.shape());
            let last = shape.len() - 1;
            let width = shape[last];
            let count = count.unwrap_or(width);
            if count > width {
                return Err(RbeError::value(op, format!("at most {width} elements of axis {axis}"), count));
            }
            shape[last] = count;
            if shape.contains(&0) {
                return Array::zeros(DType::I64, &shape).transpose(axis, -1);
            }
            let places = dispatch_all!(rows.dtype(), T => {
                let source = rows.read::<T>();
                Array::build(&shape, |out: &mut [i64]| {
                    fold_rows(&source, width, out, count, |row, out| leading(row, descending, out));
                })
            });
            Ok(places.transpose(axis, -1)?.contiguous())
        })
    }

    /// Positions (int64) of the elements along `axis` in ascending or descending order; equal elements keep their order
    /// and NaN counts as largest.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn argsort(&self, axis: isize, descending: bool) -> Result<RBETensor> {
        self.ranked("argsort", axis, None, descending)
    }

    /// The elements in order along `axis`, and their positions (int64) as [`RBETensor::argsort`] gives them. Gradients
    /// flow through the elements.
    ///
    /// # Errors
    /// As [`RBETensor::argsort`].
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(RBETensor, RBETensor)> {
        let places = self.ranked("sort", axis, None, descending)?;
        Ok((self.gather(axis, &places)?, places))
    }

    /// The `k` largest (or smallest) elements along `axis` in order, and their positions (int64). Gradients flow through
    /// the elements.
    ///
    /// # Errors
    /// As [`RBETensor::argsort`]; `Value` if the axis has fewer than `k` elements.
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> Result<(RBETensor, RBETensor)> {
        let places = self.ranked("topk", axis, Some(k), largest)?;
        Ok((self.gather(axis, &places)?, places))
    }
}
