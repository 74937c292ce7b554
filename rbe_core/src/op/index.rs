//! Indexing by integer arrays.

use std::sync::Arc;

use super::apply::apply;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Dims, broadcast_count, broadcast_shapes, normalize_axis, positions};
use crate::dtype::{DType, Element};
use crate::error::{RbeError, Result};
use crate::memory;
use crate::parallel;
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_size};

/// Integer arrays that index some axes together, as in NumPy: they broadcast to one shape, which takes the place of the
/// indexed axes if these are neighbours and else comes first.
#[derive(Clone)]
pub struct Picks {
    axes: Vec<usize>,
    shape: Dims,                 // what the index arrays broadcast to
    offsets: Arc<Vec<Vec<i64>>>, // of every index array, by element of `shape`
    front: bool,                 // the picked axes come first in the result
}

impl Picks {
    /// Picks of `indices` (axis, int64 array) from a tensor of `shape`; negative positions count from the end.
    /// `front` puts the picked axes first whether or not they are neighbours.
    ///
    /// # Errors
    /// `Index` for a position outside its axis; `Shape` if the arrays do not broadcast; `DType` for other than integers.
    pub fn new(shape: &[usize], indices: &[(usize, Array)], front: bool) -> Result<Picks> {
        let cost = broadcast_count(indices.iter().map(|(_, index)| index.shape())).saturating_mul(indices.len() as u64);
        parallel::long_work(cost, || Picks::checked(shape, indices, front))
    }

    fn checked(shape: &[usize], indices: &[(usize, Array)], front: bool) -> Result<Picks> {
        const OP: &str = "index";
        let mut common = Dims::new();
        for (axis, index) in indices {
            if !index.dtype().is_integer() || index.dtype() == DType::U8 {
                // torch takes uint8 for masks, NumPy for positions.
                return Err(RbeError::dtype(OP, "index arrays of signed integers or bools", index.dtype()));
            }
            if *axis >= shape.len() {
                return Err(RbeError::index(OP, format!("at most {} indices", shape.len()), indices.len()));
            }
            common = broadcast_shapes(OP, &common, index.shape())?;
        }
        let mut offsets = Vec::with_capacity(indices.len());
        for (axis, index) in indices {
            let n = shape[*axis] as i64;
            let mut values = index.wide().broadcast_to(&common)?.to_vec::<i64>()?;
            for v in &mut values {
                if *v < -n || *v >= n {
                    return Err(RbeError::index(OP, format!("positions from -{n} to {} on axis {axis} of length {n}", n - 1), *v));
                }
                *v = v.rem_euclid(n);
            }
            offsets.push(values);
        }
        let axes: Vec<usize> = indices.iter().map(|(axis, _)| *axis).collect();
        let neighbours = axes.windows(2).all(|w| w[1] == w[0] + 1);
        Ok(Picks { axes, shape: common, offsets: Arc::new(offsets), front: front || !neighbours })
    }

    /// The other axes of `a` as a view, and the offset of every pick.
    fn layout(&self, a: &Array) -> Result<(Array, Vec<isize>)> {
        let mut rest = a.clone();
        for axis in self.axes.iter().rev() {
            rest = rest.without_axis(*axis);
        }
        let picks = self.shape.iter().product();
        let offset = |b: usize| self.axes.iter().zip(&*self.offsets).map(|(axis, o)| o[b] as isize * a.strides()[*axis]).sum();
        Ok((rest, memory::collect((0..picks).map(offset))))
    }

    /// Positions in the storage of `a` of every picked element, (picks, rest) row-major, with the shape of the rest.
    fn positions(&self, a: &Array) -> Result<(Vec<usize>, Dims)> {
        let (rest, base) = self.layout(a)?;
        let within = positions(&rest);
        let Some(count) = base.len().checked_mul(within.len()) else { memory::refuse(None) };
        let mut all = memory::with_capacity(count);
        base.iter().for_each(|b| all.extend(within.iter().map(|p| (*p as isize + b) as usize)));
        Ok((all, Dims::from_slice(rest.shape())))
    }

    /// The result, (picks, rest), with its axes in NumPy's order.
    fn place(&self, a: Array) -> Result<Array> {
        match self.axes.first() {
            Some(first) if !self.front && *first > 0 => {
                let (n, picked) = (a.ndim(), self.shape.len());
                let order: Vec<isize> = (picked..picked + first).chain(0..picked).chain(picked + first..n).map(|i| i as isize).collect();
                a.permute(&order)
            }
            _ => Ok(a),
        }
    }

