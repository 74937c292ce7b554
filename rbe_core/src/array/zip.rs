//! Element-by-element walks over one, two or three arrays, in parallel pieces that do not depend on the thread count.

use super::shape::broadcast_shapes;
use super::storage::Array;
use super::tiles::{Operand, PIECE, Scratch, for_each_tile, straight, tile_length};
use crate::dtype::Element;
use crate::error::Result;
use crate::memory;
use crate::parallel;

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
    let plain = straight(&[a, b]);
    let (x, y) = (Operand::<T>::new(&plain[0], &shape)?, Operand::<V>::new(&plain[1], &shape)?);
    Ok(Array::build(&shape, |out: &mut [U]| {
        let state = || (Scratch::default(), Scratch::default());
        for_each_tile(vec![out], tile_length(&shape), state, |(p, q), at, outs| {
            let n = outs[0].len();
            let (x, y) = (x.tile(p, at, n), y.tile(q, at, n));
            outs[0].iter_mut().zip(x).zip(y).for_each(|((o, a), b)| *o = f(*a, *b));
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
    let plain = straight(&[a, b, c]);
    let (x, y) = (Operand::<A>::new(&plain[0], &shape)?, Operand::<B>::new(&plain[1], &shape)?);
    let z = Operand::<C>::new(&plain[2], &shape)?;
    Ok(Array::build(&shape, |out: &mut [U]| {
        let state = || (Scratch::default(), Scratch::default(), Scratch::default());
        for_each_tile(vec![out], tile_length(&shape), state, |(p, q, r), at, outs| {
            let n = outs[0].len();
            let triples = x.tile(p, at, n).iter().zip(y.tile(q, at, n)).zip(z.tile(r, at, n));
            outs[0].iter_mut().zip(triples).for_each(|(o, ((a, b), c))| *o = f(*a, *b, *c));
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
    let fresh = if fresh.may_overlap(target) || !fresh.is_contiguous() { fresh.copy() } else { fresh };
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
