//! Products over axes and running sums along one.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, fold_rows, normalize_axes, normalize_axis, zip};
use crate::dispatch_float;
use crate::dtype::{DType, Element, Float};
use crate::error::Result;
use crate::tape::RBETensor;

/// Numbers as they are; bool as int64.
fn countable(a: &Array) -> Array {
    if a.dtype() == DType::Bool { a.cast(DType::I64) } else { a.clone() }
}

/// Sums of the elements up to and including each along an axis.
struct Cumsum {
    axis: usize,
}

/// `body(row, out row)` for every row of `a` along `axis`.
fn along<T: Element>(a: &Array, axis: usize, body: impl Fn(&[T], &mut [T]) + Sync + Send) -> Result<Array> {
    if a.numel() == 0 {
        return Ok(Array::zeros(T::DTYPE, a.shape()));
    }
    let width = a.shape()[axis];
    let moved = a.transpose(axis as isize, -1)?.contiguous();
    let source = moved.read::<T>();
    let rows = Array::build(moved.shape(), |out: &mut [T]| fold_rows(&source, width, out, width, body));
    Ok(rows.transpose(axis as isize, -1)?.contiguous())
}

/// Running sums of a row, in double precision.
fn running<'a, T: Float>(row: impl Iterator<Item = &'a T>, out: impl Iterator<Item = &'a mut T>) {
    let mut total = 0.0;
    for (x, o) in row.zip(out) {
        total += x.wide();
        *o = T::of(total);
    }
}

impl Op for Cumsum {
    fn rule(&self) -> &Rule {
        &table::CUMSUM
    }

    fn widens_integers(&self) -> bool {
        true
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = countable(x.array(0)?);
        if a.dtype() == DType::I64 {
            let integers = |row: &[i64], out: &mut [i64]| {
                let mut total = 0i64;
                for (x, o) in row.iter().zip(out) {
                    total = total.wrapping_add(*x);
                    *o = total;
                }
            };
            return Ok(along(&a, self.axis, integers)?.into());
        }
        dispatch_float!("cumsum", a.dtype(), T => {
            Ok(along(&a, self.axis, |row: &[T], out: &mut [T]| running(row.iter(), out.iter_mut()))?.into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| {
            dispatch_float!("cumsum", cx.dy().dtype(), T => {
                along(cx.dy(), self.axis, |row: &[T], out: &mut [T]| running(row.iter().rev(), out.iter_mut().rev()))
            })
        })
    }
}

/// Product over sorted axes.
struct Prod {
    axes: Vec<usize>,
    keepdims: bool,
}

/// For every element of a row the product of the others: no division, so zeros are no exception.
fn others<T: Float>(row: &[T], out: &mut [T]) {
    let mut before = 1.0;
    for (x, o) in row.iter().zip(out.iter_mut()) {
        *o = T::of(before);
        before *= x.wide();
    }
    let mut after = 1.0;
    for (x, o) in row.iter().zip(out.iter_mut()).rev() {
        *o = T::of(o.wide() * after);
        after *= x.wide();
    }
}

impl Op for Prod {
    fn rule(&self) -> &Rule {
        &table::PROD
    }

    fn widens_integers(&self) -> bool {
        true
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = countable(x.array(0)?);
        let (moved, shape, _, inner) = a.split_axes(&self.axes);
        let kept = super::reduce::kept_shape(a.shape(), &self.axes);
        let shape = if self.keepdims { kept } else { shape };
        if a.dtype() == DType::I64 {
            let source = moved.read::<i64>();
            return Ok(Array::build(&shape, |out: &mut [i64]| {
                fold_rows(&source, inner, out, 1, |row, o| o[0] = row.iter().fold(1, |p: i64, v| p.wrapping_mul(*v)));
            })
            .into());
        }
        dispatch_float!("prod", a.dtype(), T => {
            let source = moved.read::<T>();
            Ok(Array::build(&shape, |out: &mut [T]| {
                fold_rows(&source, inner, out, 1, |row, o| o[0] = T::of(row.iter().map(|v| v.wide()).product()));
            })
            .into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let x = cx.input(0)?;
        let kept = super::reduce::kept_shape(cx.shape(0), &self.axes);
        let dy = cx.dy().reshape_to(&kept)?;
        cx.one(|| {
            if x.numel() == 0 {
                return Ok(Array::zeros(x.dtype(), x.shape()));
            }
            let (moved, _, _, inner) = x.split_axes(&self.axes);
            // split_axes puts the reduced axes last; this puts them back.
            let order: Vec<usize> = (0..x.ndim()).filter(|i| !self.axes.contains(i)).chain(self.axes.iter().copied()).collect();
            let mut inverse = vec![0isize; order.len()];
            order.iter().enumerate().for_each(|(to, from)| inverse[*from] = to as isize);
            dispatch_float!("prod", x.dtype(), T => {
                let source = moved.read::<T>();
                let rest = Array::build(moved.shape(), |out: &mut [T]| fold_rows(&source, inner, out, inner, others::<T>));
                zip("prod", &dy, &rest.permute(&inverse)?, |d: T, o: T| d * o)
            })
        })
    }
}

impl RBETensor {
    /// Sums of the elements up to and including each along `axis`; bool counts as int64.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn cumsum(&self, axis: isize) -> Result<RBETensor> {
        if self.shape().is_empty() {
            return self.with_an_axis()?.cumsum(axis)?.reshape(&[]);
        }
        apply(Cumsum { axis: normalize_axis("cumsum", axis, self.shape().len())? }, &[self])
    }

    /// Product over `axes` (all if `None`); bool counts as int64. Its gradient is right where elements are 0, too.
    ///
    /// # Errors
    /// As [`RBETensor::sum`].
    pub fn prod(&self, axes: Option<&[isize]>, keepdims: bool) -> Result<RBETensor> {
        apply(Prod { axes: normalize_axes("prod", axes, self.shape().len())?, keepdims }, &[self])
    }
}