    /// The inverse of [`Picks::place`].
    fn unplace(&self, a: &Array) -> Result<Array> {
        match self.axes.first() {
            Some(first) if !self.front && *first > 0 => {
                let (n, picked) = (a.ndim(), self.shape.len());
                let order: Vec<isize> = (*first..first + picked).chain(0..*first).chain(first + picked..n).map(|i| i as isize).collect();
                a.permute(&order)
            }
            _ => Ok(a.clone()),
        }
    }

    fn result_shape(&self, rest: &[usize]) -> Dims {
        self.shape.iter().chain(rest).copied().collect()
    }

    /// The shape of what these pick from a tensor of `shape`.
    pub fn result(&self, shape: &[usize]) -> Dims {
        let mut out: Dims = shape.iter().enumerate().filter(|(i, _)| !self.axes.contains(i)).map(|(_, n)| *n).collect();
        let at = if self.front { 0 } else { self.axes.first().copied().unwrap_or(0) };
        out.insert_many(at, self.shape.iter().copied());
        out
    }

    /// Replaces the picked elements of `a` by `values`, which broadcast to the result of picking; of several for one place the
    /// last stays.
    ///
    /// # Errors
    /// `Shape` if the values do not broadcast.
    pub(crate) fn put(&self, a: &Array, values: &Array) -> Result<()> {
        let (at, _) = self.positions(a)?;
        let values = self.unplace(&values.broadcast_to(&self.result(a.shape()))?)?;
        let values = if values.may_overlap(a) { values.copy() } else { values.contiguous() };
        dispatch_size!(a.dtype(), T => {
            let values = values.read::<T>();
            let mut out = a.write_storage::<T>();
            at.iter().zip(values.iter()).for_each(|(i, v)| out[*i] = *v);
        });
        Ok(())
    }

    /// Moves the picked elements out of `a`, which keeps zeros there; one picked several times goes to the last pick.
    ///
    /// # Errors
    /// `Shape` if `a` has other axes.
    pub(crate) fn take_out<T: Element + Default>(&self, a: &Array) -> Result<Array> {
        let (at, rest) = self.positions(a)?;
        let taken = Array::build(&self.result_shape(&rest), |out: &mut [T]| {
            let mut from = a.write_storage::<T>();
            out.iter_mut().zip(&at).rev().for_each(|(o, i)| *o = std::mem::take(&mut from[*i]));
        });
        self.place(taken)
    }
}

struct Index(Picks);

impl Op for Index {
    fn rule(&self) -> &Rule {
        &table::INDEX
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        self.0.result(x.shape(0)).iter().fold(1, |count, n| count.saturating_mul(*n as u64))
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let (at, rest) = self.0.positions(a)?;
        let picked = dispatch_size!(a.dtype(), T => {
            let source = a.read_storage::<T>();
            Array::build(&self.0.result_shape(&rest), |out: &mut [T]| {
                crate::parallel::for_each_piece(out, 1 << 14, |p, piece| {
                    piece.iter_mut().zip(&at[p << 14..]).for_each(|(o, i)| *o = source[*i]);
                });
            })
        });
        Ok(self.0.place(picked.relabel(a.dtype()))?.into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.one(|| {
            let dy = self.0.unplace(&cx.dy().wide())?.contiguous();
            let whole = Array::zeros(dy.dtype(), cx.shape(0));
            let (at, _) = self.0.positions(&whole)?;
            dispatch_float!("index", dy.dtype(), T => {
                let dy = dy.read::<T>();
                let mut out = whole.write::<T>();
                at.iter().zip(dy.iter()).for_each(|(i, d)| out[*i] += *d); // repeated picks add up, in order
                Ok(())
            })?;
            Ok(whole)
        })
    }
}

impl RBETensor {
    /// The picked elements.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn index(&self, picks: &Picks) -> Result<RBETensor> {
        apply(Index(picks.clone()), &[self])
    }

    /// Rows `index` (int64, any shape) along `axis`.
    ///
    /// # Errors
    /// `Index` for a position outside the axis.
    pub fn index_select(&self, axis: isize, index: &RBETensor) -> Result<RBETensor> {
        if self.shape().is_empty() {
            return self.with_an_axis()?.index_select(axis, &index.with_an_axis()?)?.reshape(&[]);
        }
        let axis = normalize_axis("index_select", axis, self.shape().len())?;
        let picks = || Picks::new(self.shape(), &[(axis, index.array("index_select")?.clone())], false);
        self.index(&memory::guard("index_select", picks)?)
    }
}
