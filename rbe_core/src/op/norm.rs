//! Normalisation over trailing axes.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, Dims};
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::kernel::dense::row_norm;
use crate::kernel::dense::stream::{LARGE, Streaming};
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;

/// Rows of one parallel piece.
const CHUNK: usize = 128;

pub(super) fn narrow<T: Float>(values: &[f64], shape: &[usize]) -> Array {
    Array::build(shape, |out: &mut [T]| out.iter_mut().zip(values).for_each(|(o, v)| *o = T::of(*v)))
}

/// Each row of `width` elements to mean 0 and variance 1, or to mean square 1, then an affine map. Inputs: x, optional weight and bias
/// (width).
struct RowNorm {
    shape: Dims,   // trailing axes
    centred: bool, // to mean 0
    eps: f64,
}

impl RowNorm {
    fn name(&self) -> &'static str {
        if self.centred { "layer_norm" } else { "rms_norm" }
    }
}

impl Op for RowNorm {
    fn rule(&self) -> &Rule {
        if self.centred { &table::LAYER_NORM } else { &table::RMS_NORM }
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let op = self.name();
        let a = x.array(0)?;
        let width: usize = self.shape.iter().product();
        if a.ndim() < self.shape.len() || a.shape()[a.ndim() - self.shape.len()..] != self.shape[..] {
            return Err(RbeError::shape(op, format!("x (…, {:?})", self.shape.as_slice()), format!("{:?}", a.shape())));
        }
        for i in 1..x.len() {
            if x.array(i)?.shape() != self.shape.as_slice() {
                return Err(RbeError::shape(
                    op,
                    format!("weight and bias {:?}", self.shape.as_slice()),
                    format!("{:?}", x.array(i)?.shape()),
                ));
            }
        }
        let a = a.floating().contiguous();
        let affine = |i: usize| -> Result<Option<Array>> { Ok(x.optional(i)?.map(|p| p.cast(a.dtype()).contiguous())) };
        let (weight, bias) = (affine(1)?, affine(2)?);
        if a.numel() == 0 {
            let rows: usize = a.shape()[..a.ndim() - self.shape.len()].iter().product();
            let (value, stats) = (Array::zeros(a.dtype(), a.shape()), Array::zeros(a.dtype(), &[rows, 2]));
            return Ok(Output::keeping(value, [stats]));
        }
        dispatch_float!(op, a.dtype(), T => {
            let source = a.read::<T>();
            let (w, b) = (weight.as_ref().map(Array::read::<T>), bias.as_ref().map(Array::read::<T>));
            let stats = Array::build(&[a.numel() / width, 2], |_: &mut [T]| {});
            let value = Array::build(a.shape(), |out: &mut [T]| {
                let non_temporal = size_of_val(out) >= LARGE;
                let mut stats = stats.write::<T>();
                let of_pieces = out.chunks_mut(CHUNK * width).zip(stats.as_chunks_mut::<2>().0.chunks_mut(CHUNK));
                parallel::for_each_mut(&mut memory::collect(of_pieces), |p, (piece, stats)| {
                    let non_temporal = non_temporal.then(Streaming::new);
                    let rows = source[p * CHUNK * width..].chunks(width).zip(piece.chunks_mut(width));
                    for ((x, o), stats) in rows.zip(stats.iter_mut()) {
                        let statistics = match self.centred {
                            true => row_norm::statistics(x, self.eps),
                            false => [0.0, row_norm::inverse_root_mean_square(x, self.eps)],
                        };
                        let [mean, scale] = statistics.map(T::of);
                        row_norm::normalise(row_norm::Row { x, mean, scale }, w.as_deref(), b.as_deref(), o, non_temporal.as_ref());
                        *stats = [mean, scale];
                    }
                });
            });
            Ok(Output::keeping(value, [stats]))
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, stats) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.kept(0)?);
        let width: usize = self.shape.iter().product();
        let weight = if cx.arity() > 1 { Some(cx.input(1)?.cast(dy.dtype()).contiguous()) } else { None };
        let affine = cx.needs(1) || cx.needs(2);
        dispatch_float!(self.name(), dy.dtype(), T => {
            let (d, x, stats, w) = (dy.read::<T>(), x.read::<T>(), stats.read::<T>(), weight.as_ref().map(Array::read::<T>));
            let stats = stats.as_chunks::<2>().0;
            // Gradients of weight and bias: sums over the rows of a piece, and of those in order.
            let mut totals = memory::zeros::<f64>(if affine { 2 * width } else { 0 });
            let dx = Array::build(cx.shape(0), |out: &mut [T]| {
                let mut pieces = memory::collect(out.chunks_mut((CHUNK * width).max(1)));
                let parts = parallel::map_mut(&mut pieces, |p, piece| {
                    let mut part = memory::filled(<T as Float>::of(0.0), totals.len());
                    let rows = x[p * CHUNK * width..].chunks(width).zip(d[p * CHUNK * width..].chunks(width));
                    for ((o, (x, d)), stats) in piece.chunks_mut(width).zip(rows).zip(&stats[p * CHUNK..]) {
                        let sums = if affine { Some(part.split_at_mut(width)) } else { None };
                        row_norm::backward(row_norm::Row { x, mean: stats[0], scale: stats[1] }, d, self.centred, w.as_deref(), o, sums);
                    }
                    part
                });
                for part in parts {
                    totals.iter_mut().zip(part).for_each(|(t, p)| *t += p.wide());
                }
            });
            let mut grads = cx.one(|| Ok(dx))?;
            for i in 1..cx.arity() {
                grads.push(if cx.needs(i) { dense(narrow::<T>(&totals[(i - 1) * width..i * width], &self.shape)) } else { None });
            }
            Ok(grads)
        })
    }
}

/// Calls `run` with x, the weight and the bias, of those that are there; beside a bias alone stands a weight of ones.
pub(super) fn with_affine(
    x: &RBETensor,
    weight: Option<&RBETensor>,
    bias: Option<&RBETensor>,
    run: impl FnOnce(&[&RBETensor]) -> Result<RBETensor>,
) -> Result<RBETensor> {
    match (weight, bias) {
        (None, None) => run(&[x]),
        (Some(weight), None) => run(&[x, weight]),
        (Some(weight), Some(bias)) => run(&[x, weight, bias]),
        (None, Some(bias)) => run(&[x, &RBETensor::from_array(Array::full(bias.dtype(), bias.shape(), 1.0)), bias]),
    }
}

impl RBETensor {
    /// Normalises over the trailing axes `shape`; weight and bias have that shape.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit.
    pub fn layer_norm(&self, shape: &[usize], weight: Option<&RBETensor>, bias: Option<&RBETensor>, eps: f64) -> Result<RBETensor> {
        with_affine(self, weight, bias, |inputs| apply(RowNorm { shape: Dims::from_slice(shape), centred: true, eps }, inputs))
    }

    /// Divides by the root of the mean square over the trailing axes `shape` (Zhang, Sennrich 2019); the weight has that shape.
    ///
    /// # Errors
    /// `Shape` if the shapes do not fit.
    pub fn rms_norm(&self, shape: &[usize], weight: Option<&RBETensor>, eps: f64) -> Result<RBETensor> {
        with_affine(self, weight, None, |inputs| apply(RowNorm { shape: Dims::from_slice(shape), centred: false, eps }, inputs))
    }
}
