//! Element-wise work tile by tile: what a tile needs of every operand lies together in the innermost cache.

use smallvec::SmallVec;

use super::shape::{Dims, Strides};
use super::storage::{Array, Read};
use super::transpose::copy_run;
use crate::dtype::Element;
use crate::error::Result;
use crate::kernel::each::RUN;
use crate::kernel::stream::{LARGE, Stream};
use crate::parallel;

/// Most elements of a tile.
pub const TILE: usize = 1 << 10;
/// Elements of one parallel piece, about.
pub(super) const PIECE: usize = 1 << 14;

/// Axes of `shape`, of those stepped through evenly one, none of length 1; in every set of strides.
pub(super) fn join<const N: usize>(shape: &[usize], strides: [&[isize]; N]) -> (Dims, [Strides; N]) {
    let mut dims = Dims::new();
    let mut steps: [Strides; N] = std::array::from_fn(|_| Strides::new());
    for (axis, len) in shape.iter().enumerate().filter(|(_, len)| **len != 1) {
        let joins = !dims.is_empty() && (0..N).all(|i| steps[i].last() == Some(&(strides[i][axis] * *len as isize)));
        if joins {
            dims.last_mut().into_iter().for_each(|last| *last *= len);
            steps.iter_mut().for_each(|s| _ = s.pop());
        } else {
            dims.push(*len);
        }
        (0..N).for_each(|i| steps[i].push(strides[i][axis]));
    }
    (dims, steps)
}

/// An array broadcast to a shape, to read in tiles.
pub struct Operand<'a, T> {
    data: Read<'a, T>,
    offset: usize,
    outer: Dims,
    outer_strides: Strides,
    inner: usize,
    step: isize,
    period: usize, // after so many elements it repeats
}

/// The memory of a tile that does not lie together in its operand.
pub struct Scratch<T> {
    tile: Vec<T>,
    phase: usize, // of the elements held
    held: usize,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Scratch { tile: Vec::new(), phase: usize::MAX, held: 0 }
    }
}

impl<'a, T: Element> Operand<'a, T> {
    /// Reads `a` as if it had `shape`.
    ///
    /// # Errors
    /// `Shape` if it does not broadcast to it.
    pub fn new(a: &'a Array, shape: &[usize]) -> Result<Operand<'a, T>> {
        let wide = a.broadcast_to(shape)?;
        let (mut outer, [mut outer_strides]) = join(shape, [wide.strides()]);
        let (inner, step) = (outer.pop().unwrap_or(1), outer_strides.pop().unwrap_or(0));
        let still = outer_strides.iter().take_while(|s| **s == 0).count();
        let period = outer[still..].iter().product::<usize>() * if still == outer.len() && step == 0 { 1 } else { inner };
        Ok(Operand { data: a.read_storage::<T>(), offset: a.offset(), outer, outer_strides, inner, step, period })
    }

    /// Whether its elements lie together.
    fn is_even(&self) -> bool {
        self.step == 1 && self.outer.is_empty()
    }

    /// A run of [`RUN`] elements of the number that it is at `start`.
    fn repeated<'s>(&self, scratch: &'s mut Scratch<T>, start: usize) -> &'s [T] {
        let run = start / self.inner;
        if scratch.phase != run {
            let (at, _) = self.locate(start);
            scratch.tile.clear();
            scratch.tile.resize(RUN, self.data[at as usize]);
            scratch.phase = run;
        }
        &scratch.tile
    }

    /// Position in the storage of an element, and how many it is from the beginning of its innermost run.
    fn locate(&self, element: usize) -> (isize, usize) {
        let (mut run, within) = (element / self.inner, element % self.inner);
        let mut at = self.offset as isize + within as isize * self.step;
        let Some((_, first)) = self.outer_strides.split_first() else { return (at, within) };
        for (len, stride) in self.outer[1..].iter().zip(first).rev() {
            at += (run % len) as isize * stride;
            run /= len;
        }
        (at + run as isize * self.outer_strides[0], within) // no division for the outermost axis
    }

    /// The `n` elements from `start` on.
    pub fn tile<'s>(&'s self, scratch: &'s mut Scratch<T>, start: usize, n: usize) -> &'s [T] {
        if self.step == 1 {
            let (at, within) = if self.outer.is_empty() { (self.offset as isize + start as isize, start) } else { self.locate(start) };
            if within + n <= self.inner {
                return &self.data[at as usize..at as usize + n];
            }
        }
        let phase = start % self.period;
        if scratch.phase != phase || scratch.held < n {
            if scratch.tile.len() < n {
                scratch.tile.resize(n, self.data[self.offset]);
            }
            let mut done = 0;
            while done < n {
                let (at, within) = self.locate(start + done);
                let run = (self.inner - within).min(n - done);
                copy_run(&self.data, at, self.step, &mut scratch.tile[done..done + run]);
                done += run;
            }
            (scratch.phase, scratch.held) = (phase, n);
        }
        &scratch.tile[..n]
    }
}

