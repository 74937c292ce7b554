//! Sums over axes, in an order that does not depend on the thread count.

use smallvec::SmallVec;

use super::shape::{Dims, PIECE};
use super::storage::Array;
use crate::dtype::{DType, Element};
use crate::error::Result;
use crate::kernel::dense::sums::{Addend, FEW_ROWS, PART, add_rows, sum_few_rows, sum_part, sum_rows};
use crate::memory;
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

impl Array {
    /// Sum over sorted `axes`, which go: of integers and bools int64, of floats in their wide type.
    pub fn sum_axes(&self, axes: &[usize]) -> Array {
        self.total_axes(axes, 1.0)
    }

    /// Mean of floats over sorted `axes`, which go; NaN of none.
    pub fn mean_axes(&self, axes: &[usize]) -> Array {
        self.total_axes(axes, axes.iter().map(|i| self.shape()[*i]).product::<usize>() as f64)
    }

    fn total_axes(&self, axes: &[usize], count: f64) -> Array {
        match self.dtype() {
            DType::F32 => total::<f32>(self, axes, count),
            DType::F64 => total::<f64>(self, axes, count),
            DType::I64 => total::<i64>(self, axes, count),
            DType::F16 | DType::BF16 => total::<f32>(&self.cast(DType::F32), axes, count),
            _ => total::<i64>(&self.cast(DType::I64), axes, count),
        }
    }

    /// The array as (kept axes, reduced axes), contiguous, with the two sizes.
    pub fn split_axes(&self, axes: &[usize]) -> (Array, Dims, usize, usize) {
        let (moved, shape) = self.reduced_last(axes);
        let outer = shape.iter().product();
        let inner = axes.iter().map(|i| self.shape()[*i]).product();
        (moved.contiguous(), shape, outer, inner)
    }

    /// A view with `axes` last, and the lengths of the others.
    fn reduced_last(&self, axes: &[usize]) -> (Array, Dims) {
        let kept: SmallVec<[usize; 4]> = (0..self.ndim()).filter(|i| !axes.contains(i)).collect();
        let order: SmallVec<[isize; 4]> = kept.iter().chain(axes).map(|i| *i as isize).collect();
        // The order names every axis once.
        (self.permute(&order).unwrap_or_else(|_| self.clone()), kept.iter().map(|i| self.shape()[*i]).collect())
    }
}

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

/// For each row of `inner` elements the sum of what `of(row, part)` gives for its parts, in order: float64 (outer).
pub fn total_rows<T: Element>(source: &[T], outer: usize, inner: usize, of: impl Fn(usize, &[T]) -> f64 + Sync + Send) -> Array {
    let parts = inner.div_ceil(PART).max(1);
    let size = PIECE.div_ceil(inner.max(1));
    let of_part = |i: usize| {
        let (row, first) = (i / parts, i % parts * PART);
        of(row, &source[row * inner..][first..(first + PART).min(inner)])
    };
    let totals = Array::build(&[outer * parts], |out: &mut [f64]| {
        parallel::for_each_piece(out, size, |p, piece| piece.iter_mut().enumerate().for_each(|(i, o)| *o = of_part(p * size + i)));
    });
    if parts == 1 {
        return totals;
    }
    let totals = totals.read::<f64>();
    Array::build(&[outer], |out: &mut [f64]| out.iter_mut().zip(totals.chunks(parts)).for_each(|(o, parts)| *o = parts.iter().sum()))
}

/// Sum over sorted axes, divided by `count`: over one run of neighbouring axes after the other, from the last.
fn total<T: Addend>(a: &Array, axes: &[usize], count: f64) -> Array {
    if axes.is_empty() {
        return a.copy();
    }
    if a.numel() == 0 {
        let shape: Dims = (0..a.ndim()).filter(|i| !axes.contains(i)).map(|i| a.shape()[i]).collect();
        return Array::build(&shape, |out: &mut [T]| out.fill(T::of_total(T::Total::default(), count)));
    }
    if !a.is_contiguous() {
        let (moved, shape) = a.reduced_last(axes);
        if moved.is_contiguous() {
            return total_run::<T>(&moved, shape.len(), moved.ndim(), count);
        }
        if let Some(order) = order_in_memory(a) {
            return total_permuted::<T>(a, &order, axes, count);
        }
    }
    let mut sum = a.contiguous();
    let mut left = axes;
    while let Some(last) = left.last() {
        let neighbours = left.iter().rev().enumerate().take_while(|(i, axis)| **axis + i == *last).count();
        let (rest, run) = left.split_at(left.len() - neighbours);
        sum = total_run::<T>(&sum, run[0], last + 1, if rest.is_empty() { count } else { 1.0 });
        left = rest;
    }
    sum
}

/// The order of axes in which an array lies, if it lies without gaps.
fn order_in_memory(a: &Array) -> Option<SmallVec<[isize; 4]>> {
    if a.strides().contains(&0) {
        return None;
    }
    let mut order: SmallVec<[isize; 4]> = (0..a.ndim() as isize).collect();
    order.sort_by_key(|axis| std::cmp::Reverse(a.strides()[*axis as usize]));
    a.permute(&order).ok().filter(Array::is_contiguous).map(|_| order)
}

