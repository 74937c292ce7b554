//! Sums over axes, in an order that does not depend on the thread count.

use std::ops::Add;

use super::shape::Dims;
use super::storage::Array;
use crate::dtype::{DType, Element};
use crate::error::Result;
use crate::kernel::by_isa;
use crate::kernel::lane_sum::{filled_up, fold};
use crate::memory;
use crate::parallel;

/// An element that can be summed.
trait Addend: Element + Add<Output = Self> + Default {}

impl<T: Element + Add<Output = T> + Default> Addend for T {}

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

/// Elements of one parallel piece.
const PIECE: usize = 1 << 14;

/// Each row of `inner` elements to a number: `of(first row's number, rows, out)` for some rows or a part of one, where the parts of a
/// row that stands alone are pieces joined in order.
pub fn reduce_rows<T: Element, U: Element>(
    source: &[T],
    inner: usize,
    out: &mut [U],
    of: impl Fn(usize, &[T], &mut [U]) + Sync + Send,
    join: impl Fn(U, U) -> U,
) {
    if let [alone] = out
        && inner > PIECE
    {
        let mut parts = memory::filled(*alone, inner.div_ceil(PIECE));
        parallel::for_each_piece(&mut parts, 1, |i, part| of(0, &source[i * PIECE..((i + 1) * PIECE).min(inner)], part));
        if let Some(joined) = parts.into_iter().reduce(join) {
            *alone = joined;
        }
        return;
    }
    let rows = PIECE.div_ceil(inner.max(1));
    parallel::for_each_piece(out, rows, |p, piece| {
        let first = p * rows;
        of(first, &source[first * inner..(first + piece.len()) * inner], piece);
    });
}

fn sum<T: Addend>(a: &Array, axes: &[usize]) -> Array {
    let leading = axes.iter().enumerate().all(|(i, axis)| i == *axis);
    if leading && a.is_contiguous() && axes.len() < a.ndim() {
        return sum_leading::<T>(a, axes.len());
    }
    let (moved, shape, _, inner) = a.split_axes(axes);
    let source = moved.read::<T>();
    Array::build(&shape, |out: &mut [T]| reduce_rows(&source, inner, out, |_, rows, out| sum_rows(rows, out), |a, b| a + b))
}

by_isa! {
    /// Sums of rows, in interleaved lanes, which a compiler can keep in vectors, folded in order.
    fn sum_rows[T: Addend](rows: &[T], out: &mut [T]) {
        const LANES: usize = 64;
        let width = rows.len() / out.len();
        for (r, o) in out.iter_mut().enumerate() {
            let mut lanes = [T::default(); LANES];
            let (bulk, tail) = rows[r * width..(r + 1) * width].as_chunks::<LANES>();
            for chunk in bulk {
                for i in 0..LANES {
                    lanes[i] = lanes[i] + chunk[i];
                }
            }
            if !tail.is_empty() {
                let last: [T; LANES] = filled_up(tail, T::default());
                for i in 0..LANES {
                    lanes[i] = lanes[i] + last[i];
                }
            }
            *o = fold(lanes, |a, b| a + b);
        }
    }
}

by_isa! {
    fn add_row[T: Addend](total: &mut [T], row: &[T]) {
        for (t, v) in total.iter_mut().zip(row) {
            *t = *t + *v;
        }
    }
}

/// Sum over the first `lead` axes of a contiguous array: rows are added in chunks, the chunks in order.
fn sum_leading<T: Addend>(a: &Array, lead: usize) -> Array {
    let shape = Dims::from_slice(&a.shape()[lead..]);
    let width: usize = shape.iter().product();
    let rows: usize = a.shape()[..lead].iter().product();
    let source = a.read::<T>();
    Array::build(&shape, |out: &mut [T]| {
        let partial = parallel::map(rows.div_ceil(CHUNK), |c| {
            let mut total = memory::filled(T::default(), width);
            for r in c * CHUNK..((c + 1) * CHUNK).min(rows) {
                add_row(&mut total, &source[r * width..(r + 1) * width]);
            }
            total
        });
        out.fill(T::default());
        for total in partial {
            add_row(out, &total);
        }
    })
}
