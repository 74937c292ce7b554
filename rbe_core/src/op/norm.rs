//! Normalisation: layer norm over trailing axes, batch norm over channels.

use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, Dims, fold_rows};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::graph::apply;
use crate::parallel;
use crate::tensor::RBETensor;

/// Rows of one partial sum.
const CHUNK: usize = 128;

/// Column sums of `f(row index, column)`-like contributions: `add(row range, totals)` fills partial sums of fixed chunks
/// of rows, which are folded in order.
fn column_sums(rows: usize, width: usize, add: impl Fn(usize, &mut [f64]) + Sync + Send) -> Vec<f64> {
    let partial = parallel::map(rows.div_ceil(CHUNK), |c| {
        let mut total = vec![0.0; width];
        (c * CHUNK..((c + 1) * CHUNK).min(rows)).for_each(|r| add(r, &mut total));
        total
    });
    let mut total = vec![0.0; width];
    for part in partial {
        total.iter_mut().zip(part).for_each(|(t, p)| *t += p);
    }
    total
}

fn narrow<T: Float>(values: &[f64], shape: &[usize]) -> Array {
    Array::build(shape, |out: &mut [T]| out.iter_mut().zip(values).for_each(|(o, v)| *o = T::of(*v)))
}

/// Each row of `width` elements to mean 0 and variance 1, then an affine map. Inputs: x, optional weight and bias (width).
struct LayerNorm {
    shape: Dims, // trailing axes
    eps: f64,
}

impl Op for LayerNorm {
    fn rule(&self) -> &Rule {
        &table::LAYER_NORM
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        const OP: &str = "layer_norm";
        let a = x.array(0)?;
        let width: usize = self.shape.iter().product();
        if a.ndim() < self.shape.len() || a.shape()[a.ndim() - self.shape.len()..] != self.shape[..] || width == 0 {
            return Err(RbeError::shape(OP, format!("x (…, {:?})", self.shape.as_slice()), format!("{:?}", a.shape())));
        }
        for i in 1..x.len() {
            if x.array(i)?.shape() != self.shape.as_slice() {
                return Err(RbeError::shape(
                    OP,
                    format!("weight and bias {:?}", self.shape.as_slice()),
                    format!("{:?}", x.array(i)?.shape()),
                ));
            }
        }
        let a = if a.dtype().is_float() { a.contiguous() } else { a.cast(DType::F32).contiguous() };
        let affine = |i: usize| -> Result<Option<Array>> { Ok(x.optional(i)?.map(|p| p.cast(a.dtype()).contiguous())) };
        let (weight, bias) = (affine(1)?, affine(2)?);
        dispatch_float!(OP, a.dtype(), T => {
            let source = a.read::<T>();
            let stats = Array::build(&[a.numel() / width, 2], |out: &mut [T]| fold_rows(&source, width, out, 2, |row, o| {
                let mean = row.iter().map(|v| v.wide()).sum::<f64>() / width as f64;
                let var = row.iter().map(|v| (v.wide() - mean).powi(2)).sum::<f64>() / width as f64;
                o[0] = T::of(mean);
                o[1] = T::of(1.0 / (var + self.eps).sqrt());
            }));
            let value = {
                let (stats, w, b) = (stats.read::<T>(), weight.as_ref().map(Array::read::<T>), bias.as_ref().map(Array::read::<T>));
                Array::build(a.shape(), |out: &mut [T]| parallel::for_each_piece(out, CHUNK * width, |p, piece| {
                    for (r, o) in piece.chunks_mut(width).enumerate() {
                        let at = p * CHUNK + r;
                        let (mean, scale) = (stats[2 * at], stats[2 * at + 1]);
                        for (i, (o, x)) in o.iter_mut().zip(&source[at * width..]).enumerate() {
                            let y = (*x - mean) * scale;
                            let y = w.as_ref().map_or(y, |w| y * w[i]);
                            *o = b.as_ref().map_or(y, |b| y + b[i]);
                        }
                    }
                }))
            };
            Ok(Output { value, kept: [stats].into_iter().collect() })
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, stats) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.kept(0)?);
        let width: usize = self.shape.iter().product();
        let rows = dy.numel() / width;
        let weight = if cx.arity() > 1 { Some(cx.input(1)?.cast(dy.dtype()).contiguous()) } else { None };
        dispatch_float!("layer_norm", dy.dtype(), T => {
            let (dy, x, stats, w) = (dy.read::<T>(), x.read::<T>(), stats.read::<T>(), weight.as_ref().map(Array::read::<T>));
            let mut grads = cx.one(|| Ok(Array::build(cx.shape(0), |out: &mut [T]| parallel::for_each_piece(out, CHUNK * width, |p, piece| {
                for (r, o) in piece.chunks_mut(width).enumerate() {
                    let at = p * CHUNK + r;
                    let (mean, scale) = (stats[2 * at], stats[2 * at + 1]);
                    let (x, d) = (&x[at * width..][..width], &dy[at * width..][..width]);
                    let up = |i: usize| w.as_ref().map_or(d[i], |w| d[i] * w[i]);
                    let (mut s, mut sx) = (0.0, 0.0);
                    for i in 0..width {
                        s += up(i).wide();
                        sx += (up(i) * (x[i] - mean) * scale).wide();
                    }
                    let (s, sx) = (T::of(s / width as f64), T::of(sx / width as f64));
                    for i in 0..width {
                        o[i] = scale * (up(i) - s - (x[i] - mean) * scale * sx);
                    }
                }
            }))))?;
            for i in 1..cx.arity() {
                grads.push(if cx.needs(i) {
                    let total = column_sums(rows, width, |r, total| {
                        let (mean, scale) = (stats[2 * r], stats[2 * r + 1]);
                        for (k, t) in total.iter_mut().enumerate() {
                            let d = dy[r * width + k];
                            *t += if i == 1 { (d * (x[r * width + k] - mean) * scale).wide() } else { d.wide() };
                        }
                    });
                    dense(narrow::<T>(&total, &self.shape))
                } else {
                    None
                });
            }
            Ok(grads)
        })
    }
}

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

