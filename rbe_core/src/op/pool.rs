//! Pooling: the largest element or the mean of every window of a plane.

use super::apply::{apply, apply_many};
use super::pair_pool::PairPool;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use super::window::{Slide, Windows, on_planes, planes, with_size};
use crate::array::Array;
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::kernel::dense::pair_pool::Planes;
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

/// Elements of the planes of one parallel piece.
pub(super) const PIECE: usize = 1 << 14;

/// Calls `body(plane, out plane)` with the number of each plane and its `len` elements of `out`, in parallel.
fn each_plane<T: Send>(out: &mut [T], len: usize, work: usize, body: impl Fn(usize, &mut [T]) + Sync + Send) {
    if len == 0 {
        return;
    }
    let each = PIECE.div_ceil(work.max(1));
    parallel::for_each_piece(out, each * len, |p, piece| {
        piece.chunks_mut(len).enumerate().for_each(|(i, plane)| body(p * each + i, plane));
    });
}

/// Fails for padding that could leave a window without an element.
fn check_padding(op: &'static str, windows: &Windows) -> Result<()> {
    let wide = |s: &&Slide| 2 * s.padding.0.max(s.padding.1) > s.reach();
    match windows.slides.iter().find(wide) {
        Some(slide) => Err(RbeError::value(op, format!("padding of at most half the window's {}", slide.reach()), slide.padding.0)),
        None => Ok(()),
    }
}

/// Input: x (…, height, width). Outputs: largest elements, and their positions in their plane (int64).
pub(super) struct MaxPool {
    windows: Windows,
    ceil: bool,
}

/// First and one past the last position along an axis.
type Range = (usize, usize);

/// Largest element of a window of a plane of `w` columns and its place, the first of equals; NaN is above everything.
fn largest<T: Float>(plane: &[T], w: usize, rows: Range, cols: Range, steps: [usize; 2]) -> (T, i64) {
    let (mut best, mut at) = (T::of(f64::NEG_INFINITY), rows.0 * w + cols.0);
    for y in (rows.0..rows.1).step_by(steps[0]) {
        for x in (cols.0..cols.1).step_by(steps[1]) {
            let v = plane[y * w + x];
            if v > best || v.is_nan() {
                (best, at) = (v, y * w + x);
            }
        }
    }
    (best, at as i64)
}

/// As [`largest`] for the `K` by `K` window that begins at `start`: unrolled, and with selections for branches, which the
/// processor would guess wrong half the time.
fn largest_square<const K: usize, T: Float>(plane: &[T], w: usize, start: usize) -> (T, i64) {
    let (mut best, mut at) = (T::of(f64::NEG_INFINITY), start);
    for row in 0..K {
        let from = start + row * w;
        for (k, v) in plane[from..from + K].iter().enumerate() {
            let larger = (*v > best) | v.is_nan();
            best = if larger { *v } else { best };
            at = if larger { from + k } else { at };
        }
    }
    (best, at as i64)
}

/// [`largest`] of the windows of one row of them, quick for whole windows of `K` by `K`.
fn largest_of_row<const K: usize, T: Float>(
    plane: &[T],
    w: usize,
    rows: Range,
    cols: &[Range],
    steps: [usize; 2],
    out: (&mut [T], &mut [i64]),
) {
    let whole = K > 0 && rows.1 - rows.0 == K;
    for ((best, at), cols) in out.0.iter_mut().zip(out.1).zip(cols) {
        (*best, *at) = if whole && cols.1 - cols.0 == K {
            largest_square::<K, T>(plane, w, rows.0 * w + cols.0)
        } else {
            largest(plane, w, rows, *cols, steps)
        };
    }
}

