//! Batch norm: every channel to mean 0 and variance 1.

use std::ops::Range;

use super::apply::apply;
use super::norm::{narrow, with_affine};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, map_into};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::kernel::dense::batch_norm::{self as kernel, Centre, OfChannels};
use crate::memory;
use crate::parallel;
use crate::tape::{RBETensor, is_recomputing, settle};

const OP: &str = "batch_norm";
/// Elements of one parallel piece, rounded up to whole samples.
const PIECE: usize = 1 << 16;

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

    /// Two sums of each channel, (2, channels); pieces are added in order. `of_run(channel, elements)` gives those of a run; where a run is a
    /// single number, `of_rows(elements, sums)` adds those of some samples to what there is, so that channels are what a vector holds.
    fn sums(
        &self,
        of_run: impl Fn(usize, Range<usize>) -> [f64; 2] + Sync + Send,
        of_rows: impl Fn(Range<usize>, [&mut [f64]; 2]) + Sync + Send,
    ) -> Vec<f64> {
        let (c, l, each) = (self.c, self.l, self.samples());
        let partial = parallel::map(self.n.div_ceil(each), |p| {
            let samples = p * each..((p + 1) * each).min(self.n);
            let mut total = memory::zeros::<f64>(2 * c);
            let (first, second) = total.split_at_mut(c);
            if l == 1 {
                of_rows(samples.start * c..samples.end * c, [first, second]);
                return total;
            }
            for sample in samples {
                for (i, (first, second)) in first.iter_mut().zip(second.iter_mut()).enumerate() {
                    let start = (sample * c + i) * l;
                    let [a, b] = of_run(i, start..start + l);
                    *first += a;
                    *second += b;
                }
            }
            total
        });
        let mut total = memory::zeros::<f64>(2 * c);
        for part in partial {
            total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        total
    }

    /// An array that `of_run(channel, elements, out)` fills run by run, or where a run is a single number `of_rows(elements, out)` some
    /// samples at a time.
    fn map<T: Float>(
        &self,
        shape: &[usize],
        of_run: impl Fn(usize, Range<usize>, &mut [T]) + Sync + Send,
        of_rows: impl Fn(Range<usize>, &mut [T]) + Sync + Send,
    ) -> Array {
        let size = (self.samples() * self.c * self.l).max(1);
        Array::build(shape, |out: &mut [T]| {
            parallel::for_each_piece(out, size, |p, piece| {
                let start = p * size;
                if self.l == 1 {
                    return of_rows(start..start + piece.len(), piece);
                }
                for (i, out) in piece.chunks_exact_mut(self.l).enumerate() {
                    let start = start + i * self.l;
                    of_run(i % self.c, start..start + self.l, out);
                }
            });
        })
    }

    /// Mean and biased variance of every channel, in one pass: from the sums of the distances from a number of the channel and of their
    /// squares. That number's own square is among those of the variance, so that no more digits cancel than the count has.
    fn statistics<T: Float>(&self, x: &[T]) -> (Vec<f64>, Vec<f64>) {
        let count = self.count() as f64;
        let pilots = memory::collect((0..self.c).map(|i| x[i * self.l].wide()));
        let of_run = |i: usize, run| kernel::moments(&x[run], pilots[i]);
        let sums = self.sums(of_run, |rows, [first, second]| kernel::moments_of_rows(&x[rows], &pilots, first, second));
        let (first, second) = sums.split_at(self.c);
        let mean = memory::collect(pilots.iter().zip(first).map(|(pilot, sum)| pilot + sum / count));
        let var = memory::collect(first.iter().zip(second).map(|(sum, square)| {
            let var = square / count - (sum / count) * (sum / count);
            if var < 0.0 { 0.0 } else { var }
        }));
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
            let value = runs.map(
                a.shape(),
                |i, run, out: &mut [T]| kernel::normalise(&source[run], Centre { mean: mean[i], rest: rest[i] }, gain[i], shift[i], out),
                |rows, out| kernel::normalise_rows(&source[rows], mean, rest, gain, shift, out),
            );
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
            // Sums over N and L of dy and of dy · x̂, for every channel.
            let mut total = if dy.is_empty() { memory::zeros::<f64>(2 * c) } else { runs.sums(
                |i, run| kernel::products(&dy[run.clone()], &x[run], Centre { mean: mean[i], rest: rest[i] }),
                |rows, [first, second]| kernel::products_of_rows(&dy[rows.clone()], &x[rows], mean, rest, first, second),
            ) };
            total[c..].iter_mut().zip(scale).for_each(|(t, scale)| *t *= scale.wide());
            let count = runs.count() as f64;
            let mut grads = cx.one(|| {
                // dx = gain (dy - mean(dy) - x̂ mean(dy x̂)) in training, gain dy with fixed statistics
                let gain = gains(scale, w.as_deref());
                let of_total = |k: usize, i: usize| if self.training { T::of(total[k * c + i] / count) } else { T::of(0.0) };
                let level = memory::collect((0..c).map(|i| of_total(0, i)));
                let slope = memory::collect((0..c).map(|i| of_total(1, i) * scale[i]));
                let of = OfChannels { mean, rest, gain: &gain, level: &level, slope: &slope };
                Ok(runs.map(
                    cx.shape(0),
                    |i, run, out| {
                        let (centre, slopes) = of.at(i);
                        kernel::gradient(&dy[run.clone()], &x[run], centre, slopes, out);
                    },
                    |rows, out| kernel::gradient_rows(&dy[rows.clone()], &x[rows], of, out),
                ))
            })?;
            for i in 1..cx.arity() {
                let sums = if i == 1 { &total[c..] } else { &total[..c] };
                grads.push(if cx.needs(i) { dense(narrow::<T>(sums, &[c])) } else { None });
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
