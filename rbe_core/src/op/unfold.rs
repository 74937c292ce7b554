//! Windows as rows of a matrix (im2col), and back.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use super::window::{Windows, check_size};
use crate::array::Array;
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

/// The windows of one sample (channels, height, width) as rows (windows, channels · kernel).
pub(super) struct Columns {
    windows: Windows,
    channels: usize,
    size: [usize; 2],
    padded: [usize; 2],
    pub counts: [usize; 2], // windows along each axis
    runs: Vec<usize>,       // start, in the padded sample, of every kernel row of every channel
}

impl Columns {
    pub fn new(op: &'static str, windows: &Windows, channels: usize, size: [usize; 2]) -> Result<Columns> {
        let counts = windows.counts(op, size, false)?;
        let slides = &windows.slides;
        let padded = [0, 1].map(|a| size[a] + slides[a].padding.0 + slides[a].padding.1);
        check_size(op, &[channels, padded[0], padded[1]])?;
        check_size(op, &[counts[0], counts[1], channels, slides[0].kernel, slides[1].kernel])?;
        let start = |i: usize| (i / slides[0].kernel * padded[0] + i % slides[0].kernel * slides[0].dilation) * padded[1];
        let runs = memory::collect((0..channels * slides[0].kernel).map(start));
        Ok(Columns { windows: windows.clone(), channels, size, padded, counts, runs })
    }

    /// Rows: windows of a sample.
    pub fn rows(&self) -> usize {
        self.counts[0] * self.counts[1]
    }

    /// Columns: elements of a window, in the order (channel, height, width).
    pub fn cols(&self) -> usize {
        self.runs.len() * self.windows.slides[1].kernel
    }

    /// Elements of a sample.
    pub fn sample(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Elements of the scratch that [`Columns::unfold`] and [`Columns::fold`] want.
    pub fn scratch(&self) -> usize {
        self.channels * self.padded[0] * self.padded[1]
    }

    /// Calls `body(row of the padded sample, row of the sample)` with the starts and the length of matching runs.
    fn each_row(&self, mut body: impl FnMut(usize, usize, usize)) {
        let ([h, w], [top, left]) = (self.size, [0, 1].map(|a| self.windows.slides[a].padding.0));
        for row in 0..self.channels * h {
            body((row / h * self.padded[0] + row % h + top) * self.padded[1] + left, row * w, w);
        }
    }

    /// Calls `body(start in the padded sample, row)` for every row of `rows`.
    fn each_window<R>(&self, rows: impl Iterator<Item = R>, mut body: impl FnMut(usize, R)) {
        let [y, x] = &self.windows.slides;
        for (i, row) in rows.enumerate() {
            body(i / self.counts[1] * y.stride * self.padded[1] + i % self.counts[1] * x.stride, row);
        }
    }

    /// Writes the rows of the sample `x`.
    pub fn unfold<T: Float>(&self, x: &[T], scratch: &mut [T], out: &mut [T]) {
        scratch.fill(T::zero());
        self.each_row(|at, from, len| scratch[at..at + len].copy_from_slice(&x[from..from + len]));
        let rows = out.chunks_exact_mut(self.cols());
        match (self.windows.slides[1].kernel, self.windows.slides[1].dilation) {
            (1, _) => self.each_window(rows, |at, row| copy::<1, T>(&scratch[at..], &self.runs, row)),
            (3, 1) => self.each_window(rows, |at, row| copy::<3, T>(&scratch[at..], &self.runs, row)),
            (5, 1) => self.each_window(rows, |at, row| copy::<5, T>(&scratch[at..], &self.runs, row)),
            (width, step) => self.each_window(rows, |at, row| {
                for (to, start) in row.chunks_exact_mut(width).zip(&self.runs) {
                    to.iter_mut().enumerate().for_each(|(k, v)| *v = scratch[at + start + k * step]);
                }
            }),
        }
    }

    /// Writes the sample whose every element is the sum of its copies in `rows`.
    pub fn fold<T: Float>(&self, rows: &[T], scratch: &mut [T], out: &mut [T]) {
        scratch.fill(T::zero());
        let rows = rows.chunks_exact(self.cols());
        match (self.windows.slides[1].kernel, self.windows.slides[1].dilation) {
            (1, _) => self.each_window(rows, |at, row| add::<1, T>(&mut scratch[at..], &self.runs, row)),
            (3, 1) => self.each_window(rows, |at, row| add::<3, T>(&mut scratch[at..], &self.runs, row)),
            (5, 1) => self.each_window(rows, |at, row| add::<5, T>(&mut scratch[at..], &self.runs, row)),
            (width, step) => self.each_window(rows, |at, row| {
                for (from, start) in row.chunks_exact(width).zip(&self.runs) {
                    from.iter().enumerate().for_each(|(k, v)| scratch[at + start + k * step] += *v);
                }
            }),
        }
        self.each_row(|at, to, len| out[to..to + len].copy_from_slice(&scratch[at..at + len]));
    }
}

/// Copies the runs of `W` elements that start at `runs` one after another; the constant length makes each a few moves.
fn copy<const W: usize, T: Float>(source: &[T], runs: &[usize], row: &mut [T]) {
    for (to, start) in row.chunks_exact_mut(W).zip(runs) {
        to.copy_from_slice(&source[*start..*start + W]);
    }
}

/// The reverse of [`copy`]: adds.
fn add<const W: usize, T: Float>(target: &mut [T], runs: &[usize], row: &[T]) {
    for (from, start) in row.chunks_exact(W).zip(runs) {
        let to = &mut target[*start..*start + W];
        (0..W).for_each(|k| to[k] += from[k]);
    }
}

/// Sizes (samples, channels, [height, width]) of x.
pub(super) fn samples(op: &'static str, x: &[usize]) -> Result<(usize, usize, [usize; 2])> {
    match x {
        [n, c, h, w] => Ok((*n, *c, [*h, *w])),
        other => Err(RbeError::shape(op, "x (samples, channels, one or two spatial axes)", format!("{other:?}"))),
    }
}

/// Inputs: x (samples, channels, height, width).
struct Unfold(Windows);

impl Unfold {
    const NAME: &str = "unfold";

