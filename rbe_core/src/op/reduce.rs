//! Reductions over axes.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Bound, Dims, by_rows, fold_rows, map, normalize_axes, reduce_rows, total_rows, zip, zip3};
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::kernel::dense::elementary::Elementary;
use crate::kernel::dense::elementwise::StridedRows;
use crate::kernel::dense::reduce::{
    absolute_sum, extremes, further, log_sum_exp, nonzeros, power_sum, shares, squares, ties, to_extremes, wide_sum,
};
use crate::kernel::dense::sums::PART;
use crate::memory;
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_wide};

/// What a reduction computes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Sum,
    Mean,
    /// Divisor is the count less this.
    Var(f64),
    /// Its root.
    Std(f64),
    LogSumExp,
    /// `(Σ |x|^p)^(1/p)`, p finite; the number of elements other than 0 for p = 0.
    Norm(f64),
    /// Largest or smallest over all reduced axes; equal elements share the gradient, and so do NaNs with `nan_too`.
    Extreme {
        largest: bool,
        nan_too: bool,
    },
}

/// A reduction over sorted axes.
struct Reduce {
    kind: Kind,
    axes: Vec<usize>,
    keepdims: bool,
}

/// `shape` with the reduced axes of length 1.
pub(super) fn kept_shape(shape: &[usize], axes: &[usize]) -> Dims {
    shape.iter().enumerate().map(|(i, n)| if axes.contains(&i) { 1 } else { *n }).collect()
}

impl Reduce {
    fn finish(&self, reduced: Array, shape: &[usize]) -> Result<Array> {
        if self.keepdims { reduced.reshape_to(&kept_shape(shape, &self.axes)) } else { Ok(reduced) }
    }

    fn count(&self, shape: &[usize]) -> usize {
        self.axes.iter().map(|a| shape[*a]).product()
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Mean => "mean",
            Kind::Var(_) => "var",
            Kind::Std(_) => "std",
            Kind::LogSumExp => "logsumexp",
            Kind::Norm(_) => "norm",
            Kind::Extreme { largest: true, .. } => "max",
            Kind::Extreme { largest: false, .. } => "min",
        }
    }

    /// Variances, or their roots, and the means, which backward wants: float64, one a row.
    fn spread<T: Float>(&self, a: &Array, correction: f64) -> Result<Output> {
        let (moved, shape, outer, inner) = a.split_axes(&self.axes);
        let source = moved.read::<T>();
        let (means, squares) = if inner <= PART {
            // A row is read from memory once.
            let stats = Array::build(&[outer, 2], |out: &mut [f64]| {
                fold_rows(&source, inner, out, 2, |row, o| {
                    let mean = wide_sum(row) / inner as f64;
                    o.copy_from_slice(&[mean, squares(row, mean)]);
                });
            });
            (stats.select(1, 0)?.copy(), stats.select(1, 1)?)
        } else {
            let means = map(&total_rows(&source, outer, inner, |_, part| wide_sum(part)), |s: f64| s / inner as f64);
            let centres = means.read::<f64>();
            let squares = total_rows(&source, outer, inner, |row, part| squares(part, centres[row]));
            drop(centres);
            (means, squares)
        };
        let divisor = (inner as f64 - correction).max(0.0);
        let root = matches!(self.kind, Kind::Std(_));
        let value = map(&squares, |s: f64| T::of(if root { (s / divisor).sqrt() } else { s / divisor })).reshape_to(&shape)?;
        Ok(Output::keeping(self.finish(value, a.shape())?, [means]))
    }

    /// Norms of finite p.
    fn norm<T: Elementary>(&self, a: &Array, p: f64) -> Result<Array> {
        let (moved, shape, outer, inner) = a.split_axes(&self.axes);
        let source = moved.read::<T>();
        if p == 2.0 {
            return map(&total_rows(&source, outer, inner, |_, part| squares(part, 0.0)), |s: f64| T::of(s.sqrt())).reshape_to(&shape);
        }
        if p == 1.0 || p == 0.0 {
            let of = if p == 1.0 { absolute_sum::<T> } else { nonzeros::<T> };
            return map(&total_rows(&source, outer, inner, |_, part| of(part)), |s: f64| T::of(s)).reshape_to(&shape);
        }
        // Powers of what the largest (or for a negative p the smallest) element leaves between 0 and 1 do not overflow.
        let scales = if inner == 0 { memory::zeros(outer) } else { extremes_of_magnitudes(&source, inner, outer, p > 0.0) };
        let usable = |v: f64| if v > 0.0 && v.is_finite() { v } else { 1.0 };
        let sums = total_rows(&source, outer, inner, |row, part| power_sum(part, T::of(usable(scales[row])), T::of(p)));
        let sums = sums.read::<f64>();
        Ok(Array::build(&shape, |out: &mut [T]| {
            out.iter_mut().zip(&*sums).zip(&scales).for_each(|((o, sum), scale)| *o = T::of(usable(*scale) * sum.powf(1.0 / p)));
        }))
    }
}

