//! Reversal, repetition, triangles and masks: compositions of views and choice.

use smallvec::SmallVec;

use crate::array::{Array, Dims, SliceSpec, broadcast_shapes, normalize_axes};
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::tape::RBETensor;

impl RBETensor {
    /// The elements in reverse along `axes` (all if `None`), in memory of their own.
    ///
    /// # Errors
    /// `Index` for an axis that is not there; `DType` for a packed tensor.
    pub fn flip(&self, axes: Option<&[isize]>) -> Result<RBETensor> {
        let axes = normalize_axes("flip", axes, self.shape().len())?;
        let parts: SmallVec<[SliceSpec; 4]> = (self.shape().iter().enumerate())
            .map(|(i, n)| match axes.contains(&i) {
                true => SliceSpec { start: n.saturating_sub(1), step: -1, len: *n },
                false => SliceSpec { start: 0, step: 1, len: *n },
            })
            .collect();
        self.slice(&parts)?.copied()
    }

    /// The tensor laid side by side `times[i]` times along axis `i`; more counts than axes add leading axes.
    ///
    /// # Errors
    /// `Shape` for fewer counts than axes; `DType` for a packed tensor.
    pub fn repeat(&self, times: &[usize]) -> Result<RBETensor> {
        let shape = self.shape();
        let Some(lead) = times.len().checked_sub(shape.len()) else {
            return Err(RbeError::shape("repeat", format!("at least {} counts", shape.len()), format!("{times:?}")));
        };
        let lengths: Dims = std::iter::repeat_n(1, lead).chain(shape.iter().copied()).collect();
        // Every axis becomes (1, n), then (times, n), then times · n.
        let apart: Vec<isize> = lengths.iter().flat_map(|n| [1, *n as isize]).collect();
        let wide: Vec<usize> = times.iter().zip(&lengths).flat_map(|(t, n)| [*t, *n]).collect();
        let wide = self.reshape(&apart)?.broadcast_to(&wide)?;
        let joined: Vec<isize> = times.iter().zip(&lengths).map(|(t, n)| t.saturating_mul(*n).min(isize::MAX as usize) as isize).collect();
        let out = wide.reshape(&joined)?;
        if out.array("repeat")?.same_storage(self.array("repeat")?) { out.copied() } else { Ok(out) }
    }

    /// The elements where `keep(row, column)` holds in the last two axes, 0 elsewhere.
    fn triangle(&self, op: &'static str, keep: impl Fn(i64, i64) -> bool + Sync) -> Result<RBETensor> {
        let a = self.array(op)?;
        let [.., rows, cols] = *a.shape() else {
            return Err(RbeError::shape(op, "at least two axes", format!("{:?}", a.shape())));
        };
        let held = |out: &mut [u8]| {
            out.iter_mut().enumerate().for_each(|(i, o)| *o = u8::from(keep((i / cols) as i64, (i % cols) as i64)));
        };
        RBETensor::unrecorded(op, &[self], || Ok(Array::build(&[rows, cols], held)))?
            .where_(self, &RBETensor::from_array(Array::zeros(a.dtype(), &[])))
    }

    /// The elements on and below the given diagonal of the last two axes (0 the main one, positive above it), 0 elsewhere.
    ///
    /// # Errors
    /// `Shape` for fewer than two axes; `DType` for a packed tensor.
    pub fn tril(&self, diagonal: i64) -> Result<RBETensor> {
        self.triangle("tril", |row, col| col <= row.saturating_add(diagonal))
    }

    /// The elements on and above the given diagonal of the last two axes, 0 elsewhere.
    ///
    /// # Errors
    /// As [`RBETensor::tril`].
    pub fn triu(&self, diagonal: i64) -> Result<RBETensor> {
        self.triangle("triu", |row, col| col >= row.saturating_add(diagonal))
    }

    /// The tensor with `value` where `mask` (bool, broadcasts to this shape) holds; no gradient flows there.
    ///
    /// # Errors
    /// `DType` for a mask that is not bool, a fraction put into integers or a packed tensor; `Shape` if the mask does not
    /// broadcast to this shape.
    pub fn masked_fill(&self, mask: &RBETensor, value: f64) -> Result<RBETensor> {
        const OP: &str = "masked_fill";
        let a = self.array(OP)?;
        if mask.dtype() != DType::Bool {
            return Err(RbeError::dtype(OP, "a bool mask", mask.dtype()));
        }
        let fits = match a.dtype().bounds() {
            Some((least, largest)) => value.fract() == 0.0 && value >= least as f64 && value <= largest as f64,
            None => a.dtype().is_float() || value.fract() == 0.0,
        };
        if !fits {
            return Err(RbeError::dtype(OP, format!("a value that {} holds", a.dtype()), value));
        }
        if broadcast_shapes(OP, a.shape(), mask.shape())?.as_slice() != a.shape() {
            return Err(RbeError::shape(OP, format!("a mask that broadcasts to {:?}", a.shape()), format!("{:?}", mask.shape())));
        }
        mask.where_(&RBETensor::from_array(Array::full(a.dtype(), &[], value)), self)
    }

    /// Where the elements are not 0: their positions, int64 (count, axes), in row-major order.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn nonzero(&self) -> Result<RBETensor> {
        let a = self.array("nonzero")?;
        RBETensor::unrecorded("nonzero", &[self], || {
            let truths = a.cast(DType::Bool).to_vec::<u8>()?;
            let hits: Vec<usize> = memory::collect(truths.iter().enumerate().filter(|(_, v)| **v != 0).map(|(i, _)| i));
            let mut out = memory::zeros::<i64>(hits.len() * a.ndim());
            for (row, hit) in out.chunks_mut(a.ndim().max(1)).zip(&hits) {
                let mut rest = *hit;
                for (o, n) in row.iter_mut().zip(a.shape()).rev() {
                    *o = (rest % n) as i64;
                    rest /= n;
                }
            }
            Array::from_slice(&out, &[hits.len(), a.ndim()])
        })
    }
}
