//! Element-by-element walks over one, two or three arrays, in parallel pieces that do not depend on the thread count.

use super::shape::{PIECE, broadcast_shapes};
use super::storage::Array;
use super::tiles::{Operand, Scratch, straight, tile_and_piece};
use crate::dtype::Element;
use crate::error::Result;
use crate::memory;
use crate::parallel;

/// `f` of every element.
pub fn map<T: Element, U: Element>(a: &Array, f: impl Fn(T) -> U + Sync + Send) -> Array {
    map_pieces(a, &|from: &[T], to: &mut [U]| to.iter_mut().zip(from).for_each(|(o, x)| *o = f(*x)))
}

/// [`map`], compiled once for its types and not for every function.
pub(super) fn map_pieces<T: Element, U: Element>(a: &Array, f: &(dyn Fn(&[T], &mut [U]) + Sync)) -> Array {
    let a = a.as_contiguous();
    let source = a.read::<T>();
    Array::build(a.shape(), |out: &mut [U]| {
        parallel::for_each_piece(out, PIECE, |i, piece| f(&source[i * PIECE..i * PIECE + piece.len()], piece));
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
    zip_tiles(op, a, b, &|x: &[T], y: &[V], out: &mut [U]| {
        out.iter_mut().zip(x).zip(y).for_each(|((o, a), b)| *o = f(*a, *b));
    })
}

/// A function of the tiles of two operands that writes those of the result.
type OfTwo<'f, T, V, U> = dyn Fn(&[T], &[V], &mut [U]) + Sync + 'f;

/// [`zip`], compiled once for its types and not for every function.
fn zip_tiles<T: Element, V: Element, U: Element>(op: &'static str, a: &Array, b: &Array, f: &OfTwo<'_, T, V, U>) -> Result<Array> {
    let shape = broadcast_shapes(op, a.shape(), b.shape())?;
    let plain = straight(&[a, b]);
    let (x, y) = (Operand::<T>::new(&plain[0], &shape)?, Operand::<V>::new(&plain[1], &shape)?);
    let (tile, size) = tile_and_piece(&shape);
    Ok(Array::build(&shape, |out: &mut [U]| {
        parallel::for_each_piece(out, size, |i, piece| {
            let (mut p, mut q) = (Scratch::default(), Scratch::default());
            for (k, out) in piece.chunks_mut(tile).enumerate() {
                let (at, n) = (i * size + k * tile, out.len());
                f(x.tile(&mut p, at, n), y.tile(&mut q, at, n), out);
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
    zip3_tiles(op, [a, b, c], &|x: &[A], y: &[B], z: &[C], out: &mut [U]| {
        out.iter_mut().zip(x.iter().zip(y).zip(z)).for_each(|(o, ((a, b), c))| *o = f(*a, *b, *c));
    })
}

/// As [`OfTwo`], of three operands.
type OfThree<'f, A, B, C, U> = dyn Fn(&[A], &[B], &[C], &mut [U]) + Sync + 'f;

/// [`zip3`], compiled once for its types.
fn zip3_tiles<A: Element, B: Element, C: Element, U: Element>(
    op: &'static str,
    [a, b, c]: [&Array; 3],
    f: &OfThree<'_, A, B, C, U>,
) -> Result<Array> {
    let shape = broadcast_shapes(op, &broadcast_shapes(op, a.shape(), b.shape())?, c.shape())?;
    let plain = straight(&[a, b, c]);
    let (x, y) = (Operand::<A>::new(&plain[0], &shape)?, Operand::<B>::new(&plain[1], &shape)?);
    let z = Operand::<C>::new(&plain[2], &shape)?;
    let (tile, size) = tile_and_piece(&shape);
    Ok(Array::build(&shape, |out: &mut [U]| {
        parallel::for_each_piece(out, size, |i, piece| {
            let (mut p, mut q, mut r) = (Scratch::default(), Scratch::default(), Scratch::default());
            for (k, out) in piece.chunks_mut(tile).enumerate() {
                let (at, n) = (i * size + k * tile, out.len());
                f(x.tile(&mut p, at, n), y.tile(&mut q, at, n), z.tile(&mut r, at, n), out);
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
    let fresh = apart_from(target, source)?;
    let values = fresh.read::<T>();
    if target.is_contiguous() {
        update_pieces(target, &values, &|old: &mut [T], new: &[T]| old.iter_mut().zip(new).for_each(|(o, v)| *o = f(*o, *v)));
        return Ok(());
    }
    let mut out = target.write_storage::<T>();
    if let ([.., width], [.., 1]) = (target.shape(), target.strides()) {
        let rows = positions(&target.without_axis(target.ndim() - 1));
        for (first, values) in rows.into_iter().zip(values.chunks_exact((*width).max(1))) {
            out[first..first + width].iter_mut().zip(values).for_each(|(o, v)| *o = f(*o, *v));
        }
        return Ok(());
    }
    let positions = positions(target);
    for (position, v) in positions.into_iter().zip(values.iter()) {
        out[position] = f(out[position], *v);
    }
    Ok(())
}

/// `source` broadcast to the shape of `target`, contiguous and in other memory.
fn apart_from(target: &Array, source: &Array) -> Result<Array> {
    let fresh = source.broadcast_to(target.shape())?;
    Ok(if fresh.may_overlap(target) || !fresh.is_contiguous() { fresh.copy() } else { fresh })
}

/// Calls `f(elements, new)` for parallel pieces of a contiguous array.
fn update_pieces<T: Element>(target: &Array, values: &[T], f: &(dyn Fn(&mut [T], &[T]) + Sync)) {
    let mut out = target.write::<T>();
    parallel::for_each_piece(&mut out, PIECE, |i, piece| f(piece, &values[i * PIECE..i * PIECE + piece.len()]));
}

/// Position in the storage of every element, in row-major order.
pub fn positions(a: &Array) -> Vec<usize> {
    let mut out = memory::filled(a.offset(), a.numel());
    let mut span = out.len(); // elements of one step of the axis before
    for (len, stride) in a.shape().iter().zip(a.strides()) {
        span /= (*len).max(1);
        if *len > 1 && *stride != 0 {
            for (i, run) in out.chunks_mut(span.max(1)).enumerate() {
                let shift = (i % len) as isize * stride;
                run.iter_mut().for_each(|o| *o = o.wrapping_add_signed(shift));
            }
        }
    }
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
