//! Element-by-element walks over one, two or three arrays, in parallel pieces that do not depend on the thread count.

use smallvec::SmallVec;

use super::shape::{Dims, Strides, broadcast_shapes};
use super::storage::Array;
use crate::dtype::Element;
use crate::error::Result;
use crate::parallel;

/// Elements of one parallel piece.
const PIECE: usize = 1 << 14;

/// Copies a strided view of `source` into row-major `out`.
pub(super) fn copy_strided<T: Element>(source: &[T], offset: usize, strides: &[isize], shape: &[usize], out: &mut [T]) {
    let walk = Walk::new(shape, [strides]);
    walk.run(out, &[offset], |out, at, step| {
        let mut position = at[0] as isize;
        for o in out {
            *o = source[position as usize];
            position += step[0];
        }
    });
}

/// A row-major walk over `shape` in which operand `i` moves by `strides[i]`; neighbouring axes that all operands step
/// through evenly are joined, so that the innermost run is as long as it can be.
struct Walk<const N: usize> {
    outer: Dims,
    outer_strides: [Strides; N],
    inner: usize,
    inner_strides: [isize; N],
}

impl<const N: usize> Walk<N> {
    fn new(shape: &[usize], strides: [&[isize]; N]) -> Walk<N> {
        let mut dims = Dims::new();
        let mut steps: [Strides; N] = std::array::from_fn(|_| SmallVec::new());
        for (axis, len) in shape.iter().enumerate() {
            if *len == 1 {
                continue;
            }
            let joins = !dims.is_empty() && (0..N).all(|i| steps[i].last() == Some(&(strides[i][axis] * *len as isize)));
            if let (true, Some(last)) = (joins, dims.last_mut()) {
                *last *= len;
                (0..N).for_each(|i| {
                    if let Some(step) = steps[i].last_mut() {
                        *step = strides[i][axis];
                    }
                });
            } else {
                dims.push(*len);
                (0..N).for_each(|i| steps[i].push(strides[i][axis]));
            }
        }
        let inner = dims.pop().unwrap_or(1);
        let inner_strides = std::array::from_fn(|i| steps[i].pop().unwrap_or(0));
        Walk { outer: dims, outer_strides: steps, inner, inner_strides }
    }

    /// Calls `body(run of out, positions, strides)` for every innermost run, in parallel pieces of whole runs.
    fn run<T: Send>(&self, out: &mut [T], start: &[usize; N], body: impl Fn(&mut [T], [usize; N], [isize; N]) + Sync + Send) {
        if out.is_empty() {
            return;
        }
        if self.outer.is_empty() {
            // One run: pieces of it.
            parallel::for_each_piece(out, PIECE, |i, piece| {
                let at = std::array::from_fn(|k| (start[k] as isize + (i * PIECE) as isize * self.inner_strides[k]) as usize);
                body(piece, at, self.inner_strides);
            });
            return;
        }
        let runs = PIECE.div_ceil(self.inner);
        parallel::for_each_piece(out, runs * self.inner, |i, piece| {
            let mut index: Dims = SmallVec::from_elem(0, self.outer.len());
            let mut rest = i * runs;
            for (digit, len) in index.iter_mut().zip(&self.outer).rev() {
                *digit = rest % len;
                rest /= len;
            }
            let mut at: [isize; N] = std::array::from_fn(|k| {
                start[k] as isize + index.iter().zip(&self.outer_strides[k]).map(|(d, s)| *d as isize * s).sum::<isize>()
            });
            for run in piece.chunks_mut(self.inner) {
                body(run, at.map(|p| p as usize), self.inner_strides);
                for axis in (0..index.len()).rev() {
                    index[axis] += 1;
                    (0..N).for_each(|k| at[k] += self.outer_strides[k][axis]);
                    if index[axis] < self.outer[axis] {
                        break;
                    }
                    (0..N).for_each(|k| at[k] -= self.outer_strides[k][axis] * self.outer[axis] as isize);
                    index[axis] = 0;
                }
            }
        });
    }
}

/// `f` of every element.
pub fn map<T: Element, U: Element>(a: &Array, f: impl Fn(T) -> U + Sync + Send) -> Array {
    let a = a.as_contiguous();
    let source = a.read::<T>();
    Array::build(a.shape(), |out: &mut [U]| {
        parallel::for_each_piece(out, PIECE, |i, piece| {
            let from = &source[i * PIECE..i * PIECE + piece.len()];
            piece.iter_mut().zip(from).for_each(|(o, x)| *o = f(*x));
        });
    })
}

