//! Order along an axis: sorting, the few largest, and the largest or smallest with its position.

use std::cmp::Ordering;

use super::apply::apply_many;
use super::reduce::kept_shape;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Dims, fold_rows, normalize_axes, normalize_axis};
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_size, dispatch_wide};

/// Order of two elements; NaN is above everything, as in NumPy and torch.
fn compare<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |v: &T| v.partial_cmp(v).is_none();
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

/// Positions in `row` of its first `out.len()` elements in order; equal elements keep their order.
fn leading<T: PartialOrd>(row: &[T], descending: bool, out: &mut [i64]) {
    let order = |a: &i64, b: &i64| {
        let by_value = compare(&row[*a as usize], &row[*b as usize]);
        (if descending { by_value.reverse() } else { by_value }).then(a.cmp(b))
    };
    let mut places = memory::collect(0..row.len() as i64);
    if out.len() < places.len() {
        places.select_nth_unstable_by(out.len() - 1, order);
        places.truncate(out.len());
    }
    places.sort_unstable_by(order); // positions break ties, so the order is total
    out.copy_from_slice(&places);
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

/// Which elements of a row are taken, and in which order.
#[derive(Debug, Clone, Copy)]
enum Taken {
    /// All in order.
    Sorted { descending: bool },
    /// The first few in order.
    First { count: usize, descending: bool },
    /// The first of the largest or smallest.
    Extreme { largest: bool },
}

impl Taken {
    /// Number of elements taken from each of `rows` rows of `width` along `axis`.
    fn count(self, op: &'static str, axis: usize, width: usize, rows: usize) -> Result<usize> {
        match self {
            Taken::Sorted { .. } => Ok(width),
            Taken::First { count, .. } if count <= width => Ok(count),
            Taken::First { count, .. } => Err(RbeError::value(op, format!("at most {width} elements of axis {axis}"), count)),
            Taken::Extreme { .. } if width > 0 || rows == 0 => Ok(1),
            Taken::Extreme { .. } => Err(RbeError::value(op, "at least one element to compare", format!("none on axis {axis}"))),
        }
    }

    /// Cost of taking them of `elements`: what is to be put in order is compared as often as a sort compares.
    fn cost(self, elements: u64) -> u64 {
        match self {
            Taken::Sorted { .. } | Taken::First { .. } => elements.saturating_mul(u64::from(elements.max(2).ilog2())),
            Taken::Extreme { .. } => elements,
        }
    }

    fn positions<T: PartialOrd + Copy>(self, row: &[T], out: &mut [i64]) {
        match self {
            Taken::Sorted { descending } | Taken::First { descending, .. } => leading(row, descending, out),
            Taken::Extreme { largest } => out[0] = place_of_extreme(row, largest) as i64,
        }
    }
}

/// Rows of `a` along `axis`, contiguous, and the positions that are taken of each.
fn ranked(op: &'static str, a: &Array, axis: usize, taken: Taken) -> Result<(Array, Array)> {
    let rows = a.transpose(axis as isize, -1)?.contiguous();
    let mut shape = Dims::from_slice(rows.shape());
    let last = shape.len() - 1;
    let width = shape[last];
    let count = taken.count(op, axis, width, shape[..last].iter().product())?;
    shape[last] = count;
    if shape.contains(&0) {
        return Ok((rows, Array::zeros(DType::I64, &shape)));
    }
    let places = dispatch_wide!(op, rows.dtype(), T => {
        let source = rows.read::<T>();
        Ok(Array::build(&shape, |out: &mut [i64]| fold_rows(&source, width, out, count, |row, out| taken.positions(row, out))))
    })?;
    Ok((rows, places))
}

/// Rows back along their axis.
fn back(rows: &Array, axis: usize) -> Result<Array> {
    Ok(rows.transpose(axis as isize, -1)?.contiguous())
}

/// Some elements along an axis and their positions (int64). Input: a tensor of at least one axis. Outputs: elements, positions.
struct Ranked {
    rule: &'static Rule,
    axis: usize,
    taken: Taken,
}

impl Op for Ranked {
    fn rule(&self) -> &Rule {
        self.rule
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        self.taken.cost(x.elements(0))
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (rows, places) = ranked(&self.rule.name, x.array(0)?, self.axis, self.taken)?;
        let (width, count) = (rows.shape()[rows.ndim() - 1].max(1), places.shape()[rows.ndim() - 1].max(1));
        let values = dispatch_size!(rows.dtype(), T => {
            let (source, at) = (rows.read::<T>(), places.read::<i64>());
            Array::build(places.shape(), |out: &mut [T]| {
                let rows = out.chunks_mut(count).zip(at.chunks(count)).zip(source.chunks(width));
                rows.for_each(|((out, at), row)| out.iter_mut().zip(at).for_each(|(o, i)| *o = row[*i as usize]));
            })
        })
        .relabel(rows.dtype());
        Ok(Output::several([back(&values, self.axis)?, back(&places, self.axis)?]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let name: &'static str = &self.rule.name;
        let rows = |a: &Array| -> Result<Array> { Ok(a.transpose(self.axis as isize, -1)?.contiguous()) };
        let mut shape = Dims::from_slice(cx.shape(0));
        let last = shape.len() - 1;
        shape.swap(self.axis, last);
        cx.one(|| {
            let (dy, places) = (rows(cx.dy())?, rows(cx.output_at(1)?)?);
            let (width, count) = (shape[last].max(1), dy.shape()[last].max(1));
            let whole = dispatch_float!(name, dy.dtype(), T => {
                let (dy, at) = (dy.read::<T>(), places.read::<i64>());
                Ok(Array::build(&shape, |out: &mut [T]| {
                    out.fill(T::of(0.0));
                    let rows = out.chunks_mut(width).zip(at.chunks(count)).zip(dy.chunks(count));
                    rows.for_each(|((out, at), dy)| at.iter().zip(dy).for_each(|(i, d)| out[*i as usize] += *d));
                }))
            })?;
            back(&whole, self.axis)
        })
    }
}

impl RBETensor {
    /// The elements that are taken along `axis`, and their positions.
    fn taken(&self, rule: &'static Rule, axis: isize, taken: Taken) -> Result<(RBETensor, RBETensor)> {
        let whole = self.with_an_axis()?;
        let axis = normalize_axis(&rule.name, axis, whole.shape().len())?;
        let [values, places] = apply_many(Ranked { rule, axis, taken }, &[&whole])?;
        match (self.shape(), taken) {
            ([], Taken::First { count: 0, .. }) => Ok((values, places)),
            ([], _) => Ok((values.reshape(&[])?, places.reshape(&[])?)),
            _ => Ok((values, places)),
        }
    }

    /// Positions (int64) of the elements along `axis` in ascending or descending order; equal elements keep their order
    /// and NaN counts as largest.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn argsort(&self, axis: isize, descending: bool) -> Result<RBETensor> {
        const OP: &str = "argsort";
        let whole = self.with_an_axis()?;
        let a = whole.array(OP)?;
        let axis = normalize_axis(OP, axis, a.ndim())?;
        let places = RBETensor::unrecorded(OP, &[&whole], || back(&ranked(OP, &a.wide(), axis, Taken::Sorted { descending })?.1, axis))?;
        if self.shape().is_empty() { places.reshape(&[]) } else { Ok(places) }
    }

    /// The elements in order along `axis`, and their positions (int64) as [`RBETensor::argsort`] gives them. Gradients
    /// flow through the elements.
    ///
    /// # Errors
    /// As [`RBETensor::argsort`].
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(RBETensor, RBETensor)> {
        self.taken(&table::SORT, axis, Taken::Sorted { descending })
    }

    /// The `k` largest (or smallest) elements along `axis` in order, and their positions (int64). Gradients flow through
    /// the elements.
    ///
    /// # Errors
    /// As [`RBETensor::argsort`]; `Value` if the axis has fewer than `k` elements.
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> Result<(RBETensor, RBETensor)> {
        self.taken(&table::TOPK, axis, Taken::First { count: k, descending: largest })
    }

    /// The largest (or smallest) elements along `axis`, which stays with length 1 if `keepdims`, and their positions (int64). Of
    /// equal elements the first is taken and receives the gradient; NaN is above and below everything.
    ///
    /// # Errors
    /// As [`RBETensor::argsort`]; `Value` if there is no element.
    pub fn extreme_along(&self, largest: bool, axis: isize, keepdims: bool) -> Result<(RBETensor, RBETensor)> {
        let rule = if largest { &table::MAX_ALONG } else { &table::MIN_ALONG };
        let (values, places) = self.taken(rule, axis, Taken::Extreme { largest })?;
        if keepdims || self.shape().is_empty() {
            return Ok((values, places));
        }
        Ok((values.squeeze(Some(&[axis]))?, places.squeeze(Some(&[axis]))?))
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
        let axes = normalize_axes(op, axis.as_ref().map(std::slice::from_ref), a.ndim())?;
        RBETensor::unrecorded(op, &[self], || {
            let (moved, shape, outer, inner) = a.wide().split_axes(&axes);
            if inner == 0 && outer > 0 {
                return Err(RbeError::value(op, "at least one element to compare", format!("shape {:?}", a.shape())));
            }
            let out = dispatch_wide!(op, moved.dtype(), T => {
                let source = moved.read::<T>();
                let place = |row: &[T], o: &mut [i64]| o[0] = place_of_extreme(row, largest) as i64;
                Ok(Array::build(&shape, |out: &mut [i64]| fold_rows(&source, inner, out, 1, place)))
            })?;
            if keepdims { out.reshape_to(&kept_shape(a.shape(), &axes)) } else { Ok(out) }
        })
    }
}
