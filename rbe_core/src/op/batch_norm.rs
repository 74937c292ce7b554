//! Batch norm: every channel to mean 0 and variance 1.

use super::apply::apply;
use super::norm::{narrow, with_affine};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, map_into};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::tape::{RBETensor, is_recomputing, settle};

const OP: &str = "batch_norm";
/// Elements of one parallel piece, rounded up to whole samples.
const PIECE: usize = 1 << 16;
/// Sums that run side by side.
const LANES: usize = 8;

/// Where batch norm keeps its running statistics, and how fast they follow.
pub struct Running {
    /// (channels), changed in place in training.
    pub mean: Array,
    /// (channels), changed in place in training.
    pub var: Array,
    /// Share of the new statistics.
    pub momentum: f64,
}

/// Each channel of x (N, C, …) to mean 0 and variance 1, then an affine map. Inputs: x, optional weight and bias (C).
struct BatchNorm {
    running: Option<Running>,
    training: bool,
    eps: f64,
}

/// Samples, channels, and elements of a run: one channel of one sample.
#[derive(Clone, Copy)]
struct Runs {
    n: usize,
    c: usize,
    l: usize,
}

/// Adds `f` of every pair to `total`, in an order that the length alone decides.
fn add_run<T: Copy, const K: usize>(a: &[T], b: &[T], f: impl Fn(T, T) -> [f64; K], total: &mut [f64; K]) {
    let (heads, tails) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in heads.remainder().iter().zip(tails.remainder()) {
        total.iter_mut().zip(f(*x, *y)).for_each(|(t, v)| *t += v);
    }
    if a.len() < LANES {
        return;
    }
    let mut lanes = [[0.0; LANES]; K];
    for (x, y) in heads.zip(tails) {
        for j in 0..LANES {
            let v = f(x[j], y[j]);
            (0..K).for_each(|k| lanes[k][j] += v[k]);
        }
    }
    total.iter_mut().zip(lanes).for_each(|(t, lane)| *t += lane.iter().sum::<f64>());
}

impl Runs {
    fn of(x: &Array) -> Result<Runs> {
        match x.shape() {
            [n, c, rest @ ..] => Ok(Runs { n: *n, c: *c, l: rest.iter().product() }),
            other => Err(RbeError::shape(OP, "x (N, C, …)", format!("{other:?}"))),
        }
    }

    /// Values of a channel.
    fn count(&self) -> usize {
        self.n * self.l
    }

    /// Samples of one parallel piece.
    fn samples(&self) -> usize {
        PIECE.div_ceil((self.c * self.l).max(1))
    }

    /// Sum, over each channel, of `of(channel)` of every pair; pieces are added in order.
    fn sums<T: Float, F: Fn(T, T) -> [f64; K], const K: usize>(
        &self,
        a: &[T],
        b: &[T],
        of: impl Fn(usize) -> F + Sync + Send,
    ) -> Vec<[f64; K]> {
        let each = self.samples();
        let partial = parallel::map(self.n.div_ceil(each), |p| {
            let rows = p * each..((p + 1) * each).min(self.n);
            if self.l == 1 {
                return self.sums_of_rows(&a[rows.start * self.c..rows.end * self.c], &b[rows.start * self.c..], &of);
            }
            let mut total = memory::filled([0.0; K], self.c);
            for row in rows {
                for (i, total) in total.iter_mut().enumerate() {
                    let start = (row * self.c + i) * self.l;
                    add_run(&a[start..start + self.l], &b[start..start + self.l], of(i), total);
                }
            }
            total
        });
        let mut total = memory::filled([0.0; K], self.c);
        for part in partial {
            total.iter_mut().zip(part).for_each(|(t, p)| (0..K).for_each(|k| t[k] += p[k]));
        }
        total
    }