/// The largest or smallest magnitude of each row.
fn extremes_of_magnitudes<T: Float>(source: &[T], inner: usize, outer: usize, largest: bool) -> Vec<f64> {
    let further = |a: f64, b: f64| if largest { a.max(b) } else { a.min(b) };
    let of = |part: &[T]| part.iter().map(|v| v.abs().wide()).reduce(further).unwrap_or(0.0);
    let mut out = memory::zeros::<f64>(outer);
    reduce_rows(
        source,
        inner,
        &mut out,
        |_, rows, out: &mut [f64]| {
            let width = rows.len() / out.len();
            rows.chunks(width).zip(out).for_each(|(row, o)| *o = of(row));
        },
        further,
    );
    out
}

fn rows<T: Float>(a: &Array, axes: &[usize], body: impl Fn(&[T]) -> T + Sync + Send) -> Array {
    let (moved, shape, _, inner) = a.split_axes(axes);
    let source = moved.read::<T>();
    Array::build(&shape, |out: &mut [T]| fold_rows(&source, inner, out, 1, |row, o| o[0] = body(row)))
}

impl Op for Reduce {
    fn rule(&self) -> &Rule {
        match self.kind {
            Kind::Sum => &table::SUM,
            Kind::Mean => &table::MEAN,
            Kind::Var(_) => &table::VAR,
            Kind::Std(_) => &table::STD,
            Kind::LogSumExp => &table::LOGSUMEXP,
            Kind::Norm(_) => &table::NORM,
            Kind::Extreme { largest: true, .. } => &table::MAX,
            Kind::Extreme { largest: false, .. } => &table::MIN,
        }
    }

    fn widens_integers(&self) -> bool {
        matches!(self.kind, Kind::Sum)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let name = self.name();
        if matches!(self.kind, Kind::Sum) {
            return Ok(self.finish(a.sum_axes(&self.axes), a.shape())?.into());
        }
        if let Kind::Extreme { largest, .. } = self.kind {
            if self.count(a.shape()) == 0 {
                return Err(RbeError::value(name, "at least one element to compare", format!("shape {:?}", a.shape())));
            }
            let (moved, shape, _, inner) = a.split_axes(&self.axes);
            let out = dispatch_wide!(name, a.dtype(), T => {
                let source = moved.read::<T>();
                Ok(Array::build(&shape, |out: &mut [T]| {
                    reduce_rows(&source, inner, out, |_, rows, out| extremes(rows, largest, out), |a, b| further(a, b, largest));
                }))
            })?;
            return Ok(self.finish(out.relabel(a.dtype()), a.shape())?.into());
        }
        let a = a.floating();
        let out = dispatch_float!(name, a.dtype(), T => match self.kind {
            Kind::Mean => Ok(a.mean_axes(&self.axes)),
            Kind::Var(correction) | Kind::Std(correction) => return self.spread::<T>(&a, correction),
            Kind::Norm(p) => self.norm::<T>(&a, p),
            _ => Ok(rows(&a, &self.axes, log_sum_exp::<T>)),
        })?;
        Ok(self.finish(out, a.shape())?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let shape = cx.shape(0);
        let keep = kept_shape(shape, &self.axes);
        let dy = cx.dy().reshape_to(&keep)?;
        let count = self.count(shape) as f64;
        let name = self.name();
        if self.kind == Kind::Norm(0.0) {
            return Ok([None].into_iter().collect()); // a count: nothing flows back, as in torch
        }
        cx.one(|| {
            dispatch_float!(name, dy.dtype(), T => match self.kind {
                Kind::Sum => dy.broadcast_to(shape),
                Kind::Mean => map(&dy, |d: T| T::of(d.wide() / count)).broadcast_to(shape),
                Kind::Var(correction) | Kind::Std(correction) => {
                    let means = cx.kept(0)?.reshape_to(&keep)?;
                    let slopes = match self.kind {
                        Kind::Var(_) => map(&dy, |d: T| 2.0 * d.wide() / (count - correction)),
                        // Of equal elements the deviation has no slope: 0, as torch has it.
                        _ => zip(name, &dy, &cx.output()?.reshape_to(&keep)?, |d: T, y: T| {
                            if y == T::of(0.0) { 0.0 } else { d.wide() / (y.wide() * (count - correction)) }
                        })?,
                    };
                    zip3(name, &slopes, cx.input(0)?, &means, |slope: f64, x: T, m: f64| T::of(slope * (x.wide() - m)))
                }
                Kind::LogSumExp => {
                    let y = cx.output()?.reshape_to(&keep)?;
                    by_rows(name, &[&dy, cx.input(0)?, &y], Bound::Arithmetic, |x: &[StridedRows<'_, T>], out| shares(x[0], x[1], x[2], out))
                }
                Kind::Norm(p) => {
                    let (zero, power) = (T::of(0.0), T::of(p - 1.0));
                    let sign = |x: T| if x > zero { T::of(1.0) } else if x < zero { T::of(-1.0) } else { zero };
                    let (x, y) = (cx.input(0)?, cx.output()?.reshape_to(&keep)?);
                    if p == 1.0 {
                        zip(name, &dy, x, |d: T, x: T| d * sign(x))
                    } else if p == 2.0 {
                        zip3(name, &dy, x, &y, |d: T, x: T, y: T| if y == zero { zero } else { d * (x / y) })
                    } else {
                        let slope = |d: T, x: T, y: T| if y == zero || x == zero { zero } else { d * sign(x) * (x.abs() / y).fast_pow(power) };
                        zip3(name, &dy, x, &y, slope)
                    }
                }
                Kind::Extreme { nan_too, .. } => {
                    let (x, y) = (cx.input(0)?, cx.output()?.reshape_to(&keep)?);
                    let (moved, _, _, inner) = x.split_axes(&self.axes);
                    let (source, values) = (moved.read::<T>(), y.contiguous().to_vec::<T>()?);
                    let count = Array::build(&keep, |out: &mut [T]| {
                        reduce_rows(&source, inner, out, |first, rows, out| ties(rows, &values[first..], nan_too, out), |a, b| a + b);
                    });
                    by_rows(name, &[&dy, x, &y, &count], Bound::Memory, |x: &[StridedRows<'_, T>], out| {
                        to_extremes(x[0], x[1], x[2], x[3], nan_too, out);
                    })
                }
            })
        })
    }
}

impl RBETensor {
    fn reduce(&self, kind: Kind, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        let op = Reduce { kind, axes: Vec::new(), keepdims };
        let axes = normalize_axes(op.name(), axes, self.shape().len())?;
        apply(Reduce { axes, ..op }, &[self])
    }

    /// Sum over `axes` (all if `None`).
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn sum(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Sum, axes, keepdims)
    }

    /// Mean over `axes` (all if `None`).
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn mean(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Mean, axes, keepdims)
    }

    /// Variance over `axes`: the sum of squared deviations over `count - correction`.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn var(&self, axes: Option<&[isize]>, correction: f64, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Var(correction), axes, keepdims)
    }

