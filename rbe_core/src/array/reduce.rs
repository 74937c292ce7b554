//! Sums over axes, in an order that does not depend on the thread count.

use super::shape::Dims;
use super::storage::Array;
use crate::dtype::{DType, Element};
use crate::error::Result;
use crate::parallel;

/// Sums `a` over the axes along which `shape` was broadcast to `a`'s shape: the adjoint of broadcasting.
///
/// # Errors
/// `Shape` if `a`'s shape is not a broadcast of `shape`.
pub fn sum_to(a: &Array, shape: &[usize]) -> Result<Array> {
    if a.shape() == shape {
        return Ok(a.clone());
    }
    let lead = a.ndim().saturating_sub(shape.len());
    let axes: Vec<usize> = (0..a.ndim()).filter(|i| *i < lead || (shape[*i - lead] == 1 && a.shape()[*i] != 1)).collect();
    a.sum_axes(&axes).reshape_to(shape)
}

/// Rows of the two-level sum: partial sums of fixed chunks, folded in order.
const CHUNK: usize = 256;

impl Array {
    /// Sum over sorted `axes`, which go. Bool counts as int64.
    pub fn sum_axes(&self, axes: &[usize]) -> Array {
        match self.dtype() {
            DType::F32 => sum::<f32>(self, axes),
            DType::F64 => sum::<f64>(self, axes),
            DType::I64 => sum::<i64>(self, axes),
            DType::Bool => sum::<i64>(&self.cast(DType::I64), axes),
        }
    }

    /// The array as (kept axes, reduced axes), contiguous, with the two sizes.
    pub fn split_axes(&self, axes: &[usize]) -> (Array, Dims, usize, usize) {
        let kept: Vec<isize> = (0..self.ndim()).filter(|i| !axes.contains(i)).map(|i| i as isize).collect();
        let order: Vec<isize> = kept.iter().copied().chain(axes.iter().map(|i| *i as isize)).collect();
        let shape: Dims = kept.iter().map(|i| self.shape()[*i as usize]).collect();
        let outer = shape.iter().product();
        let inner = axes.iter().map(|i| self.shape()[*i]).product();
        // The order names every axis once.
        let moved = self.permute(&order).unwrap_or_else(|_| self.clone()).contiguous();
        (moved, shape, outer, inner)
    }
}

fn sum<T: Element + std::ops::Add<Output = T> + Default>(a: &Array, axes: &[usize]) -> Array {
    let leading = axes.iter().enumerate().all(|(i, axis)| i == *axis);
    if leading && a.is_contiguous() && axes.len() < a.ndim() {
        return sum_leading::<T>(a, axes.len());
    }
    let (moved, shape, outer, inner) = a.split_axes(axes);
    let source = moved.read::<T>();
    Array::build(&shape, |out: &mut [T]| {
        if outer == 1 {
            let partial = parallel::map(inner.div_ceil(1 << 14), |i| lane_sum(&source[i << 14..((i + 1) << 14).min(inner)]));
            out[0] = partial.into_iter().fold(T::default(), |s, v| s + v);
        } else {
            super::zip::fold_rows(&source, inner, out, 1, |row, o| o[0] = lane_sum(row));
        }
    })
}

/// Sum in sixteen interleaved lanes, which a compiler can keep in vectors, folded in order.
fn lane_sum<T: Element + std::ops::Add<Output = T> + Default>(row: &[T]) -> T {
    let mut lanes = [T::default(); 16];
    let (bulk, tail) = row.as_chunks::<16>();
    for chunk in bulk {
        (0..16).for_each(|i| lanes[i] = lanes[i] + chunk[i]);
    }
    let total = lanes.into_iter().fold(T::default(), |s, v| s + v);
    tail.iter().fold(total, |s, v| s + *v)
}

/// Sum over the first `lead` axes of a contiguous array: rows are added in chunks, the chunks in order.
fn sum_leading<T: Element + std::ops::Add<Output = T> + Default>(a: &Array, lead: usize) -> Array {
    let shape = Dims::from_slice(&a.shape()[lead..]);
    let width: usize = shape.iter().product();
    let rows: usize = a.shape()[..lead].iter().product();
    let source = a.read::<T>();
    Array::build(&shape, |out: &mut [T]| {
        let partial = parallel::map(rows.div_ceil(CHUNK), |c| {
            let mut total = vec![T::default(); width];
            for r in c * CHUNK..((c + 1) * CHUNK).min(rows) {
                total.iter_mut().zip(&source[r * width..(r + 1) * width]).for_each(|(t, v)| *t = *t + *v);
            }
            total
        });
        out.fill(T::default());
        for total in partial {
            out.iter_mut().zip(total).for_each(|(o, t)| *o = *o + t);
        }
    })
}
