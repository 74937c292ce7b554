//! New shapes, parts and element types of one tensor; joining several.

use smallvec::SmallVec;

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, SliceSpec, map_into, normalize_axes, normalize_axis};
use crate::dispatch_size;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::tape::{RBETensor, Value};

/// Another shape for the same elements.
enum View {
    Reshape(SmallVec<[isize; 4]>),
    Permute(SmallVec<[isize; 4]>),
    Broadcast(SmallVec<[usize; 4]>),
}

impl Op for View {
    fn rule(&self) -> &Rule {
        match self {
            View::Reshape(_) => &table::RESHAPE,
            View::Permute(_) => &table::PERMUTE,
            View::Broadcast(_) => &table::BROADCAST,
        }
    }

    fn is_view(&self) -> bool {
        true
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        // Only another shape may need a copy.
        match x.value(0) {
            Value::Dense(a) if matches!(self, View::Reshape(_)) && !a.is_contiguous() => x.elements(0),
            _ => 0,
        }
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        Ok(match self {
            View::Reshape(shape) => a.reshape(shape)?,
            View::Permute(axes) => a.permute(axes)?,
            View::Broadcast(shape) => a.broadcast_to(shape)?,
        }
        .into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| match self {
            View::Reshape(_) => cx.dy().reshape_to(cx.shape(0)),
            View::Permute(axes) => {
                let n = axes.len() as isize;
                let mut inverse: SmallVec<[isize; 4]> = SmallVec::from_elem(0, axes.len());
                for (i, axis) in axes.iter().enumerate() {
                    inverse[axis.rem_euclid(n) as usize] = i as isize;
                }
                cx.dy().permute(&inverse)
            }
            View::Broadcast(_) => Ok(cx.dy().clone()), // the engine sums
        })
    }
}

/// Part of every axis.
struct Slice(SmallVec<[SliceSpec; 4]>);

impl Slice {
    fn part(&self, a: &Array) -> Result<Array> {
        self.0.iter().enumerate().try_fold(a.clone(), |a, (axis, spec)| a.slice_axis(axis, *spec))
    }
}

impl Op for Slice {
    fn rule(&self) -> &Rule {
        &table::SLICE
    }

    fn is_view(&self) -> bool {
        true
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        Ok(self.part(x.array(0)?)?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| {
            let whole = Array::zeros(cx.dy().dtype(), cx.shape(0));
            let part = self.part(&whole)?;
            dispatch_size!(cx.dy().dtype(), T => map_into(&part, cx.dy(), |_: T, d: T| d))?;
            Ok(whole)
        })
    }
}

/// Another element type.
struct Cast(DType);

impl Op for Cast {
    fn rule(&self) -> &Rule {
        &table::CAST
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        Ok(x.array(0)?.cast(self.0).into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| Ok(cx.dy().clone())) // the engine converts
    }
}

/// The elements in memory of their own.
struct Copied;

impl Op for Copied {
    fn rule(&self) -> &Rule {
        &table::CLONE
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        Ok(x.array(0)?.copy().into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| Ok(cx.dy().clone()))
    }
}

/// Tensors one after another along an axis. Those of shape (0) among others count for their element type alone.
struct Concat {
    axis: usize,
}

/// Whether [`Concat`] passes over a tensor of this shape.
fn is_nothing(shape: &[usize]) -> bool {
    shape == [0]
}

impl Op for Concat {
    fn rule(&self) -> &Rule {
        &table::CONCAT
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let mut parts = x.arrays()?;
        let dtype = parts.iter().map(|a| a.dtype()).reduce(DType::promote).unwrap_or(DType::F32);
        if parts.iter().any(|a| !is_nothing(a.shape())) {
            parts.retain(|a| !is_nothing(a.shape()));
        }
        let mut shape = crate::array::Dims::from_slice(parts[0].shape());
        shape[self.axis] = 0;
        for a in &parts {
            let fits = a.ndim() == shape.len() && (0..shape.len()).all(|i| i == self.axis || a.shape()[i] == shape[i]);
            if !fits {
                return Err(RbeError::shape(
                    "concat",
                    format!("shapes that agree but for axis {}", self.axis),
                    format!("{:?} and {:?}", parts[0].shape(), a.shape()),
                ));
            }
            shape[self.axis] += a.shape()[self.axis];
        }
        let whole = Array::zeros(dtype, &shape);
        let mut start = 0;
        for a in parts {
            let len = a.shape()[self.axis];
            let part = whole.slice_axis(self.axis, SliceSpec { start, step: 1, len })?;
            let a = a.cast(dtype);
            dispatch_size!(dtype, T => map_into(&part, &a, |_: T, v: T| v))?;
            start += len;
        }
        Ok(whole.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mut start = 0;
        let mut grads = Grads::new();
        for i in 0..cx.arity() {
            if is_nothing(cx.shape(i)) {
                grads.push(if cx.needs(i) { dense(Array::zeros(cx.dy().dtype(), cx.shape(i))) } else { None });
                continue;
            }
            let len = cx.shape(i)[self.axis];
            grads.push(if cx.needs(i) { dense(cx.dy().slice_axis(self.axis, SliceSpec { start, step: 1, len })?) } else { None });
            start += len;
        }
        Ok(grads)
    }
}

impl RBETensor {
    /// The same elements in another shape; one length may be -1. A view where strides allow.
    ///
    /// # Errors
    /// `Shape` if the number of elements differs; `DType` for a packed tensor.
    pub fn reshape(&self, shape: &[isize]) -> Result<RBETensor> {
        apply(View::Reshape(SmallVec::from_slice(shape)), &[self])
    }