/// `f` of every pair, under broadcasting.
///
/// # Errors
/// `Shape` if the shapes do not broadcast.
pub fn zip<T: Element, V: Element, U: Element>(
    op: &'static str,
    a: &Array,
    b: &Array,
    f: impl Fn(T, V) -> U + Sync + Send,
) -> Result<Array> {
    let shape = broadcast_shapes(op, a.shape(), b.shape())?;
    let (wide_a, wide_b) = (a.broadcast_to(&shape)?, b.broadcast_to(&shape)?);
    let (x, y) = (wide_a.read_storage::<T>(), wide_b.read_storage::<V>());
    let walk = Walk::new(&shape, [wide_a.strides(), wide_b.strides()]);
    Ok(Array::build(&shape, |out: &mut [U]| {
        walk.run(out, &[wide_a.offset(), wide_b.offset()], |out, [p, q], step| match step {
            [1, 1] => out.iter_mut().zip(&x[p..]).zip(&y[q..]).for_each(|((o, a), b)| *o = f(*a, *b)),
            [1, 0] => {
                let b = y[q];
                out.iter_mut().zip(&x[p..]).for_each(|(o, a)| *o = f(*a, b));
            }
            [0, 1] => {
                let a = x[p];
                out.iter_mut().zip(&y[q..]).for_each(|(o, b)| *o = f(a, *b));
            }
            [s, t] => {
                let (mut p, mut q) = (p as isize, q as isize);
                for o in out {
                    *o = f(x[p as usize], y[q as usize]);
                    p += s;
                    q += t;
                }
            }
        });
    }))
}

/// `f` of every triple, under broadcasting.
///
/// # Errors
/// `Shape` if the shapes do not broadcast.
pub fn zip3<A: Element, B: Element, C: Element, U: Element>(
    op: &'static str,
    a: &Array,
    b: &Array,
    c: &Array,
    f: impl Fn(A, B, C) -> U + Sync + Send,
) -> Result<Array> {
    let shape = broadcast_shapes(op, &broadcast_shapes(op, a.shape(), b.shape())?, c.shape())?;
    let wide = [a.broadcast_to(&shape)?, b.broadcast_to(&shape)?, c.broadcast_to(&shape)?];
    let (x, y, z) = (wide[0].read_storage::<A>(), wide[1].read_storage::<B>(), wide[2].read_storage::<C>());
    let walk = Walk::new(&shape, [wide[0].strides(), wide[1].strides(), wide[2].strides()]);
    Ok(Array::build(&shape, |out: &mut [U]| {
        walk.run(out, &[wide[0].offset(), wide[1].offset(), wide[2].offset()], |out, at, step| {
            if step == [1, 1, 1] {
                let triples = x[at[0]..].iter().zip(&y[at[1]..]).zip(&z[at[2]..]);
                out.iter_mut().zip(triples).for_each(|(o, ((a, b), c))| *o = f(*a, *b, *c));
                return;
            }
            let mut at = at.map(|p| p as isize);
            for o in out {
                *o = f(x[at[0] as usize], y[at[1] as usize], z[at[2] as usize]);
                (0..3).for_each(|k| at[k] += step[k]);
            }
        });
    }))
}

/// Writes `f(old, new)` of every element into `target`, whose memory may be shared; `source` broadcasts to it.
///
/// # Errors
/// `Shape` if `source` does not broadcast to `target`.
pub fn map_into<T: Element>(target: &Array, source: &Array, f: impl Fn(T, T) -> T + Sync + Send) -> Result<()> {
    // The source is read before the target is locked, so that they may overlap.
    let fresh = source.broadcast_to(target.shape())?;
    let fresh = if fresh.same_storage(target) || !fresh.is_contiguous() { fresh.copy() } else { fresh };
    let values = fresh.read::<T>();
    if target.is_contiguous() {
        let mut out = target.write::<T>();
        parallel::for_each_piece(&mut out, PIECE, |i, piece| {
            piece.iter_mut().zip(&values[i * PIECE..]).for_each(|(o, v)| *o = f(*o, *v));
        });
        return Ok(());
    }
    let positions = positions(target);
    let mut out = target.write_storage::<T>();
    for (position, v) in positions.into_iter().zip(values.iter()) {
        out[position] = f(out[position], *v);
    }
    Ok(())
}

/// Position in the storage of every element, in row-major order.
pub fn positions(a: &Array) -> Vec<usize> {
    let mut out = vec![0usize; a.numel()];
    Walk::new(a.shape(), [a.strides()]).run(&mut out, &[a.offset()], |run, at, step| {
        for (i, o) in run.iter_mut().enumerate() {
            *o = (at[0] as isize + i as isize * step[0]) as usize;
        }
    });
    out
}

/// Calls `body(row, out row)` for every row of `width` elements of a contiguous array, in parallel pieces.
pub fn fold_rows<T: Element, U: Element>(
    a: &[T],
    width: usize,
    out: &mut [U],
    out_width: usize,
    body: impl Fn(&[T], &mut [U]) + Sync + Send,
) {
    let rows = PIECE.div_ceil(width.max(1));
    parallel::for_each_piece(out, rows * out_width, |i, piece| {
        for (r, o) in piece.chunks_mut(out_width).enumerate() {
            let start = (i * rows + r) * width;
            body(&a[start..start + width], o);
        }
    });
}
