//! Elements along one axis where an index says, and their adjoint: sums at those places.

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, Dims, broadcast_shapes, normalize_axis};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_size};

/// Elements `index[…]` along one axis, as `torch.gather`.
struct Gather {
    axis: usize,
}

impl Gather {
    /// Flat row-major positions in a tensor of `shape`, for every element of the index.
    fn positions(&self, op: &'static str, shape: &[usize], index: &Array) -> Result<Vec<usize>> {
        let fits = index.ndim() == shape.len() && (0..shape.len()).all(|i| i == self.axis || index.shape()[i] <= shape[i]);
        if !fits || !index.dtype().is_integer() {
            return Err(RbeError::shape(
                op,
                format!("an integer index no longer than {shape:?} but along axis {}", self.axis),
                format!("{} {:?}", index.dtype(), index.shape()),
            ));
        }
        let n = shape[self.axis] as i64;
        let strides = crate::array::contiguous_strides(shape);
        let values = index.wide().to_vec::<i64>()?;
        let mut digits: Dims = Dims::from_elem(0, shape.len());
        let mut out = memory::with_capacity(values.len());
        for v in values {
            if v < -n || v >= n {
                return Err(RbeError::index(op, format!("positions from -{n} to {} on axis {} of length {n}", n - 1, self.axis), v));
            }
            let at: isize = digits
                .iter()
                .zip(&strides)
                .enumerate()
                .map(|(i, (d, s))| if i == self.axis { v.rem_euclid(n) as isize * s } else { *d as isize * s })
                .sum();
            out.push(at as usize);
            for axis in (0..digits.len()).rev() {
                digits[axis] += 1;
                if digits[axis] < index.shape()[axis] {
                    break;
                }
                digits[axis] = 0;
            }
        }
        Ok(out)
    }
}

impl Op for Gather {
    fn rule(&self) -> &Rule {
        &table::GATHER
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.elements(1)
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, index) = (x.array(0)?.contiguous(), x.array(1)?);
        Ok(picked(&a, &self.positions("gather", a.shape(), index)?, index.shape()).into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let at = self.positions("gather", cx.shape(0), cx.input(1)?)?;
        let mut grads = cx.one(|| {
            let dy = cx.dy().wide().contiguous();
            let whole = Array::zeros(dy.dtype(), cx.shape(0));
            dispatch_float!("gather", dy.dtype(), T => {
                let mut out = whole.write::<T>();
                at.iter().zip(dy.read::<T>().iter()).for_each(|(i, d)| out[*i] += *d);
                Ok(())
            })?;
            Ok(whole)
        })?;
        grads.push(None);
        Ok(grads)
    }
}

/// Elements of contiguous `a` at flat positions.
fn picked(a: &Array, at: &[usize], shape: &[usize]) -> Array {
    dispatch_size!(a.dtype(), T => {
        let source = a.read::<T>();
        Array::build(shape, |out: &mut [T]| out.iter_mut().zip(at).for_each(|(o, i)| *o = source[*i]))
    })
    .relabel(a.dtype())
}

/// Adds elements where an index along one axis says: the adjoint of gathering. Inputs: target, index, source.
struct ScatterAdd {
    places: Gather,
}

impl Op for ScatterAdd {
    fn rule(&self) -> &Rule {
        &table::SCATTER_ADD
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // the result has the type of the target, whatever that of the index
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        const OP: &str = "scatter_add";
        let (a, index, source) = (x.array(0)?, x.array(1)?, x.array(2)?);
        if source.shape() != index.shape() {
            return Err(RbeError::shape(OP, format!("a source of the index's shape {:?}", index.shape()), format!("{:?}", source.shape())));
        }
        if source.dtype() != a.dtype() {
            return Err(RbeError::dtype(OP, format!("a source of {}", a.dtype()), source.dtype()));
        }
        let at = self.places.positions(OP, a.shape(), index)?;
        let (whole, source) = (a.wide().copy(), source.wide().contiguous());
        let places = at.iter();
        match whole.dtype() {
            DType::Bool => {
                let mut out = whole.write::<u8>();
                places.zip(source.read::<u8>().iter()).for_each(|(i, v)| out[*i] |= *v);
            }
            DType::I64 => {
                let mut out = whole.write::<i64>();
                places.zip(source.read::<i64>().iter()).for_each(|(i, v)| out[*i] = out[*i].wrapping_add(*v));
            }
            dtype => dispatch_float!(OP, dtype, T => {
                let mut out = whole.write::<T>();
                places.zip(source.read::<T>().iter()).for_each(|(i, v)| out[*i] += *v); // repeated places add up, in order
                Ok(())
            })?,
        }
        Ok(whole.cast(a.dtype()).into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let mut grads = Grads::new();
        grads.push(if cx.needs(0) { dense(cx.dy().clone()) } else { None });
        grads.push(None);
        grads.push(if cx.needs(2) {
            let index = cx.input(1)?;
            dense(picked(&cx.dy().contiguous(), &self.places.positions("scatter_add", cx.shape(0), index)?, index.shape()))
        } else {
            None
        });
        Ok(grads)
    }
}

impl RBETensor {
    /// Element `index[i, j, …]` along `axis` for every place of `index` (int64, as many axes as this tensor).
    ///
    /// # Errors
    /// `Index` for a position outside the axis; `Shape` for an index that does not fit.
    pub fn gather(&self, axis: isize, index: &RBETensor) -> Result<RBETensor> {
        let (whole, places) = (self.with_an_axis()?, index.with_an_axis()?);
        let axis = normalize_axis("gather", axis, whole.shape().len())?;
        let picked = apply(Gather { axis }, &[&whole, &places])?;
        if index.shape().is_empty() { picked.reshape(&[]) } else { Ok(picked) }
    }

    /// This tensor with element `[i, j, …]` of `source` added at position `index[i, j, …]` of `axis`; positions may repeat.
    /// Of masks, whether one of them holds. `index` (int64) and `source` (this dtype) have one shape, no longer than this one but
    /// along `axis`.
    ///
    /// # Errors
    /// As [`RBETensor::gather`]; `DType` for a source of another dtype.
    pub fn scatter_add(&self, axis: isize, index: &RBETensor, source: &RBETensor) -> Result<RBETensor> {
        let (whole, places, parts) = (self.with_an_axis()?, index.with_an_axis()?, source.with_an_axis()?);
        let axis = normalize_axis("scatter_add", axis, whole.shape().len())?;
        let sum = apply(ScatterAdd { places: Gather { axis } }, &[&whole, &places, &parts])?;
        if self.shape().is_empty() { sum.reshape(&[]) } else { Ok(sum) }
    }

    /// As [`RBETensor::gather`], where tensor and `index` broadcast along the other axes: NumPy's `take_along_axis`.
    ///
    /// # Errors
    /// As [`RBETensor::gather`].
    pub fn take_along_axis(&self, axis: isize, index: &RBETensor) -> Result<RBETensor> {
        const OP: &str = "take_along_axis";
        let at = normalize_axis(OP, axis, self.shape().len())?;
        if index.shape().len() != self.shape().len() {
            return Err(RbeError::shape(OP, format!("an index of {} axes", self.shape().len()), format!("{:?}", index.shape())));
        }
        let (mut own, mut others) = (Dims::from_slice(self.shape()), Dims::from_slice(index.shape()));
        (own[at], others[at]) = (1, 1);
        let mut common = broadcast_shapes(OP, &own, &others)?;
        common[at] = self.shape()[at];
        let wide = self.broadcast_to(&common)?;
        common[at] = index.shape()[at];
        wide.gather(axis, &index.broadcast_to(&common)?)
    }
}