/// Elements of a tile of work on `shape`: whole rows or whole parts of one, where they fit.
pub fn tile_length(shape: &[usize]) -> usize {
    let row = shape.last().copied().unwrap_or(1).max(1);
    let parts = row.div_ceil(TILE);
    if row <= TILE {
        TILE / row * row
    } else if row.is_multiple_of(parts) {
        row / parts
    } else {
        TILE
    }
}

/// Calls `body(state, position, tiles)` for the tiles of `outs`, which have one length, in parallel pieces of which each has
/// a state of its own.
pub fn for_each_tile<U: Send, S>(
    outs: Vec<&mut [U]>,
    tile: usize,
    state: impl Fn() -> S + Sync + Send,
    body: impl Fn(&mut S, usize, &mut [&mut [U]]) + Sync + Send,
) {
    let size = (PIECE / tile).max(1) * tile;
    let mut pieces: Vec<SmallVec<[&mut [U]; 1]>> = Vec::new();
    for out in outs {
        for (i, piece) in out.chunks_mut(size).enumerate() {
            if i == pieces.len() {
                pieces.push(SmallVec::new());
            }
            pieces[i].push(piece);
        }
    }
    parallel::map_mut(&mut pieces, |i, outs| {
        let mut state = state();
        let length = outs[0].len();
        for start in (0..length).step_by(tile) {
            let end = length.min(start + tile);
            let mut tiles: SmallVec<[&mut [U]; 1]> = outs.iter_mut().map(|out| &mut out[start..end]).collect();
            body(&mut state, i * size + start, &mut tiles);
        }
    });
}

/// Arrays in which tiles lie together or repeat: a copy of one that runs against its memory.
pub fn straight(arrays: &[&Array]) -> SmallVec<[Array; 3]> {
    let turned = |a: &Array| {
        let (_, [strides]) = join(a.shape(), [a.strides()]);
        strides.last().is_some_and(|s| *s > 1 || *s < 0) && !strides.contains(&0)
    };
    arrays.iter().map(|a| if turned(a) { a.copy() } else { (*a).clone() }).collect()
}

/// What the time of an element-wise function is that of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Reading and writing memory: large results are written past the caches.
    Memory,
    /// Working out values, beside which writes go on.
    Arithmetic,
}

/// `f` of the tiles of arrays of one type under broadcasting.
///
/// # Errors
/// `Shape` if the shapes do not broadcast.
pub fn tiled<T: Element>(op: &'static str, arrays: &[&Array], bound: Bound, f: impl Fn(&[&[T]], &mut [T]) + Sync + Send) -> Result<Array> {
    tiled_up_to(PIECE, false, op, arrays, bound, || (), |(), x, out| f(x, out))
}

/// As [`tiled`], for an `f` that knows of arrays which are one number over the whole of a long tile: it is given `RUN` elements of
/// them, as `each!` takes them.
///
/// # Errors
/// As [`tiled`].
pub fn tiled_in_runs<T: Element>(
    op: &'static str,
    arrays: &[&Array],
    bound: Bound,
    f: impl Fn(&[&[T]], &mut [T]) + Sync + Send,
) -> Result<Array> {
    tiled_up_to(PIECE, true, op, arrays, bound, || (), |(), x, out| f(x, out))
}

/// As [`tiled`], where `f` is given a state that those tiles share which are computed one after the other, and no tile is longer
/// than [`TILE`].
///
/// # Errors
/// As [`tiled`].
pub fn tiled_with<T: Element, S>(
    op: &'static str,
    arrays: &[&Array],
    state: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, &[&[T]], &mut [T]) + Sync + Send,
) -> Result<Array> {
    tiled_up_to(TILE, false, op, arrays, Bound::Arithmetic, state, f)
}

