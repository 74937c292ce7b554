//! Row-major copies of strided views.

use super::shape::{Dims, PIECE, contiguous_strides, join_one};
use crate::dtype::Element;
use crate::kernel::dense::elementwise::fill;
use crate::kernel::dense::stream::{LARGE, LINE, Streaming};
use crate::parallel;

/// Side of the squares that are turned in the innermost cache: a cache line of f32.
const SIDE: usize = 16;
/// Rows of a band of squares: neighbouring lines of the source are read one after the other.
const BAND: usize = 4 * SIDE;

/// Copies a strided view of `source` into row-major `out`.
pub(super) fn copy_strided<T: Element>(source: &[T], offset: usize, strides: &[isize], shape: &[usize], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let (mut dims, mut strides) = join_one(shape, strides);
    if dims.is_empty() {
        dims.push(1);
        strides.push(1);
    }
    let last = dims.len() - 1;
    // Neighbours of the source lie along axis `along`; it and the last axis are walked in squares.
    // Along a last axis of one number there is nothing to turn.
    let along = if strides[last] == 0 { last } else { strides.iter().position(|s| *s == 1).unwrap_or(last) };
    let unit: usize = dims[1..].iter().product(); // elements of a step of the first axis
    let steps = if along == 0 { PIECE.div_ceil(unit).next_multiple_of(BAND) } else { PIECE.div_ceil(unit) };
    let places = contiguous_strides(&dims);
    // Squares that begin within a cache line would be written in halves of lines.
    let whole = out.as_ptr().addr().is_multiple_of(LINE) && (places[along] as usize * size_of::<T>()).is_multiple_of(LINE);
    let large = whole && size_of_val(out) >= LARGE;
    parallel::for_each_piece(out, steps * unit, |i, piece| {
        let non_temporal = large.then(Streaming::new);
        let mut part = dims.clone();
        part[0] = piece.len() / unit;
        let from = offset as isize + (i * steps) as isize * strides[0];
        let others: Dims = (0..last).filter(|axis| *axis != along).collect();
        let count: usize = others.iter().map(|axis| part[*axis]).product();
        for n in 0..count {
            let (mut rest, mut at, mut to) = (n, from, 0);
            for axis in others.iter().rev() {
                let index = (rest % part[*axis]) as isize;
                rest /= part[*axis];
                at += index * strides[*axis];
                to += (index * places[*axis]) as usize;
            }
            if along == last {
                copy_run(source, at, strides[last], &mut piece[to..to + part[last]]);
            } else {
                let columns = ColumnMajor { data: source, at, step: strides[last] };
                let rows = RowMajor { data: &mut piece[to..], width: places[along] as usize };
                turn(columns, rows, [part[along], part[last]], non_temporal.as_ref());
            }
        }
    });
}

/// Copies the run of `source` that begins at `at`.
pub(super) fn copy_run<T: Element>(source: &[T], at: isize, step: isize, out: &mut [T]) {
    match step {
        0 => fill(source[at as usize], out),
        1 => out.copy_from_slice(&source[at as usize..at as usize + out.len()]),
        _ => out.iter_mut().enumerate().for_each(|(i, o)| *o = source[(at + i as isize * step) as usize]),
    }
}

/// What is read, a column after the other in memory: the element of row `r` and column `c` is `data[at + r + c * step]`.
#[derive(Clone, Copy)]
struct ColumnMajor<'a, T> {
    data: &'a [T],
    at: isize,
    step: isize,
}

/// What is written, a row after the other in memory: the element of row `r` and column `c` is `data[r * width + c]`.
struct RowMajor<'a, T> {
    data: &'a mut [T],
    width: usize,
}

/// Copies a matrix of `rows` and `cols`.
fn turn<T: Element>(from: ColumnMajor<'_, T>, to: RowMajor<'_, T>, [rows, cols]: [usize; 2], non_temporal: Option<&Streaming>) {
    for (r, c) in squares(rows, cols) {
        let corner = ColumnMajor { at: from.at + r as isize + c as isize * from.step, ..from };
        let place = RowMajor { data: &mut to.data[r * to.width + c..], width: to.width };
        match (SIDE.min(rows - r), SIDE.min(cols - c), non_temporal) {
            // Lengths that the compiler knows: copies in registers, not calls.
            (SIDE, SIDE, Some(streaming)) => {
                let mut turned = [[from.data[from.at as usize]; SIDE]; SIDE];
                turn_square(corner, RowMajor { data: turned.as_flattened_mut(), width: SIDE }, [SIDE, SIDE]);
                for (line, to) in turned.iter().zip(place.data.chunks_mut(place.width)) {
                    streaming.copy(line, &mut to[..SIDE]);
                }
            }
            (SIDE, SIDE, None) => turn_square(corner, place, [SIDE, SIDE]),
            (height, breadth, _) => turn_square(corner, place, [height, breadth]),
        }
    }
}

/// As [`turn`], for at most [`SIDE`] rows and columns.
#[inline(always)]
fn turn_square<T: Element>(from: ColumnMajor<'_, T>, to: RowMajor<'_, T>, [rows, cols]: [usize; 2]) {
    let mut square = [[from.data[from.at as usize]; SIDE]; SIDE];
    for (k, line) in square[..cols].iter_mut().enumerate() {
        let start = (from.at + k as isize * from.step) as usize;
        line[..rows].copy_from_slice(&from.data[start..start + rows]);
    }
    for i in 0..rows {
        let to = &mut to.data[i * to.width..i * to.width + cols];
        for (o, line) in to.iter_mut().zip(&square) {
            *o = line[i];
        }
    }
}

/// Corners of the squares of a matrix, band by band.
fn squares(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    let bands = (0..rows).step_by(BAND).flat_map(move |band| (0..cols).step_by(SIDE).map(move |c| (band, c)));
    bands.flat_map(move |(band, c)| (band..rows.min(band + BAND)).step_by(SIDE).map(move |r| (r, c)))
}

#[cfg(test)]
mod tests {
    use crate::array::Array;

    #[test]
    fn copies_agree_with_indexing() {
        let orders: [&[isize]; 6] = [&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]];
        for shape in [[3, 5, 7], [1, 40, 33], [70, 1, 600], [2, 130, 257], [17, 16, 16]] {
            let n = shape.iter().product::<usize>();
            let a = Array::from_slice(&(0..n as i64).collect::<Vec<_>>(), &shape).unwrap();
            for order in orders {
                let turned = a.permute(order).unwrap();
                let found = turned.copy().to_vec::<i64>().unwrap();
                let want: Vec<i64> = crate::array::positions(&turned).into_iter().map(|p| p as i64).collect();
                assert_eq!(found, want, "{shape:?} {order:?}");
                let wide = turned.unsqueeze(1).broadcast_to(&[turned.shape()[0], 3, turned.shape()[1], turned.shape()[2]]).unwrap();
                assert_eq!(
                    wide.copy().to_vec::<i64>().unwrap(),
                    crate::array::positions(&wide).into_iter().map(|p| p as i64).collect::<Vec<_>>()
                );
            }
        }
    }
}