impl MaxPool {
    /// The planes of `size`, if their windows are of two by two and lie side by side.
    fn pairs(&self, size: [usize; 2], counts: [usize; 2]) -> Option<Planes> {
        let side_by_side = |slide: &Slide| slide.kernel == 2 && slide.stride == 2 && slide.dilation == 1 && slide.padding == (0, 0);
        let whole = (0..2).all(|a| 2 * counts[a] <= size[a] && counts[a] > 0);
        (whole && self.windows.slides.iter().all(side_by_side)).then_some(Planes { size, windows: counts })
    }
}

impl MaxPool {
    pub(super) const NAME: &str = "max_pool";

    /// Largest element of every window, and its position in its plane (int64), the first of equals.
    fn largest(&self, x: &Array) -> Result<(Array, Array)> {
        let (_, size) = planes(Self::NAME, x)?;
        check_padding(Self::NAME, &self.windows)?;
        let counts = self.windows.counts(Self::NAME, size, self.ceil)?;
        if let Some(planes) = self.pairs(size, counts) {
            let (values, in_window) = PairPool { planes }.largest(x)?;
            let places = Array::build(values.shape(), |places: &mut [i64]| {
                for (i, (place, of)) in places.iter_mut().zip(in_window.read::<u8>().iter()).enumerate() {
                    let [row, col] = [i / counts[1] % counts[0], i % counts[1]];
                    *place = ((2 * row + usize::from(of / 2)) * size[1] + 2 * col + usize::from(of % 2)) as i64;
                }
            });
            return Ok((values, places));
        }
        let ([h, w], [down, across], x) = (size, self.windows.slides, x.contiguous());
        let (shape, len, each) = (with_size(x.shape(), counts), counts[0] * counts[1], PIECE.div_ceil((h * w).max(1)));
        let square = (down.kernel == across.kernel && down.dilation == 1 && across.dilation == 1).then_some(down.kernel);
        let cols = memory::collect((0..counts[1]).map(|i| across.range(i, w)));
        dispatch_float!(Self::NAME, x.dtype(), T => {
            let row = match square {
                Some(2) => largest_of_row::<2, T>,
                Some(3) => largest_of_row::<3, T>,
                _ => largest_of_row::<0, T>,
            };
            let (source, places) = (x.read::<T>(), Array::zeros(DType::I64, &shape));
            let values = Array::build(&shape, |values: &mut [T]| {
                let mut places = places.write::<i64>();
                let mut pieces = memory::collect(values.chunks_mut(each * len).zip(places.chunks_mut(each * len)));
                parallel::for_each_mut(&mut pieces, |p, (values, places)| {
                    let out = values.chunks_exact_mut(counts[1]).zip(places.chunks_exact_mut(counts[1]));
                    for (i, (best, at)) in out.enumerate() {
                        let plane = &source[(p * each + i / counts[0]) * h * w..][..h * w];
                        let rows = down.range(i % counts[0], h);
                        row(plane, w, rows, &cols, [down.dilation, across.dilation], (best, at));
                    }
                });
            });
            Ok((values, places))
        })
    }
}

impl Op for MaxPool {
    fn rule(&self) -> &Rule {
        &table::MAX_POOL
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        self.windows.visited(x.elements(0))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (values, places) = self.largest(x.array(0)?)?;
        Ok(Output::several([values, places]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (dy, places) = (cx.dy().contiguous(), cx.output_at(1)?);
        let shape = cx.shape(0);
        let (hw, (_, counts)) = (shape[shape.len() - 2..].iter().product(), planes(Self::NAME, places)?);
        let len = counts[0] * counts[1];
        cx.one(|| {
            dispatch_float!(Self::NAME, dy.dtype(), T => {
                let (dy, at) = (dy.read::<T>(), places.read::<i64>());
                Ok(Array::build(shape, |out: &mut [T]| each_plane(out, hw, hw, |p, out| {
                    out.fill(T::of(0.0));
                    for (at, d) in at[p * len..][..len].iter().zip(&dy[p * len..]) {
                        out[*at as usize] += *d;
                    }
                })))
            })
        })
    }
}

/// Part of an axis that is averaged.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    divisor: f64, // the product of both axes' divisors divides the sum
}

/// Which parts of an axis are averaged.
enum Averages {
    Windows { windows: Windows, ceil: bool, count_padding: bool, divisor: Option<f64> },
    Parts([Option<usize>; 2]), // that many even parts, or every element
}

/// Inputs: x (…, height, width).
struct AvgPool(Averages);

impl AvgPool {
    fn name(&self) -> &'static str {
        match self.0 {
            Averages::Windows { .. } => "avg_pool",
            Averages::Parts(_) => "adaptive_avg_pool",
        }
    }