/// Sizes (N, C, L) of x (N, C, …).
fn channels(x: &Array) -> Result<(usize, usize, usize)> {
    match x.shape() {
        [n, c, rest @ ..] => Ok((*n, *c, rest.iter().product())),
        other => Err(RbeError::shape("batch_norm", "x (N, C, …)", format!("{other:?}"))),
    }
}

impl Op for BatchNorm {
    fn rule(&self) -> &Rule {
        &table::BATCH_NORM
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        const OP: &str = "batch_norm";
        let a = x.array(0)?;
        let (n, c, l) = channels(a)?;
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
        if self.training && n * l < 2 {
            return Err(RbeError::value(OP, "more than one value per channel in training", n * l));
        }
        let a = if a.dtype().is_float() { a.contiguous() } else { a.cast(DType::F32).contiguous() };
        let affine = |i: usize| -> Result<Option<Array>> { Ok(x.optional(i)?.map(|p| p.cast(a.dtype()).contiguous())) };
        let (weight, bias) = (affine(1)?, affine(2)?);
        dispatch_float!(OP, a.dtype(), T => {
            let source = a.read::<T>();
            let (mean, var) = match &self.running {
                Some(r) if !self.training => {
                    let wide = |a: &Array| a.cast(DType::F64).to_vec::<f64>();
                    (wide(&r.mean)?, wide(&r.var)?)
                }
                _ => statistics(&source, n, c, l),
            };
            if let (true, Some(r)) = (self.training, &self.running) {
                let count = (n * l) as f64;
                let unbiased: Vec<f64> = var.iter().map(|v| v * count / (count - 1.0)).collect();
                follow(&r.mean, &mean, r.momentum)?;
                follow(&r.var, &unbiased, r.momentum)?;
            }
            let scale: Vec<f64> = var.iter().map(|v| 1.0 / (v + self.eps).sqrt()).collect();
            let stats = Array::build(&[c, 2], |out: &mut [T]| {
                for (i, o) in out.chunks_exact_mut(2).enumerate() {
                    o[0] = T::of(mean[i]);
                    o[1] = T::of(scale[i]);
                }
            });
            let value = {
                let (w, b) = (weight.as_ref().map(Array::read::<T>), bias.as_ref().map(Array::read::<T>));
                let gain: Vec<T> = (0..c).map(|i| T::of(scale[i]) * w.as_ref().map_or(T::of(1.0), |w| w[i])).collect();
                let shift: Vec<T> = (0..c).map(|i| b.as_ref().map_or(T::of(0.0), |b| b[i]) - T::of(mean[i]) * gain[i]).collect();
                Array::build(a.shape(), |out: &mut [T]| parallel::for_each_piece(out, CHUNK * c * l, |p, piece| {
                    each_run(piece, &source[p * CHUNK * c * l..], c, l, |channel, o, x| {
                        if l == 1 {
                            (0..c).for_each(|i| o[i] = x[i] * gain[i] + shift[i]);
                        } else {
                            o.iter_mut().zip(x).for_each(|(o, x)| *o = *x * gain[channel] + shift[channel]);
                        }
                    });
                }))
            };
            Ok(Output { value, kept: [stats].into_iter().collect() })
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, stats) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.kept(0)?);
        let (n, c, l) = channels(&x)?;
        let weight = if cx.arity() > 1 { Some(cx.input(1)?.cast(dy.dtype()).contiguous()) } else { None };
        dispatch_float!("batch_norm", dy.dtype(), T => {
            let (dy, x, stats, w) = (dy.read::<T>(), x.read::<T>(), stats.read::<T>(), weight.as_ref().map(Array::read::<T>));
            // Sums over N and L of dy and of dy · x̂, one pair a channel.
            let total = column_sums(n, 2 * c, |r, total| {
                let row = r * c * l;
                for (i, t) in total.chunks_exact_mut(2).enumerate() {
                    let (mean, scale) = (stats[2 * i], stats[2 * i + 1]);
                    for k in row + i * l..row + (i + 1) * l {
                        t[0] += dy[k].wide();
                        t[1] += (dy[k] * (x[k] - mean) * scale).wide();
                    }
                }
            });
            let count = (n * l) as f64;
            let mut grads = cx.one(|| Ok(Array::build(cx.shape(0), |out: &mut [T]| {
                let of = |i: usize| {
                    let (mean, scale) = (stats[2 * i], stats[2 * i + 1]);
                    let gain = scale * w.as_ref().map_or(T::of(1.0), |w| w[i]);
                    // dx = gain (dy - mean(dy) - x̂ mean(dy x̂)) in training, gain dy with fixed statistics
                    let (s, sx) = if self.training { (T::of(total[2 * i] / count), T::of(total[2 * i + 1] / count) * scale) } else { (T::of(0.0), T::of(0.0)) };
                    (gain, gain * (mean * sx - s), gain * sx)
                };
                let line: Vec<(T, T, T)> = (0..c).map(of).collect();
                parallel::for_each_piece(out, CHUNK * c * l, |p, piece| {
                    let start = p * CHUNK * c * l;
                    for (k, o) in piece.iter_mut().enumerate() {
                        let (gain, shift, slope) = line[k / l % c];
                        *o = gain * dy[start + k] + shift - slope * x[start + k];
                    }
                });
            })))?;
            for i in 1..cx.arity() {
                let sums: Vec<f64> = total.chunks_exact(2).map(|t| if i == 1 { t[1] } else { t[0] }).collect();
                grads.push(if cx.needs(i) { dense(narrow::<T>(&sums, &[c])) } else { None });
            }
            Ok(grads)
        })
    }
}

