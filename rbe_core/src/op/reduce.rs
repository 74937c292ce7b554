//! Reductions over axes.

use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Bound, Dims, by_rows, fold_rows, map, normalize_axes, normalize_axis, reduce_rows, zip3};
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::graph::apply;
use crate::kernel::each::Grid;
use crate::kernel::reduce::{extremes, further, log_sum_exp, mean, shares, squares, ties, to_extremes};
use crate::tensor::RBETensor;
use crate::{dispatch_all, dispatch_float};

/// What a reduction computes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Sum,
    Mean,
    /// Divisor is the count less this.
    Var(f64),
    LogSumExp,
    /// Euclidean length.
    Norm,
    /// Largest or smallest over all reduced axes; equal elements share the gradient.
    Extreme {
        largest: bool,
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
            Kind::LogSumExp => "logsumexp",
            Kind::Norm => "norm",
            Kind::Extreme { largest: true } => "max",
            Kind::Extreme { largest: false } => "min",
        }
    }
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
            Kind::LogSumExp => &table::LOGSUMEXP,
            Kind::Norm => &table::NORM,
            Kind::Extreme { largest: true } => &table::MAX,
            Kind::Extreme { largest: false } => &table::MIN,
        }
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let name = self.name();
        if matches!(self.kind, Kind::Sum) {
            return Ok(self.finish(a.sum_axes(&self.axes), a.shape())?.into());
        }
        let count = self.count(a.shape());
        if let Kind::Extreme { largest } = self.kind {
            if count == 0 {
                return Err(RbeError::value(name, "at least one element to compare", format!("shape {:?}", a.shape())));
            }
            let (moved, shape, _, inner) = a.split_axes(&self.axes);
            let out = dispatch_all!(a.dtype(), T => {
                let source = moved.read::<T>();
                Array::build(&shape, |out: &mut [T]| {
                    reduce_rows(&source, inner, out, |_, rows, out| extremes(rows, largest, out), |a, b| further(a, b, largest));
                })
            });
            return Ok(self.finish(out, a.shape())?.into());
        }
        let a = if a.dtype().is_float() { a.clone() } else { a.cast(DType::F32) };
        let out = dispatch_float!(name, a.dtype(), T => Ok(match self.kind {
            Kind::Mean => {
                let scale = T::of(1.0 / count as f64);
                map(&a.sum_axes(&self.axes), |s: T| s * scale)
            }
            Kind::Var(correction) => rows(&a, &self.axes, |row: &[T]| {
                let m = mean(row);
                T::of(squares(row, m) / (count as f64 - correction).max(0.0))
            }),
            Kind::Norm => rows(&a, &self.axes, |row: &[T]| T::of(squares(row, 0.0).sqrt())),
            _ => rows(&a, &self.axes, log_sum_exp::<T>),
        }))?;
        Ok(self.finish(out, a.shape())?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let shape = cx.shape(0);
        let keep = kept_shape(shape, &self.axes);
        let dy = cx.dy().reshape_to(&keep)?;
        let count = self.count(shape) as f64;
        let name = self.name();
        cx.one(|| {
            dispatch_float!(name, dy.dtype(), T => match self.kind {
                Kind::Sum => dy.broadcast_to(shape),
                Kind::Mean => map(&dy, |d: T| d * T::of(1.0 / count)).broadcast_to(shape),
                Kind::Var(correction) => {
                    let x = cx.input(0)?;
                    let means = rows(x, &self.axes, |row: &[T]| T::of(mean(row))).reshape_to(&keep)?;
                    let scale = T::of(2.0 / (count - correction));
                    zip3(name, &dy, x, &means, |d: T, x: T, m: T| d * (x - m) * scale)
                }
                Kind::LogSumExp => {
                    let y = cx.output()?.reshape_to(&keep)?;
                    by_rows(name, &[&dy, cx.input(0)?, &y], Bound::Arithmetic, |x: &[Grid<'_, T>], out| shares(x[0], x[1], x[2], out))
                }
                Kind::Norm => {
                    let slope = |d: T, x: T, y: T| if y > T::of(0.0) { d * (x / y) } else { T::of(0.0) };
                    zip3(name, &dy, cx.input(0)?, &cx.output()?.reshape_to(&keep)?, slope)
                }
                Kind::Extreme { .. } => {
                    let (x, y) = (cx.input(0)?, cx.output()?.reshape_to(&keep)?);
                    let (moved, _, _, inner) = x.split_axes(&self.axes);
                    let (source, values) = (moved.read::<T>(), y.contiguous().to_vec::<T>()?);
                    let count = Array::build(&keep, |out: &mut [T]| {
                        reduce_rows(&source, inner, out, |first, rows, out| ties(rows, &values[first..], out), |a, b| a + b);
                    });
                    by_rows(name, &[&dy, x, &y, &count], Bound::Memory, |x: &[Grid<'_, T>], out| to_extremes(x[0], x[1], x[2], x[3], out))
                }
            })
        })
    }
}

/// Position of the first largest or smallest element; a NaN counts as both.
fn place_of_extreme<T: PartialOrd + Copy>(row: &[T], largest: bool) -> usize {
    let mut best = 0;
    for (i, v) in row.iter().enumerate() {
        if v.partial_cmp(v).is_none() {
            return i;
        }
        if if largest { *v > row[best] } else { *v < row[best] } {
            best = i;
        }
    }
    best
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

    /// Euclidean length `sqrt(Σ x²)` over `axes`; the gradient of length 0 is 0.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn norm(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Norm, axes, keepdims)
    }

    /// Largest element over `axes`; equal ones share the gradient.
    ///
    /// # Errors
    /// As [`RBETensor::sum`]; `Value` if there is no element.
    pub fn max(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Extreme { largest: true }, axes, keepdims)
    }

    /// Smallest element over `axes`; equal ones share the gradient.
    ///
    /// # Errors
    /// As [`RBETensor::max`].
    pub fn min(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        self.reduce(Kind::Extreme { largest: false }, axes, keepdims)
    }

    /// Positions (int64) of the first largest elements along `axis`, or in the flattened tensor.
    ///
    /// # Errors
    /// As [`RBETensor::max`].
    pub fn argmax(&self, axis: Option<isize>, keepdims: bool) -> Result<RBETensor> {
        self.arg_extreme("argmax", axis, keepdims, true)
    }

    /// Positions (int64) of the first smallest elements along `axis`, or in the flattened tensor.
    ///
    /// # Errors
    /// As [`RBETensor::max`].
    pub fn argmin(&self, axis: Option<isize>, keepdims: bool) -> Result<RBETensor> {
        self.arg_extreme("argmin", axis, keepdims, false)
    }

    fn arg_extreme(&self, op: &'static str, axis: Option<isize>, keepdims: bool, largest: bool) -> Result<RBETensor> {
        let a = self.array(op)?;
        let axes = match axis {
            Some(axis) => vec![normalize_axis(op, axis, a.ndim())?],
            None => (0..a.ndim()).collect(),
        };
        let (moved, shape, outer, inner) = a.split_axes(&axes);
        if inner == 0 && outer > 0 {
            return Err(RbeError::value(op, "at least one element to compare", format!("shape {:?}", a.shape())));
        }
        let out = dispatch_all!(a.dtype(), T => {
            let source = moved.read::<T>();
            Array::build(&shape, |out: &mut [i64]| fold_rows(&source, inner, out, 1, |row, o| o[0] = place_of_extreme(row, largest) as i64))
        });
        Ok(RBETensor::from_array(if keepdims { out.reshape_to(&kept_shape(a.shape(), &axes))? } else { out }))
    }

    /// Whether any (`all = false`) or every element over `axes` is not 0.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn truth(&self, all: bool, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        let op = if all { "all" } else { "any" };
        let a = self.array(op)?.cast(DType::Bool);
        let axes = normalize_axes(op, axes, a.ndim())?;
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
        Ok(RBETensor::from_array(if keepdims { out.reshape_to(&kept_shape(a.shape(), &axes))? } else { out }))
    }
}
