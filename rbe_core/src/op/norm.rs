//! Normalisation over trailing axes.

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

pub(super) fn narrow<T: Float>(values: &[f64], shape: &[usize]) -> Array {
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

pub(super) fn with_affine<'a>(x: &'a RBETensor, weight: Option<&'a RBETensor>, bias: Option<&'a RBETensor>) -> Result<Vec<&'a RBETensor>> {
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
}