/// Calls `body(channel, out run, x run)`: whole rows of channels when `l` is 1, else one channel's run at a time.
fn each_run<T: Copy>(out: &mut [T], x: &[T], c: usize, l: usize, body: impl Fn(usize, &mut [T], &[T])) {
    let run = if l == 1 { c } else { l };
    for (i, (o, x)) in out.chunks_mut(run.max(1)).zip(x.chunks(run.max(1))).enumerate() {
        body(i % c, o, x);
    }
}

/// Mean and biased variance of every channel, in two passes.
fn statistics<T: Float>(x: &[T], n: usize, c: usize, l: usize) -> (Vec<f64>, Vec<f64>) {
    let count = (n * l) as f64;
    let sum = |f: &(dyn Fn(usize, f64) -> f64 + Sync)| {
        column_sums(n, c, |r, total| {
            for (i, t) in total.iter_mut().enumerate() {
                let start = (r * c + i) * l;
                *t += x[start..start + l].iter().map(|v| f(i, v.wide())).sum::<f64>();
            }
        })
    };
    let mean: Vec<f64> = sum(&|_, v| v).into_iter().map(|s| s / count).collect();
    let var = sum(&|i, v| (v - mean[i]).powi(2)).into_iter().map(|s| s / count).collect();
    (mean, var)
}

fn follow(running: &Array, now: &[f64], momentum: f64) -> Result<()> {
    dispatch_float!("batch_norm", running.dtype(), T => {
        for (r, v) in running.write::<T>().iter_mut().zip(now) {
            *r = T::of((1.0 - momentum) * r.wide() + momentum * v);
        }
        Ok(())
    })
}

fn with_affine<'a>(x: &'a RBETensor, weight: Option<&'a RBETensor>, bias: Option<&'a RBETensor>) -> Result<Vec<&'a RBETensor>> {
    match (weight, bias) {
        (None, Some(_)) => Err(RbeError::value("normalisation", "a weight where there is a bias", "a bias alone")),
        (weight, bias) => Ok([Some(x), weight, bias].into_iter().flatten().collect()),
    }
}

impl RBETensor {
    /// Normalises over the trailing axes `shape`; weight and bias have that shape.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit; `Value` for a bias without weight.
    pub fn layer_norm(&self, shape: &[usize], weight: Option<&RBETensor>, bias: Option<&RBETensor>, eps: f64) -> Result<RBETensor> {
        apply(LayerNorm { shape: Dims::from_slice(shape), eps }, &with_affine(self, weight, bias)?)
    }

    /// Normalises the channels of x (N, C, …): by the batch's statistics in training (the running ones follow), by the
    /// running ones else.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit; `Value` for a bias without weight, or a single value per channel in training.
    pub fn batch_norm(
        &self,
        running: Option<Running>,
        weight: Option<&RBETensor>,
        bias: Option<&RBETensor>,
        training: bool,
        eps: f64,
    ) -> Result<RBETensor> {
        let training = training || running.is_none();
        apply(BatchNorm { running, training, eps }, &with_affine(self, weight, bias)?)
    }
}
