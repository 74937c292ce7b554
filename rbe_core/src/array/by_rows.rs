//! Element-wise work row by row: what is one number along rows, or one row for all, is read where it lies.

use smallvec::SmallVec;

use super::shape::{Dims, PIECE, Strides, broadcast_shapes, join};
use super::storage::{Array, Read};
use super::tiles::{straight, tiled_with};
use crate::dtype::Element;
use crate::error::Result;
use crate::kernel::dense::elementwise::{OutputRows, RUN, StridedRows};
use crate::kernel::dense::stream::{LARGE, Streaming};
use crate::parallel;

/// What bounds the time of an element-wise function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Reading and writing memory: large results use non-temporal stores.
    Memory,
    /// Working out values, beside which writes go on.
    Arithmetic,
}

/// An array broadcast to a shape, to read in rows: the last axis of those that [`join`] leaves.
struct Rows<'a, T> {
    data: Read<'a, T>,
    offset: usize,
    strides: Strides, // none negative
}

impl<T: Element> Rows<'_, T> {
    /// What begins at a row and a column.
    fn at(&self, dims: &[usize], mut row: usize, column: usize) -> StridedRows<'_, T> {
        let Some((across, outer)) = self.strides.split_last() else {
            return StridedRows { data: &self.data[self.offset..], down: 0, across: 0 };
        };
        let mut at = self.offset + column * *across as usize;
        for (len, stride) in dims.iter().zip(outer).rev() {
            at += row % len * *stride as usize;
            row /= len;
        }
        StridedRows { data: &self.data[at..], down: outer.last().map_or(0, |down| *down as usize), across: *across as usize }
    }
}

/// `f` of the rows of arrays of one type under broadcasting.
///
/// # Errors
/// `Shape` if the shapes do not broadcast.
pub(crate) fn by_rows<T: Element>(
    op: &'static str,
    arrays: &[&Array],
    bound: Bound,
    f: impl Fn(&[StridedRows<'_, T>], &mut OutputRows<'_, T>) + Sync + Send,
) -> Result<Array> {
    walk(op, arrays, bound, &f)
}

/// A function of the rows of operands that writes those of the result.
type OfRows<'f, T> = dyn Fn(&[StridedRows<'_, T>], &mut OutputRows<'_, T>) + Sync + 'f;

