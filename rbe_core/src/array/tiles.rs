//! Element-wise work tile by tile: what a tile needs of every operand lies together in the innermost cache.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::shape::{Dims, PIECE, Strides, join_one};
use super::storage::{Array, Read};
use super::transpose::copy_run;
use crate::dtype::Element;
use crate::error::Result;
use crate::memory;
use crate::parallel;

/// Most elements of a tile.
pub const TILE: usize = 1 << 10;
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
        let (mut outer, mut outer_strides) = join_one(shape, &a.broadcast_strides(shape)?);
        let (inner, step) = (outer.pop().unwrap_or(1), outer_strides.pop().unwrap_or(0));
        let still = outer_strides.iter().take_while(|s| **s == 0).count();
        let period = outer[still..].iter().product::<usize>() * if still == outer.len() && step == 0 { 1 } else { inner };
        Ok(Operand { data: a.read_storage::<T>(), offset: a.offset(), outer, outer_strides, inner, step, period })
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
                scratch.tile = memory::filled(self.data[self.offset], n);
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

/// Elements of a tile of work on `shape`, and of the parallel pieces into which whole tiles are put together.
pub(super) fn tile_and_piece(shape: &[usize]) -> (usize, usize) {
    let tile = tile_length(shape);
    (tile, (PIECE / tile).max(1) * tile)
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
                memory::push(&mut pieces, SmallVec::new());
            }
            pieces[i].push(piece);
        }
    }
    parallel::for_each_mut(&mut pieces, |i, outs| {
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
pub fn straight<'a>(arrays: &[&'a Array]) -> SmallVec<[Cow<'a, Array>; 3]> {
    let turned = |a: &Array| {
        let (_, strides) = join_one(a.shape(), a.strides());
        strides.last().is_some_and(|s| *s > 1 || *s < 0) && !strides.contains(&0)
    };
    arrays.iter().map(|a| if !a.is_contiguous() && turned(a) { Cow::Owned(a.copy()) } else { Cow::Borrowed(*a) }).collect()
}

/// `f` of the tiles of arrays of one type under broadcasting, with a state that those tiles share which are computed one after the
/// other. No tile is longer than [`TILE`].
///
/// # Errors
/// `Shape` if the shapes do not broadcast.
pub fn tiled_with<T: Element, S>(
    op: &'static str,
    arrays: &[&Array],
    state: impl Fn() -> S + Sync + Send,
    f: impl Fn(&mut S, &[&[T]], &mut [T]) + Sync + Send,
) -> Result<Array> {
    tiled(op, arrays, &|tiles: &mut Tiles<'_, T>| {
        let mut state = state();
        while let Some((x, out)) = tiles.next() {
            f(&mut state, &x, out);
        }
    })
}

/// Lets `f` go through the tiles of each parallel piece.
fn tiled<T: Element>(op: &'static str, arrays: &[&Array], f: &(dyn Fn(&mut Tiles<'_, T>) + Sync)) -> Result<Array> {
    let mut shape = Dims::from_slice(arrays[0].shape());
    for a in &arrays[1..] {
        shape = super::shape::broadcast_shapes(op, &shape, a.shape())?;
    }
    let arrays = straight(arrays);
    let operands = arrays.iter().map(|a| Operand::new(a, &shape)).collect::<Result<SmallVec<[Operand<'_, T>; 3]>>>()?;
    let (tile, size) = tile_and_piece(&shape);
    Ok(Array::build(&shape, |out: &mut [T]| {
        parallel::for_each_piece(out, size, |i, piece| {
            f(&mut Tiles { operands: &operands, scratches: scratches(operands.len()), start: i * size, tile, rest: piece });
        });
    }))
}

/// A tile of every operand and that of the result.
type Tile<'s, 'a, T> = (SmallVec<[&'s [T]; 4]>, &'a mut [T]);

/// The tiles of a piece that are still to be computed.
struct Tiles<'a, T> {
    operands: &'a [Operand<'a, T>],
    scratches: SmallVec<[Scratch<T>; 3]>,
    start: usize,
    tile: usize,
    rest: &'a mut [T],
}

impl<'a, T: Element> Tiles<'a, T> {
    fn next(&mut self) -> Option<Tile<'_, 'a, T>> {
        if self.rest.is_empty() {
            return None;
        }
        let n = self.tile.min(self.rest.len());
        let (out, rest) = std::mem::take(&mut self.rest).split_at_mut(n);
        let at = self.start;
        (self.start, self.rest) = (at + n, rest);
        Some((read_tiles(self.operands, &mut self.scratches, at, n), out))
    }
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