/// Tiles are `even` elements long where those of every array lie together, or with `in_runs` are one number.
fn tiled_up_to<T: Element, S>(
    even: usize,
    in_runs: bool,
    op: &'static str,
    arrays: &[&Array],
    bound: Bound,
    state: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, &[&[T]], &mut [T]) + Sync + Send,
) -> Result<Array> {
    let mut shape = Dims::from_slice(arrays[0].shape());
    for a in &arrays[1..] {
        shape = super::shape::broadcast_shapes(op, &shape, a.shape())?;
    }
    let arrays = straight(arrays);
    let operands = arrays.iter().map(|a| Operand::new(a, &shape)).collect::<Result<SmallVec<[Operand<'_, T>; 3]>>>()?;
    Ok(Array::build(&shape, |out: &mut [T]| {
        let past_caches = bound == Bound::Memory && size_of_val(out) >= LARGE;
        let most = if past_caches { TILE } else { even };
        let all_even = operands.iter().all(Operand::is_even);
        let run = if in_runs && !all_even { run_length(&operands, most) } else { None };
        let tile = match run {
            _ if all_even => most,
            Some(run) => most.max(run) / run * run,
            None => tile_length(&shape),
        };
        let room = || (state(), scratches(operands.len()), past_caches.then(|| Stream::new(tile)));
        for_each_tile(vec![out], tile, room, |(state, scratches, stream), at, outs| {
            for (i, out) in outs[0].chunks_mut(run.unwrap_or(tile)).enumerate() {
                let (at, n) = (at + i * run.unwrap_or(tile), out.len());
                let x = if run.is_some() && n > RUN {
                    let of = |(o, scratch)| if Operand::is_even(o) { o.tile(scratch, at, n) } else { o.repeated(scratch, at) };
                    operands.iter().zip(scratches.iter_mut()).map(of).collect()
                } else {
                    read_tiles(&operands, scratches, at, n)
                };
                match stream {
                    Some(stream) => stream.write(&x, out, |tile| f(state, &x, tile)),
                    None => f(state, &x, out),
                }
            }
        });
    }))
}

/// Elements of tiles, `most` at the most, over each of which every operand lies together or is one number; if they are worth it.
fn run_length<T: Element>(operands: &[Operand<'_, T>], most: usize) -> Option<usize> {
    let mut runs = operands.iter().filter(|o| o.step == 0 && !o.outer.is_empty()).map(|o| o.inner);
    let run = runs.next().unwrap_or(most);
    let tile = run / run.div_ceil(most).max(1);
    let simple = operands.iter().all(|o| o.is_even() || o.step == 0) && runs.all(|other| other == run);
    (simple && tile >= 2 * RUN && run.is_multiple_of(tile)).then_some(tile)
}

/// Room for a tile of each operand.
pub fn scratches<T>(operands: usize) -> SmallVec<[Scratch<T>; 3]> {
    (0..operands).map(|_| Scratch::default()).collect()
}

/// The `n` elements from `start` on of every operand.
pub fn read_tiles<'s, T: Element>(
    operands: &'s [Operand<'_, T>],
    scratches: &'s mut [Scratch<T>],
    start: usize,
    n: usize,
) -> SmallVec<[&'s [T]; 4]> {
    operands.iter().zip(scratches).map(|(operand, scratch)| operand.tile(scratch, start, n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::each::each;

    fn numbers(shape: &[usize]) -> Array {
        let n: usize = shape.iter().product();
        Array::from_slice(&(0..n).map(|i| (i * 7919 % 1009) as f32).collect::<Vec<_>>(), shape).unwrap()
    }

    #[test]
    fn one_number_for_a_run_is_that_number() {
        // Rows shorter and longer than a tile and a piece, and some that no tile divides; one that is written past the caches.
        for (rows, width) in [(1, 1), (3, 64), (5, 65), (40, 130), (9, 512), (3, 1500), (2, 4099), (2, PIECE), (3, 20_000), (8192, 512)] {
            let x = numbers(&[rows, width]);
            for other in [&[][..], &[1, 1], &[rows, 1], &[width], &[rows, width]] {
                let y = numbers(other);
                let want: Vec<f32> = {
                    let (x, wide) = (x.to_vec::<f32>().unwrap(), y.broadcast_to(&[rows, width]).unwrap().to_vec::<f32>().unwrap());
                    x.iter().zip(wide).map(|(x, y)| x - y).collect()
                };
                let got = tiled_in_runs("test", &[&x, &y], Bound::Memory, |x: &[&[f32]], out| each!(a in x[0], b in x[1] => out, a - b));
                assert!(got.unwrap().to_vec::<f32>().unwrap() == want, "{rows} {width} {other:?}");
            }
        }
    }
}