    /// The averaged parts of both axes.
    fn spans(&self, size: [usize; 2]) -> Result<[Vec<Span>; 2]> {
        match &self.0 {
            Averages::Windows { windows, ceil, count_padding, divisor } => {
                check_padding(self.name(), windows)?;
                let counts = windows.counts(self.name(), size, *ceil)?;
                Ok([0, 1].map(|a| {
                    let slide = windows.slides[a];
                    let span = |i: usize| {
                        let (start, end) = slide.range(i, size[a]);
                        let padded = (i * slide.stride + slide.kernel).min(size[a] + slide.padding.0 + slide.padding.1) - i * slide.stride;
                        let count = if *count_padding { padded } else { end - start };
                        let divisor = divisor.map_or(count as f64, |d| if a == 0 { d } else { 1.0 });
                        Span { start, end, divisor }
                    };
                    memory::collect((0..counts[a]).map(span))
                }))
            }
            Averages::Parts(parts) => {
                if size.contains(&0) {
                    return Err(RbeError::shape(self.name(), "spatial axes of at least 1", format!("{size:?}")));
                }
                Ok([0, 1].map(|a| {
                    let (n, parts) = (size[a], parts[a].unwrap_or(size[a]));
                    let span = |i: usize| {
                        let (start, end) = (i * n / parts, ((i + 1) * n).div_ceil(parts));
                        Span { start, end, divisor: (end - start) as f64 }
                    };
                    memory::collect((0..parts).map(span))
                }))
            }
        }
    }
}