    /// `ln Σ e^x` over `axes`, without overflow.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn logsumexp(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::LogSumExp, axes, keepdims)
    }

    /// Standard deviation over `axes`: the root of [`RBETensor::var`]; the gradient of equal elements is 0.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn std(&self, axes: Option<&[isize]>, correction: f64, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Std(correction), axes, keepdims)
    }

    /// `(Σ |x|^p)^(1/p)` over `axes`: 2 gives the Euclidean length, infinity the largest magnitude, minus infinity the smallest, 0 the
    /// number of elements other than 0. The gradient of a norm 0 is 0.
    ///
    /// # Errors
    /// As [`RBETensor::sum`]; `Value` for NaN as `p`, or an infinite one of no elements.
    pub fn norm(&self, p: f64, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        if p.is_nan() {
            return Err(RbeError::value("norm", "a number as p", p));
        }
        if p.is_infinite() {
            let magnitudes = self.cast(self.dtype().floating())?.abs()?;
            return magnitudes.reduce(Kind::Extreme { largest: p > 0.0, nan_too: true }, axes, keepdims);
        }
        self.reduce(Kind::Norm(p), axes, keepdims)
    }

    /// Largest element over `axes`; equal ones share the gradient, and so do NaNs.
    ///
    /// # Errors
    /// As [`RBETensor::sum`]; `Value` if there is no element.
    pub fn max(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Extreme { largest: true, nan_too: true }, axes, keepdims)
    }

    /// Smallest element over `axes`; equal ones share the gradient, and so do NaNs.
    ///
    /// # Errors
    /// As [`RBETensor::max`].
    pub fn min(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Extreme { largest: false, nan_too: true }, axes, keepdims)
    }

    /// As [`RBETensor::max`] and [`RBETensor::min`], but that the gradient of NaN is NaN for all, as torch's `amax` has it.
    ///
    /// # Errors
    /// As [`RBETensor::max`].
    pub fn extreme(&self, largest: bool, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Extreme { largest, nan_too: false }, axes, keepdims)
    }

    /// Whether any (`all = false`) or every element over `axes` is not 0.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn truth(&self, all: bool, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        let op = if all { "all" } else { "any" };
        let axes = normalize_axes(op, axes, self.shape().len())?;
        RBETensor::unrecorded(op, &[self], || {
            let a = self.array(op)?.cast(DType::Bool);
            let (moved, shape, _, inner) = a.split_axes(&axes);
            let source = moved.read::<u8>();
            let out = Array::build(&shape, |out: &mut [u8]| {
                if inner == 0 {
                    out.fill(u8::from(all));
                } else {
                    fold_rows(&source, inner, out, 1, |row, o| {
                        o[0] = u8::from(if all { row.iter().all(|v| *v != 0) } else { row.iter().any(|v| *v != 0) });
                    });
                }
            });
            if keepdims { out.reshape_to(&kept_shape(a.shape(), &axes)) } else { Ok(out) }
        })
    }
}