    /// Axes in the given order: a view.
    ///
    /// # Errors
    /// `Shape` unless every axis is named once; `DType` for a packed tensor.
    pub fn permute(&self, axes: &[isize]) -> Result<RBETensor> {
        apply(View::Permute(SmallVec::from_slice(axes)), &[self])
    }

    /// Two axes exchanged: a view.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn transpose(&self, a: isize, b: isize) -> Result<RBETensor> {
        let n = self.shape().len();
        let (a, b) = (normalize_axis("transpose", a, n.max(1))?, normalize_axis("transpose", b, n.max(1))?);
        let mut order: SmallVec<[isize; 4]> = (0..n as isize).collect();
        if a != b {
            order.swap(a, b);
        }
        apply(View::Permute(order), &[self])
    }

    /// Repeated along axes of length 1 and new leading axes: a view.
    ///
    /// # Errors
    /// `Shape` if it does not broadcast to `shape`; `DType` for a packed tensor.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<RBETensor> {
        apply(View::Broadcast(SmallVec::from_slice(shape)), &[self])
    }

    /// Part of the leading axes: a view.
    ///
    /// # Errors
    /// `Index` if a part reaches outside its axis; `DType` for a packed tensor.
    pub fn slice(&self, parts: &[SliceSpec]) -> Result<RBETensor> {
        if parts.len() > self.shape().len() {
            return Err(RbeError::index("slice", format!("at most {} axes", self.shape().len()), parts.len()));
        }
        apply(Slice(SmallVec::from_slice(parts)), &[self])
    }

    /// `len` positions of `axis` from `start`: a view.
    ///
    /// # Errors
    /// As [`RBETensor::slice`].
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Result<RBETensor> {
        let axis = normalize_axis("narrow", axis, self.shape().len())?;
        let mut parts: SmallVec<[SliceSpec; 4]> = self.shape()[..=axis].iter().map(|n| SliceSpec { start: 0, step: 1, len: *n }).collect();
        parts[axis] = SliceSpec { start, step: 1, len };
        self.slice(&parts)
    }

    /// A new axis of length 1 before `axis`.
    ///
    /// # Errors
    /// `Index` for an axis outside `[-n-1, n]`.
    pub fn unsqueeze(&self, axis: isize) -> Result<RBETensor> {
        let axis = normalize_axis("unsqueeze", axis, self.shape().len() + 1)?;
        let mut shape: SmallVec<[isize; 4]> = self.shape().iter().map(|n| *n as isize).collect();
        shape.insert(axis, 1);
        self.reshape(&shape)
    }

    /// Without those of `axes` (of all, if `None`) that have length 1.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `Value` for one named twice.
    pub fn squeeze(&self, axes: Option<&[isize]>) -> Result<RBETensor> {
        let axes = normalize_axes("squeeze", axes, self.shape().len())?;
        let stays = |(i, n): &(usize, &usize)| **n != 1 || !axes.contains(i);
        let shape: SmallVec<[isize; 4]> = self.shape().iter().enumerate().filter(stays).map(|(_, n)| *n as isize).collect();
        self.reshape(&shape)
    }

    /// A tensor without axes as one of a single axis, which operations along an axis take it for; others as they are.
    pub(super) fn with_an_axis(&self) -> Result<RBETensor> {
        if self.shape().is_empty() { self.reshape(&[1]) } else { Ok(self.clone()) }
    }

    /// The elements converted; gradients flow between floats.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn cast(&self, dtype: DType) -> Result<RBETensor> {
        if self.dtype() == dtype && !self.is_packed() { Ok(self.clone()) } else { apply(Cast(dtype), &[self]) }
    }

    /// The elements in memory of their own.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn copied(&self) -> Result<RBETensor> {
        apply(Copied, &[self])
    }

    /// Tensors one after another along `axis`; those of shape (0) among others are passed over, as torch does.
    ///
    /// # Errors
    /// `Shape` if there are none or they differ in another axis; `Index` for an axis that is not there.
    pub fn concat(tensors: &[&RBETensor], axis: isize) -> Result<RBETensor> {
        let Some(first) = tensors.iter().find(|t| !is_nothing(t.shape())).or(tensors.first()) else {
            return Err(RbeError::shape("concat", "at least one tensor", "none"));
        };
        let axis = normalize_axis("concat", axis, first.shape().len())?;
        apply(Concat { axis }, tensors)
    }

    /// Tensors of one shape along a new axis.
    ///
    /// # Errors
    /// As [`RBETensor::concat`].
    pub fn stack(tensors: &[&RBETensor], axis: isize) -> Result<RBETensor> {
        if let Some(other) = tensors.iter().find(|t| t.shape() != tensors[0].shape()) {
            let expected = format!("tensors of one shape, {:?}", tensors[0].shape());
            return Err(RbeError::shape("stack", expected, format!("{:?}", other.shape())));
        }
        let lifted = tensors.iter().map(|t| t.unsqueeze(axis)).collect::<Result<Vec<_>>>()?;
        RBETensor::concat(&lifted.iter().collect::<Vec<_>>(), axis)
    }

    /// Consecutive parts of the given lengths along `axis`: views.
    ///
    /// # Errors
    /// `Shape` if the lengths do not add up.
    pub fn split(&self, lengths: &[usize], axis: isize) -> Result<Vec<RBETensor>> {
        let at = normalize_axis("split", axis, self.shape().len())?;
        if lengths.iter().sum::<usize>() != self.shape()[at] {
            return Err(RbeError::shape("split", format!("lengths that add up to {}", self.shape()[at]), format!("{lengths:?}")));
        }
        let mut start = 0;
        lengths
            .iter()
            .map(|len| {
                let part = self.narrow(axis, start, *len);
                start += len;
                part
            })
            .collect()
    }
}