/// [`by_rows`], compiled once for a type and not for every function.
fn walk<T: Element>(op: &'static str, arrays: &[&Array], bound: Bound, f: &OfRows<'_, T>) -> Result<Array> {
    let mut shape = Dims::from_slice(arrays[0].shape());
    for a in &arrays[1..] {
        shape = broadcast_shapes(op, &shape, a.shape())?;
    }
    if arrays.iter().all(|a| a.shape() == &*shape && a.is_contiguous()) {
        let one_row = [shape.iter().product()]; // as `join` finds
        let operands = arrays.iter().map(|a| Rows { data: a.read_storage::<T>(), offset: a.offset(), strides: Strides::from_slice(&[1]) });
        return Ok(fill(&shape, &one_row, &operands.collect::<SmallVec<[_; 3]>>(), bound, f));
    }
    let arrays = straight(arrays);
    let strides = arrays.iter().map(|a| a.broadcast_strides(&shape)).collect::<Result<SmallVec<[Strides; 3]>>>()?;
    let (dims, strides) = join(&shape, &strides.iter().map(|s| &**s).collect::<SmallVec<[&[isize]; 3]>>());
    let width = dims.last().copied().unwrap_or(1);
    let plain = strides.iter().all(|s| s.last().is_none_or(|across| *across <= 1) && s.iter().all(|stride| *stride >= 0));
    let large = is_large::<T>(&shape, bound);
    if !plain || dims.len() > 1 && width < RUN {
        let arrays: SmallVec<[&Array; 3]> = arrays.iter().map(|a| &**a).collect();
        return tiled_with(
            op,
            &arrays,
            || large.then(Streaming::new),
            |non_temporal, x, out| {
                let x: SmallVec<[StridedRows<'_, T>; 4]> = x.iter().map(|x| StridedRows::row(x)).collect();
                f(&x, &mut OutputRows { non_temporal: non_temporal.as_ref(), ..OutputRows::row(out) });
            },
        );
    }
    let operands = arrays.iter().zip(strides).map(|(a, strides)| Rows { data: a.read_storage::<T>(), offset: a.offset(), strides });
    let operands: SmallVec<[Rows<'_, T>; 3]> = operands.collect();
    Ok(fill(&shape, &dims, &operands, bound, f))
}

fn is_large<T>(shape: &[usize], bound: Bound) -> bool {
    bound == Bound::Memory && shape.iter().product::<usize>() * size_of::<T>() >= LARGE
}

/// The array of `shape` that `f` makes of rows; `dims` are its axes, joined.
fn fill<T: Element>(shape: &[usize], dims: &[usize], operands: &[Rows<'_, T>], bound: Bound, f: &OfRows<'_, T>) -> Array {
    let (outer, width) = (&dims[..dims.len().saturating_sub(1)], dims.last().copied().unwrap_or(1));
    let block = outer.last().copied().unwrap_or(1); // rows an even step apart
    let large = is_large::<T>(shape, bound);
    Array::build(shape, |out: &mut [T]| {
        let size = if width <= PIECE && !outer.is_empty() { PIECE / width * width } else { PIECE };
        parallel::for_each_piece(out, size, |i, piece| {
            let non_temporal = large.then(Streaming::new);
            let (mut at, mut rest) = (i * size, piece);
            while !rest.is_empty() {
                let (row, column) = (at / width, at % width);
                let rows = if column == 0 { (rest.len() / width).min(block - row % block) } else { 0 };
                let breadth = if rows > 0 { width } else { (width - column).min(rest.len()) };
                let (rows, others) = rest.split_at_mut(breadth * rows.max(1));
                at += rows.len();
                let x: SmallVec<[StridedRows<'_, T>; 4]> = operands.iter().map(|o| o.at(outer, row, column)).collect();
                f(&x, &mut OutputRows { rows, width: breadth, non_temporal: non_temporal.as_ref() });
                rest = others;
            }
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dense::elementwise::each;

    fn numbers(shape: &[usize]) -> Array {
        let n: usize = shape.iter().product();
        Array::from_slice(&(0..n).map(|i| (i * 7919 % 1009) as f32).collect::<Vec<_>>(), shape).unwrap()
    }

    fn check(x: &Array, y: &Array) {
        let shape = broadcast_shapes("test", x.shape(), y.shape()).unwrap();
        let [a, b] = [x, y].map(|a| a.broadcast_to(&shape).unwrap().to_vec::<f32>().unwrap());
        let got = by_rows("test", &[x, y], Bound::Memory, |x: &[StridedRows<'_, f32>], out| each!(rows a in x[0], b in x[1] => out, a - b));
        let same = got.unwrap().to_vec::<f32>().unwrap().iter().zip(a.iter().zip(b)).all(|(o, (a, b))| *o == a - b);
        assert!(same, "{:?} {:?}, {:?} {:?}", x.shape(), x.strides(), y.shape(), y.strides());
    }

    #[test]
    fn every_element_finds_its_partners() {
        // Rows narrower than a run, longer than a piece, and some that no piece divides; one result with non-temporal stores.
        for (rows, width) in [(1, 1), (3, 64), (5, 65), (40, 130), (9, 512), (3, 1500), (2, 4099), (2, PIECE), (3, 20_000), (8192, 512)] {
            let x = numbers(&[rows, width]);
            for other in [&[][..], &[1, 1], &[rows, 1], &[width], &[rows, width]] {
                check(&x, &numbers(other));
            }
        }
        for axes in [[0, 1, 2, 3], [1, 0, 2, 3], [0, 2, 1, 3], [3, 1, 2, 0]] {
            let x = numbers(&[3, 4, 70, 80]).permute(&axes).unwrap();
            let shape = x.shape();
            for keep in 0..16 {
                let other: Dims = (0..4).map(|axis| if keep >> axis & 1 == 1 { shape[axis] } else { 1 }).collect();
                check(&x, &numbers(&other));
            }
        }
    }
}