    /// As [`Runs::sums`] where a run is a single number: along the channels, so that they are what a vector holds.
    fn sums_of_rows<T: Float, F: Fn(T, T) -> [f64; K], const K: usize>(&self, a: &[T], b: &[T], of: &impl Fn(usize) -> F) -> Vec<[f64; K]> {
        let mut planes: [Vec<f64>; K] = std::array::from_fn(|_| memory::zeros(self.c));
        let mut planes = planes.each_mut().map(|plane| &mut plane[..]);
        for (a, b) in a.chunks_exact(self.c).zip(b.chunks_exact(self.c)) {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                let v = of(i)(*a, *b);
                (0..K).for_each(|k| planes[k][i] += v[k]);
            }
        }
        memory::collect((0..self.c).map(|i| std::array::from_fn(|k| planes[k][i])))
    }

    /// `of(channel)` of every pair.
    fn map<T: Float, F: Fn(T, T) -> T>(&self, shape: &[usize], a: &[T], b: &[T], of: impl Fn(usize) -> F + Sync + Send) -> Array {
        let size = (self.samples() * self.c * self.l).max(1);
        Array::build(shape, |out: &mut [T]| {
            parallel::for_each_piece(out, size, |p, piece| {
                let (a, b) = (&a[p * size..], &b[p * size..]);
                if self.l == 1 {
                    for ((out, a), b) in piece.chunks_exact_mut(self.c).zip(a.chunks_exact(self.c)).zip(b.chunks_exact(self.c)) {
                        for (i, ((out, a), b)) in out.iter_mut().zip(a).zip(b).enumerate() {
                            *out = of(i)(*a, *b);
                        }
                    }
                    return;
                }
                for (i, out) in piece.chunks_exact_mut(self.l).enumerate() {
                    let (f, run) = (of(i % self.c), i * self.l..(i + 1) * self.l);
                    out.iter_mut().zip(&a[run.clone()]).zip(&b[run]).for_each(|((o, a), b)| *o = f(*a, *b));
                }
            });
        })
    }

    /// Mean and biased variance of every channel, in two passes.
    fn statistics<T: Float>(&self, x: &[T]) -> (Vec<f64>, Vec<f64>) {
        let count = self.count() as f64;
        let mean = memory::collect(self.sums(x, x, |_| |x: T, _| [x.wide()]).into_iter().map(|[s]| s / count));
        let square = |i: usize| {
            let mean = mean[i];
            move |x: T, _| [(x.wide() - mean) * (x.wide() - mean)]
        };
        let var = memory::collect(self.sums(x, x, square).into_iter().map(|[s]| s / count));
        (mean, var)
    }
}