/// As [`total`], of an array whose axes lie in another order.
fn total_permuted<T: Addend>(a: &Array, order: &[isize], axes: &[usize], count: f64) -> Array {
    let reduced = |axis: &isize| axes.contains(&(*axis as usize));
    let places: SmallVec<[usize; 4]> = (0..order.len()).filter(|i| reduced(&order[*i])).collect();
    let mut kept: SmallVec<[(isize, isize); 4]> = order.iter().filter(|axis| !reduced(axis)).zip(0..).map(|(axis, i)| (*axis, i)).collect();
    kept.sort_unstable(); // by axis of `a`
    let back: SmallVec<[isize; 4]> = kept.into_iter().map(|(_, i)| i).collect();
    // Both orders name every axis once.
    let sum = a.permute(order).map(|moved| total::<T>(&moved, &places, count));
    sum.and_then(|sum| sum.permute(&back)).map_or_else(|_| total::<T>(&a.contiguous(), axes, count), |sum| sum.contiguous())
}

/// Sum of a contiguous array over its axes from `start` to before `end`, divided by `count`.
fn total_run<T: Addend>(a: &Array, start: usize, end: usize, count: f64) -> Array {
    let size = |axes: &[usize]| axes.iter().product::<usize>();
    let (outer, rows, width) = (size(&a.shape()[..start]), size(&a.shape()[start..end]), size(&a.shape()[end..]));
    let shape: Dims = a.shape()[..start].iter().chain(&a.shape()[end..]).copied().collect();
    let source = a.read::<T>();
    if width > 1 {
        return Columns { source: &source, rows, width, outer }.total(&shape, count);
    }
    let parts = rows.div_ceil(PART);
    if parts == 1 {
        let some = PIECE.div_ceil(rows);
        return Array::build(&shape, |out: &mut [T]| {
            parallel::for_each_piece(out, some, |p, piece| sum_rows(&source[p * some * rows..], rows, count, piece));
        });
    }
    let totals = Array::build(&[outer, parts], |out: &mut [T::Total]| {
        parallel::for_each_piece(out, 1, |i, o| {
            let (row, first) = (i / parts, i % parts * PART);
            o[0] = sum_part(&source[row * rows..][first..(first + PART).min(rows)]);
        });
    });
    let totals = totals.read::<T::Total>();
    Array::build(&shape, |out: &mut [T]| {
        let joined = totals.chunks(parts).map(|parts| parts.iter().copied().reduce(T::join).unwrap_or_default());
        out.iter_mut().zip(joined).for_each(|(o, total)| *o = T::of_total(total, count));
    })
}

/// Numbers that begin with a cache line, so that no vector of them lies across two.
#[repr(align(64))]
struct Lines<N>(N);

/// Columns of `outer` contiguous matrices, to be summed.
struct Columns<'a, T> {
    source: &'a [T],
    rows: usize,
    width: usize,
    outer: usize,
}

/// Rows of which a task adds up a part.
const HEIGHT: usize = 256;
/// Most columns of one task.
const BREADTH: usize = 2048;
/// Columns that fill the lanes.
const LANES: usize = 64;

impl<T: Addend> Columns<'_, T> {
    fn total(&self, shape: &[usize], count: f64) -> Array {
        // Rows of few elements are taken together as one, to fill the lanes; what is left over is added at the end.
        let together = if self.width < LANES && self.rows * self.width > 8 * LANES { LANES.div_ceil(self.width) } else { 1 };
        if self.rows.div_ceil(HEIGHT) == 1 && together == 1 {
            return self.total_of_one_part(shape, count);
        }
        let (rows, width) = (self.rows / together, self.width * together);
        let chunks = rows.div_ceil(HEIGHT);
        let totals = Array::build(&[self.outer * chunks, width], |out: &mut [T::Total]| {
            let breadth = width.min(BREADTH);
            parallel::for_each_piece(out, breadth, |p, piece| {
                piece.fill(T::Total::default());
                runs(p * breadth, piece, width, |block, column, some| {
                    let (matrix, first) = (block / chunks, block % chunks * HEIGHT);
                    let source = &self.matrix(matrix)[first * width + column..];
                    add_rows(source, (rows - first).min(HEIGHT), width, some);
                });
            });
        });
        let totals = totals.read::<T::Total>();
        let size = PIECE.div_ceil(chunks * together);
        Array::build(shape, |out: &mut [T]| {
            parallel::for_each_piece(out, size, |p, piece| {
                for (i, o) in piece.iter_mut().enumerate() {
                    let (matrix, column) = ((p * size + i) / self.width, (p * size + i) % self.width);
                    let sums = totals[matrix * chunks * width..][..chunks * width].iter().skip(column).step_by(self.width).copied();
                    let last = self.matrix(matrix)[rows * width..].iter().skip(column).step_by(self.width).map(|v| v.total());
                    *o = T::of_total(sums.chain(last).fold(T::Total::default(), T::join), count);
                }
            });
        })
    }

    /// Totals of so few rows that a task adds up all.
    fn total_of_one_part(&self, shape: &[usize], count: f64) -> Array {
        let breadth = (PIECE / self.rows).clamp(LANES, BREADTH);
        let part = |at: usize, piece: &mut [T], totals: &mut [T::Total]| {
            runs(at, piece, self.width, |matrix, column, some| {
                let source = &self.matrix(matrix)[column..];
                if self.rows <= FEW_ROWS {
                    sum_few_rows(source, self.rows, self.width, some);
                    some.iter_mut().for_each(|o| *o = T::of_total(o.total(), count));
                    return;
                }
                let totals = &mut totals[..some.len()];
                totals.fill(T::Total::default());
                add_rows(source, self.rows, self.width, totals);
                some.iter_mut().zip(totals).for_each(|(o, total)| *o = T::of_total(*total, count));
            });
        };
        Array::build(shape, |out: &mut [T]| {
            parallel::for_each_piece(out, breadth, |p, piece| match piece.len() {
                _ if self.rows <= FEW_ROWS => part(p * breadth, piece, &mut []),
                0..=256 => part(p * breadth, piece, &mut Lines([T::Total::default(); 256]).0),
                _ => part(p * breadth, piece, &mut Lines([T::Total::default(); BREADTH]).0),
            });
        })
    }

    fn matrix(&self, i: usize) -> &[T] {
        &self.source[i * self.rows * self.width..][..self.rows * self.width]
    }
}