    fn columns(&self, x: &[usize]) -> Result<(usize, Columns)> {
        let (n, c, size) = samples(Self::NAME, x)?;
        Ok((n, Columns::new(Self::NAME, &self.0, c, size)?))
    }
}

impl Op for Unfold {
    fn rule(&self) -> &Rule {
        &table::UNFOLD
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        self.0.visited(x.elements(0))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let x = x.array(0)?.contiguous();
        let (n, columns) = self.columns(x.shape())?;
        let (rows, cols, sample) = (columns.rows(), columns.cols(), columns.sample());
        check_size(Self::NAME, &[n, rows, cols])?;
        dispatch_float!(Self::NAME, x.dtype(), T => {
            let source = x.read::<T>();
            Ok(Array::build(&[n, rows, cols], |out: &mut [T]| parallel::for_each_piece(out, rows * cols, |i, piece| {
                let mut scratch = scratch::<T>(columns.scratch());
                columns.unfold(&source[i * sample..(i + 1) * sample], scratch.slice_mut(), piece);
            }))
            .into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (_, columns) = self.columns(cx.shape(0))?;
        let len = columns.rows() * columns.cols();
        let dy = cx.dy().contiguous();
        cx.one(|| {
            dispatch_float!(Self::NAME, dy.dtype(), T => {
                let dy = dy.read::<T>();
                Ok(Array::build(cx.shape(0), |out: &mut [T]| parallel::for_each_piece(out, columns.sample(), |i, piece| {
                    let mut scratch = scratch::<T>(columns.scratch());
                    columns.fold(&dy[i * len..(i + 1) * len], scratch.slice_mut(), piece);
                })))
            })
        })
    }
}

/// Memory from the pool for `len` numbers of unspecified value.
pub(super) fn scratch<T>(len: usize) -> crate::Buffer {
    crate::Buffer::dirty(len * size_of::<T>())
}

impl RBETensor {
    /// The windows of x (samples, channels, one or two spatial axes) as rows: (samples, windows, channels · kernel), the
    /// elements of a window in the order of the axes. Its gradient adds the rows back where they came from.
    ///
    /// # Errors
    /// `Shape` for other axes or a window larger than the padded x; `DType` unless x is float.
    pub fn unfold(&self, windows: &Windows) -> Result<RBETensor> {
        let planes = if windows.axes == 1 { self.unsqueeze(-2)? } else { self.clone() };
        apply(Unfold(windows.clone()), &[&planes])
    }
}