impl Op for BatchNorm {
    fn rule(&self) -> &Rule {
        &table::BATCH_NORM
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let runs = Runs::of(a)?;
        let c = runs.c;
        for i in 1..x.len() {
            if x.array(i)?.shape() != [c] {
                return Err(RbeError::shape(OP, format!("weight and bias ({c})"), format!("{:?}", x.array(i)?.shape())));
            }
        }
        if let Some(r) = &self.running
            && (r.mean.shape() != [c] || r.var.shape() != [c] || r.mean.dtype() != r.var.dtype())
        {
            return Err(RbeError::shape(OP, format!("running statistics ({c})"), format!("{:?} and {:?}", r.mean.shape(), r.var.shape())));
        }
        if self.training && runs.count() == 1 {
            return Err(RbeError::value(OP, "more than one value per channel in training", runs.count()));
        }
        if self.training && self.eps <= 0.0 || self.eps.is_nan() {
            return Err(RbeError::value(OP, "an eps above 0 in training", self.eps));
        }
        let a = a.floating().contiguous();
        let affine = |i: usize| -> Result<Option<Array>> { Ok(x.optional(i)?.map(|p| p.cast(a.dtype()).contiguous())) };
        let (weight, bias) = (affine(1)?, affine(2)?);
        if a.numel() == 0 {
            // Nothing to normalise, and nothing that running statistics could follow.
            let (value, stats) = (Array::zeros(a.dtype(), a.shape()), Array::zeros(a.dtype(), &[3, c]));
            return Ok(Output::keeping(value, [stats]));
        }
        dispatch_float!(OP, a.dtype(), T => {
            let source = a.read::<T>();
            let (mean, var) = match &self.running {
                Some(r) if !self.training => {
                    let wide = |a: &Array| a.cast(DType::F64).to_vec::<f64>();
                    (wide(&r.mean)?, wide(&r.var)?)
                }
                _ => runs.statistics(&source),
            };
            let scale = memory::collect(var.iter().map(|v| 1.0 / (v + self.eps).sqrt()));
            let batch = mean.as_slice();
            // The mean comes off before the scaling, in two parts: folded into the shift, or rounded, it would cancel the
            // digits of x where it is large beside the deviation.
            let stats = Array::build(&[3, c], |out: &mut [T]| {
                for i in 0..c {
                    out[i] = T::of(mean[i]);
                    out[c + i] = T::of(mean[i] - out[i].wide());
                    out[2 * c + i] = T::of(scale[i]);
                }
            });
            let (w, b) = (weight.as_ref().map(Array::read::<T>), bias.as_ref().map(Array::read::<T>));
            let of_channel = stats.read::<T>();
            let (mean, rest) = (&of_channel[..c], &of_channel[c..2 * c]);
            let gain = gains(&of_channel[2 * c..], w.as_deref());
            let shift = b.as_ref().map_or_else(|| memory::filled(T::of(0.0), c), |b| memory::copied(b));
            let (gain, shift) = (&gain[..c], &shift[..c]);
            let value = runs.map(a.shape(), &source, &source, |i| {
                let (mean, rest, gain, shift) = (mean[i], rest[i], gain[i], shift[i]);
                move |x: T, _| (x - mean - rest) * gain + shift
            });
            drop(of_channel);
            if let (true, Some(r)) = (self.training && !is_recomputing(), &self.running) {
                let count = runs.count() as f64;
                let unbiased = memory::collect(var.iter().map(|v| v * count / (count - 1.0)));
                let next = [followed(&r.mean, batch, r.momentum)?, followed(&r.var, &unbiased, r.momentum)?];
                for (running, next) in [&r.mean, &r.var].into_iter().zip(&next) {
                    dispatch_float!(OP, running.dtype(), T => map_into(running, next, |_: T, v: T| v))?; // when nothing can fail any more
                }
            }
            Ok(Output::keeping(value, [stats]))
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, stats) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.kept(0)?);
        let runs = Runs::of(&x)?;
        let weight = if cx.arity() > 1 { Some(cx.input(1)?.cast(dy.dtype()).contiguous()) } else { None };
        dispatch_float!(OP, dy.dtype(), T => {
            let (dy, x, stats, w) = (dy.read::<T>(), x.read::<T>(), stats.read::<T>(), weight.as_ref().map(Array::read::<T>));
            let c = runs.c;
            let (mean, rest, scale) = (&stats[..c], &stats[c..2 * c], &stats[2 * c..3 * c]);
            // Sums over N and L of dy and of dy · x̂, one pair a channel.
            let mut total = if dy.is_empty() { vec![[0.0; 2]; c] } else { runs.sums(&dy, &x, |i| {
                let (mean, rest) = (mean[i], rest[i]);
                move |d: T, x: T| [d.wide(), (d * (x - mean - rest)).wide()]
            }) };
            total.iter_mut().zip(scale).for_each(|(t, scale)| t[1] *= scale.wide());
            let count = runs.count() as f64;
            let mut grads = cx.one(|| {
                // dx = gain (dy - mean(dy) - x̂ mean(dy x̂)) in training, gain dy with fixed statistics
                let gain = gains(scale, w.as_deref());
                let of_total = |k: usize, i: usize| if self.training { T::of(total[i][k] / count) } else { T::of(0.0) };
                let level = memory::collect((0..c).map(|i| of_total(0, i)));
                let slope = memory::collect((0..c).map(|i| of_total(1, i) * scale[i]));
                let (gain, level, slope) = (&gain[..c], &level[..c], &slope[..c]);
                Ok(runs.map(cx.shape(0), &dy, &x, |i| {
                    let (mean, rest, gain, level, slope) = (mean[i], rest[i], gain[i], level[i], slope[i]);
                    move |d: T, x: T| gain * (d - level - slope * (x - mean - rest))
                }))
            })?;
            for i in 1..cx.arity() {
                let sums = memory::collect(total.iter().map(|t| t[usize::from(i == 1)]));
                grads.push(if cx.needs(i) { dense(narrow::<T>(&sums, &[runs.c])) } else { None });
            }
            Ok(grads)
        })
    }
}

/// Scale of every channel times its weight.
fn gains<T: Float>(scale: &[T], weight: Option<&[T]>) -> Vec<T> {
    match weight {
        Some(weight) => memory::collect(scale.iter().zip(weight).map(|(s, w)| *s * *w)),
        None => memory::copied(scale),
    }
}

/// The running values after a batch.
fn followed(running: &Array, now: &[f64], momentum: f64) -> Result<Array> {
    let before = running.cast(DType::F64).to_vec::<f64>()?;
    let next = memory::collect(before.iter().zip(now).map(|(r, v)| (1.0 - momentum) * r + momentum * v));
    dispatch_float!(OP, running.dtype(), T => Ok(narrow::<T>(&next, running.shape())))
}

impl RBETensor {
    /// Normalises the channels of x (N, C, …): by the batch's statistics in training (the running ones follow, but for the
    /// second run of a checkpoint), by the running ones else.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit; `Value` for a single value per channel, or an eps that is not above 0, in training.
    pub fn batch_norm(
        &self,
        running: Option<Running>,
        weight: Option<&RBETensor>,
        bias: Option<&RBETensor>,
        training: bool,
        eps: f64,
    ) -> Result<RBETensor> {
        let training = training || running.is_none();
        if training {
            settle()?; // what was called before reads the running values as they are
        }
        with_affine(self, weight, bias, |inputs| apply(BatchNorm { running, training, eps }, inputs))
    }
}