impl Op for AvgPool {
    fn rule(&self) -> &Rule {
        match self.0 {
            Averages::Windows { .. } => &table::AVG_POOL,
            Averages::Parts(_) => &table::ADAPTIVE_AVG_POOL,
        }
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        match &self.0 {
            Averages::Windows { windows, .. } => windows.visited(x.elements(0)),
            Averages::Parts(parts) => {
                let planes = x.shape(0).iter().rev().skip(2).map(|n| *n as u64);
                let parts = parts.iter().flatten().map(|parts| *parts as u64);
                x.elements(0).max(planes.chain(parts).fold(1, u64::saturating_mul))
            }
        }
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let x = x.array(0)?.contiguous();
        let (_, [h, w]) = planes(self.name(), &x)?;
        let [ys, xs] = self.spans([h, w])?;
        dispatch_float!(self.name(), x.dtype(), T => {
            let source = x.read::<T>();
            let shape = with_size(x.shape(), [ys.len(), xs.len()]);
            Ok(Array::build(&shape, |out: &mut [T]| each_plane(out, ys.len() * xs.len(), h * w, |p, out| {
                let plane = &source[p * h * w..][..h * w];
                for (o, (y, x)) in out.iter_mut().zip(ys.iter().flat_map(|y| xs.iter().map(move |x| (y, x)))) {
                    let sum: T = (y.start..y.end).map(|row| plane[row * w + x.start..row * w + x.end].iter().copied().sum::<T>()).sum();
                    *o = sum / T::of(y.divisor * x.divisor);
                }
            }))
            .into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (dy, shape) = (cx.dy().contiguous(), cx.shape(0));
        let (h, w) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let [ys, xs] = self.spans([h, w])?;
        let len = ys.len() * xs.len();
        cx.one(|| {
            dispatch_float!(self.name(), dy.dtype(), T => {
                let dy = dy.read::<T>();
                Ok(Array::build(shape, |out: &mut [T]| each_plane(out, h * w, h * w, |p, out| {
                    out.fill(T::of(0.0));
                    for (d, (y, x)) in dy[p * len..][..len].iter().zip(ys.iter().flat_map(|y| xs.iter().map(move |x| (y, x)))) {
                        let share = *d / T::of(y.divisor * x.divisor);
                        for row in y.start..y.end {
                            out[row * w + x.start..row * w + x.end].iter_mut().for_each(|o| *o += share);
                        }
                    }
                })))
            })
        })
    }
}

impl RBETensor {
    /// Largest element of every window over the last axes of x (…, channels, one or two spatial axes); padding counts as
    /// -inf, NaN as largest. The gradient goes to the first largest element. `ceil` as in torch's `ceil_mode`.
    ///
    /// # Errors
    /// `Shape` for other axes or a window larger than the padded x; `Value` for padding above half a window; `DType`
    /// unless x is float.
    pub fn max_pool(&self, windows: &Windows, ceil: bool) -> Result<RBETensor> {
        windows.over(self, |x| {
            let op = MaxPool { windows: windows.clone(), ceil };
            let pairs = match *x.shape() {
                [.., _, h, w] if x.dtype().is_float() => op.pairs([h, w], windows.counts(MaxPool::NAME, [h, w], ceil)?),
                _ => None,
            };
            match pairs {
                Some(planes) => apply(PairPool { planes }, &[x]),
                None => apply(op, &[x]),
            }
        })
    }

    /// As [`RBETensor::max_pool`], with the positions (int64) of the elements in their plane.
    ///
    /// # Errors
    /// As [`RBETensor::max_pool`].
    pub fn max_pool_with_indices(&self, windows: &Windows, ceil: bool) -> Result<[RBETensor; 2]> {
        on_planes(windows.axes, self, |x| apply_many(MaxPool { windows: windows.clone(), ceil }, &[x]))
    }

    /// Mean of every window over the last axes of x (…, channels, one or two spatial axes). Padding counts as zeros where
    /// `count_padding`, not at all else; `divisor` divides every sum instead of the count.
    ///
    /// # Errors
    /// As [`RBETensor::max_pool`]; `Value` for a dilation or a divisor of 0.
    pub fn avg_pool(&self, windows: &Windows, ceil: bool, count_padding: bool, divisor: Option<i64>) -> Result<RBETensor> {
        if divisor == Some(0) || windows.slides.iter().any(|s| s.dilation != 1) {
            return Err(RbeError::value("avg_pool", "a divisor other than 0 and no dilation", format!("{divisor:?} and {windows:?}")));
        }
        let divisor = divisor.map(|d| d as f64);
        windows.over(self, |x| apply(AvgPool(Averages::Windows { windows: windows.clone(), ceil, count_padding, divisor }), &[x]))
    }

    /// Means of `parts` even parts of each of the last one or two axes of x (…, channels, spatial axes); part `i` of `n`
    /// elements reaches from `floor(i n / parts)` to `ceil((i + 1) n / parts)`. `None` leaves an axis as it is.
    ///
    /// # Errors
    /// `Shape` for other axes or an empty one; `DType` unless x is float.
    pub fn adaptive_avg_pool(&self, parts: &[Option<usize>]) -> Result<RBETensor> {
        let both = match *parts {
            [w] => [Some(1), w],
            [h, w] => [h, w],
            _ => return Err(RbeError::shape("adaptive_avg_pool", "one or two spatial axes", parts.len())),
        };
        let [means] = on_planes(parts.len(), self, |x| Ok([apply(AvgPool(Averages::Parts(both)), &[x])?]))?;
        Ok(means)
    }
}