/// `of(row, column, elements)` for those from `at` on of rows of `width` elements, row by row.
fn runs<U>(at: usize, elements: &mut [U], width: usize, mut of: impl FnMut(usize, usize, &mut [U])) {
    let (mut at, mut left) = (at, elements);
    while !left.is_empty() {
        let (some, rest) = left.split_at_mut((width - at % width).min(left.len()));
        of(at / width, at % width, some);
        at += some.len();
        left = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &Array, axes: &[usize]) {
        let got = a.sum_axes(axes);
        let shape = a.shape();
        let kept: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
        assert_eq!(got.shape(), kept.iter().map(|i| shape[*i]).collect::<Vec<_>>());
        let mut want = vec![0i64; got.numel()];
        for (mut i, v) in a.to_vec::<i64>().unwrap().into_iter().enumerate() {
            let mut place = vec![0; shape.len()];
            for axis in (0..shape.len()).rev() {
                place[axis] = i % shape[axis];
                i /= shape[axis];
            }
            want[kept.iter().fold(0, |at, axis| at * shape[*axis] + place[*axis])] += v;
        }
        assert_eq!(got.to_vec::<i64>().unwrap(), want, "{shape:?} {axes:?}");
    }

    #[test]
    fn every_element_is_summed_once() {
        let shapes: [&[usize]; 9] =
            [&[], &[1], &[70_000], &[3, 40_000], &[1000, 7], &[2, 700, 3], &[2, 600, 130], &[3, 4, 5, 6], &[2, 1, 2500]];
        for shape in shapes {
            let n: usize = shape.iter().product();
            let a = Array::from_slice(&(0..n as i64).map(|i| i * 7919 % 1009 - 500).collect::<Vec<_>>(), shape).unwrap();
            for set in 0..1 << shape.len() {
                let axes: Vec<usize> = (0..shape.len()).filter(|i| set >> i & 1 == 1).collect();
                check(&a, &axes);
                if shape.len() > 1 {
                    let turned: Vec<isize> = (0..shape.len() as isize).rev().collect();
                    check(&a.permute(&turned).unwrap(), &axes);
                    check(&a.transpose(0, -1).unwrap(), &axes);
                }
            }
        }
        assert_eq!(Array::zeros(DType::F32, &[0, 3]).sum_axes(&[0]).to_vec::<f32>().unwrap(), [0.0; 3]);
        assert!(Array::zeros(DType::F32, &[3, 0]).mean_axes(&[1]).to_vec::<f32>().unwrap().iter().all(|v| v.is_nan()));
    }

    #[test]
    fn sums_of_every_axis_are_near_the_true_ones() {
        let n = 1 << 18;
        let values: Vec<f32> = (0..n).map(|i| 0.1 + (i * 7919 % 1009) as f32 * 1e-4).collect();
        for shape in [vec![n], vec![n / 64, 64], vec![64, n / 64], vec![n / 4, 4], vec![4, n / 16, 4], vec![8, n / 1024, 128]] {
            let a = Array::from_slice(&values, &shape).unwrap();
            for axis in 0..shape.len() {
                let (got, exact) =
                    (a.sum_axes(&[axis]).to_vec::<f32>().unwrap(), a.cast(DType::F64).sum_axes(&[axis]).to_vec::<f64>().unwrap());
                let bound = 2e-7 * (shape[axis] as f64).log2();
                for (got, exact) in got.iter().zip(exact) {
                    assert!((f64::from(*got) - exact).abs() <= bound * exact, "{shape:?} {axis}: {got}, not {exact}");
                }
            }
        }
    }
}
