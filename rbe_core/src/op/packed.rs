//! Products with two-level weights.

use std::borrow::Cow;

use super::apply::apply;
use super::precision::MatmulPrecision;
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense, linear_cost};
use super::table;
use crate::array::{Array, Dims};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::gradient::{self, Factor, Gradient, GradientCache};
use crate::kernel::packed as kernel;
use crate::kernel::packed::quantised;
use crate::kernel::packed::reference::{self, TwoLevel};
use crate::memory;
use crate::packed::{BITS, FactorPair, PackedTensor, Quantised, check_points, levels, pull_back};
use crate::tape::{RBETensor, Saves, is_grad_enabled};

fn batch_of(a: &Array) -> usize {
    a.shape()[..a.ndim().saturating_sub(1)].iter().product()
}

fn with_last(shape: &[usize], last: usize) -> Dims {
    let mut dims = Dims::from_slice(shape);
    if let Some(end) = dims.last_mut() {
        *end = last;
    }
    dims
}

fn check_lengths(op: &'static str, x: &Array, rows: usize, cols: usize, bias: Option<&Array>) -> Result<()> {
    if x.ndim() == 0 || x.shape()[x.ndim() - 1] != cols {
        return Err(RbeError::shape(op, format!("x (…, {cols}) for a weight ({rows}, {cols})"), format!("{:?}", x.shape())));
    }
    match bias {
        Some(bias) if bias.shape() != [rows] => Err(RbeError::shape(op, format!("bias ({rows})"), format!("{:?}", bias.shape()))),
        _ => Ok(()),
    }
}

/// `a` as contiguous elements of a type; borrowed where it is that already.
fn plain(a: &Array, dtype: DType) -> Cow<'_, Array> {
    if a.dtype() == dtype { a.as_contiguous() } else { Cow::Owned(a.cast(dtype).contiguous()) }
}

/// `a` as (batch, width).
fn matrix(a: Cow<'_, Array>, batch: usize, width: usize) -> Result<Array> {
    if a.shape() == [batch, width] { Ok(a.into_owned()) } else { a.reshape_to(&[batch, width]) }
}

/// `x Wᵀ + b` with a packed tensor. Inputs: x (…, in), w packed (out, in), optional bias (out).
struct PackedLinear;

/// The same with x (batch, in) rounded to int8, which is what backward reads: by-products are its values (batch, in) and scales (batch).
struct RoundedLinear;

/// A rule of [`table::PACKED_LINEAR`], too, but for what it saves.
static ROUNDED_LINEAR: Rule = Rule::new("packed_linear", (2, 3), Saves::input(1));

impl Op for RoundedLinear {
    fn rule(&self) -> &Rule {
        &ROUNDED_LINEAR
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        linear_cost(x)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, w, bias) = (x.array(0)?, x.packed(1)?, x.optional(2)?);
        check_lengths("packed_linear", a, w.rows(), w.cols(), bias)?;
        let (a, bias) = (plain(a, DType::F32), bias.map(|b| plain(b, DType::F32)));
        let batch = batch_of(&a);
        let shape = with_last(a.shape(), w.rows());
        let (values, scales) = gradient::quantised(&matrix(a, batch, w.cols())?);
        let value = {
            let (values, scales, bias) = (values.read::<u8>(), scales.read::<f32>(), bias.as_ref().map(|b| b.read::<f32>()));
            let x = Quantised { values: bytemuck::cast_slice(&values), scales: &scales };
            Array::build(&shape, |y| quantised::forward(x, w, bias.as_deref(), y))
        };
        if is_grad_enabled() {
            x.tensor(0).note_rounding(&values, &scales);
        }
        Ok(Output::keeping(value, [values, scales]))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (w, dy) = (cx.packed(1)?, plain(cx.dy(), DType::F32));
        let batch = batch_of(&dy);
        // First what needs scratch, then what lasts.
        let dw = if cx.needs(1) {
            let (values, scales) = (cx.kept(0)?.clone(), cx.kept(1)?.clone());
            let factor = Factor::Rounded { values, scales, dy: matrix(dy.clone(), batch, w.rows())? };
            Some(Gradient::Packed(GradientCache::of_rounded(w, factor)))
        } else {
            None
        };
        let dx = cx.needs(0).then(|| Array::build(cx.shape(0), |dx| quantised::dx(&dy.read::<f32>(), batch, w, dx)));
        let mut grads: Grads = [dx.and_then(dense), dw].into_iter().collect();
        if cx.arity() > 2 {
            let db = cx.needs(2).then(|| Array::build(&[w.rows()], |db| kernel::bias_gradient(&dy.read::<f32>(), db)));
            grads.push(db.and_then(dense));
        }
        Ok(grads)
    }
}

/// Row-major bits and levels of a packed tensor in type `T`.
fn decoded<T: Float>(w: &PackedTensor) -> (Vec<u64>, Vec<T>) {
    let lo = w.lo();
    let pair = |z: &[f32]| levels([T::of(f64::from(z[0])), T::of(f64::from(z[1]))], T::of(f64::from(w.scale())));
    (w.hi(), memory::collect(lo.chunks_exact(2).flat_map(pair)))
}

/// A packed tensor in float64, (rows, cols).
pub(super) fn dense_weight(w: &PackedTensor) -> Array {
    let (hi, v) = decoded::<f64>(w);
    let two = TwoLevel { hi: &hi, v: &v, rows: w.rows(), cols: w.cols() };
    Array::build(&[w.rows(), w.cols()], |out: &mut [f64]| {
        out.iter_mut().enumerate().for_each(|(i, o)| *o = two.weight(i / w.cols(), i % w.cols()));
    })
}

impl Op for PackedLinear {
    fn rule(&self) -> &Rule {
        &table::PACKED_LINEAR
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        linear_cost(x)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        const OP: &str = "packed_linear";
        let (a, w, bias) = (x.array(0)?, x.packed(1)?, x.optional(2)?);
        check_lengths(OP, a, w.rows(), w.cols(), bias)?;
        let a = plain(a, if a.dtype().is_float() { a.dtype() } else { DType::F32 });
        let bias = bias.map(|b| plain(b, a.dtype()));
        let (batch, shape) = (batch_of(&a), with_last(a.shape(), w.rows()));
        if a.dtype() == DType::F32 {
            let (x, bias) = (a.read::<f32>(), bias.as_ref().map(|b| b.read::<f32>()));
            return Ok(Array::build(&shape, |y| kernel::forward(&x, batch, w, bias.as_deref(), y)).into());
        }
        let (hi, v) = decoded::<f64>(w);
        let (x, bias) = (a.read::<f64>(), bias.as_ref().map(|b| b.read::<f64>()));
        let two = TwoLevel { hi: &hi, v: &v, rows: w.rows(), cols: w.cols() };
        Ok(Array::build(&shape, |y| reference::forward(&x, batch, two, bias.as_deref(), y)).into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (x, w, dy) = (plain(cx.input(0)?, DType::F32), cx.packed(1)?, cx.dy().as_contiguous());
        let (rows, cols, batch) = (w.rows(), w.cols(), batch_of(&dy));
        if dy.dtype() == DType::F64 {
            return self.backward_wide(cx, x, w, &dy);
        }
        let make = |wanted: bool, shape: &[usize]| wanted.then(|| Array::build(shape, |_: &mut [f32]| {}));
        let dx = make(cx.needs(0), cx.shape(0));
        let db = make(cx.needs(2), &[rows]);
        {
            let (x, dy) = (x.read::<f32>(), dy.read::<f32>());
            let (mut dx, mut db) = (dx.as_ref().map(Array::write::<f32>), db.as_ref().map(Array::write::<f32>));
            // The gradients of bits and levels follow from x and dy, when they are wanted.
            let wanted = kernel::Grads { dx: dx.as_deref_mut(), levels: None, bias: db.as_deref_mut() };
            kernel::backward(FactorPair { x: &x, dy: &dy, batch }, w, wanted);
        }
        let mut grads = Grads::new();
        grads.push(dx.and_then(dense));
        grads.push(if cx.needs(1) {
            let factor = Factor::Product { x: matrix(x, batch, cols)?, dy: matrix(dy, batch, rows)? };
            Some(Gradient::Packed(GradientCache::new(w, factor)))
        } else {
            None
        });
        if cx.arity() > 2 {
            grads.push(db.and_then(dense));
        }
        Ok(grads)
    }
}

impl PackedLinear {
    fn backward_wide(&self, cx: &Cx<'_>, x: Cow<'_, Array>, w: &PackedTensor, dy: &Array) -> Result<Grads> {
        let (rows, cols, batch) = (w.rows(), w.cols(), batch_of(dy));
        let mut grads = Grads::new();
        grads.push(if cx.needs(0) {
            let (hi, v) = decoded::<f64>(w);
            let dy = dy.read::<f64>();
            dense(Array::build(cx.shape(0), |out| reference::dx(&dy, batch, TwoLevel { hi: &hi, v: &v, rows, cols }, out)))
        } else {
            None
        });
        grads.push(if cx.needs(1) {
            let (x, dy) = (matrix(x, batch, cols)?, matrix(plain(dy, DType::F32), batch, rows)?);
            Some(Gradient::Packed(GradientCache::new(w, Factor::Product { x, dy })))
        } else {
            None
        });
        if cx.arity() > 2 {
            grads.push(if cx.needs(2) { dense(dy.reshape_to(&[batch, rows])?.sum_axes(&[0])) } else { None });
        }
        Ok(grads)
    }
}

/// `x Wᵀ + b` where the points are an ordinary input. Inputs: x (…, in), z (out, blocks, 2), optional bias (out).
struct TwoLevelLinear {
    hi: Vec<u64>, // (out, blocks)
    rows: usize,
    cols: usize,
    scale: f64,
}

impl TwoLevelLinear {
    fn levels<T: Float>(&self, z: &Array) -> Vec<T> {
        memory::collect(z.contiguous().read::<T>().chunks_exact(2).flat_map(|z| levels([z[0], z[1]], T::of(self.scale))))
    }

    fn weights<'a, T>(&'a self, v: &'a [T]) -> TwoLevel<'a, T> {
        TwoLevel { hi: &self.hi, v, rows: self.rows, cols: self.cols }
    }
}

impl Op for TwoLevelLinear {
    fn rule(&self) -> &Rule {
        &table::TWO_LEVEL_LINEAR
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.elements(0).saturating_mul(self.rows as u64) // portable loops, one multiply-add after another
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        const OP: &str = "packed_linear";
        let (a, z, bias) = (x.array(0)?, x.array(1)?, x.optional(2)?);
        check_lengths(OP, a, self.rows, self.cols, bias)?;
        let blocks = self.cols.div_ceil(BITS);
        if z.shape() != [self.rows, blocks, 2] {
            return Err(RbeError::shape(OP, format!("z ({}, {blocks}, 2)", self.rows), format!("{:?}", z.shape())));
        }
        let dtype = a.dtype().promote(z.dtype());
        let (a, z, bias) = (a.cast(dtype).contiguous(), z.cast(dtype), bias.map(|b| b.cast(dtype).contiguous()));
        let shape = with_last(a.shape(), self.rows);
        dispatch_float!(OP, dtype, T => {
            check_points(OP, &z.contiguous().read::<T>())?;
            let v = self.levels::<T>(&z);
            let (x, bias) = (a.read::<T>(), bias.as_ref().map(Array::read::<T>));
            Ok(Array::build(&shape, |y| reference::forward(&x, batch_of(&a), self.weights(&v), bias.as_deref(), y)).into())
        })
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy().contiguous();
        let (x, z) = (cx.input(0)?.cast(dy.dtype()).contiguous(), cx.input(1)?.cast(dy.dtype()).contiguous());
        let batch = batch_of(&dy);
        dispatch_float!("packed_linear", dy.dtype(), T => {
            let upstream = dy.read::<T>();
            let v = self.levels::<T>(&z);
            let mut grads = cx.two(
                || Ok(Array::build(cx.shape(0), |out| reference::dx(&upstream, batch, self.weights(&v), out))),
                || {
                    let mut g = memory::filled(T::of(0.0), self.hi.len() * BITS);
                    reference::weight_gradient(&x.read::<T>(), &upstream, batch, self.rows, self.cols, &mut g);
                    let mut gv = memory::filled(T::of(0.0), self.hi.len() * 2);
                    reference::level_gradient(&g, &self.hi, &mut gv);
                    Ok(Array::build(z.shape(), |out: &mut [T]| {
                        for ((o, z), g) in out.chunks_exact_mut(2).zip(z.read::<T>().chunks_exact(2)).zip(gv.chunks_exact(2)) {
                            o.copy_from_slice(&pull_back([z[0], z[1]], T::of(self.scale), [g[0], g[1]]));
                        }
                    }))
                },
            )?;
            if cx.arity() > 2 {
                grads.push(if cx.needs(2) { dense(dy.reshape_to(&[batch, self.rows])?.sum_axes(&[0])) } else { None });
            }
            Ok(grads)
        })
    }
}

impl RBETensor {
    /// `x Wᵀ + b` with a packed weight of logical shape (out, in): (…, in) to (…, out).
    ///
    /// # Errors
    /// `Shape` if the lengths do not fit; `DType` if the weight is dense or `x` packed.
    pub fn packed_linear(&self, weight: &RBETensor, bias: Option<&RBETensor>) -> Result<RBETensor> {
        let rounded = MatmulPrecision::current() == MatmulPrecision::Int8 && self.dtype() != DType::F64;
        match (bias, rounded) {
            (Some(bias), true) => apply(RoundedLinear, &[self, weight, bias]),
            (Some(bias), false) => apply(PackedLinear, &[self, weight, bias]),
            (None, true) => apply(RoundedLinear, &[self, weight]),
            (None, false) => apply(PackedLinear, &[self, weight]),
        }
    }

    /// `x Wᵀ + b` with weights of two levels a block, differentiable in x (…, in), the points z (out, blocks, 2) and the
    /// bias (out), in float32 or float64. `hi` (out, blocks) are the state bits.
    ///
    /// # Errors
    /// `Shape` if the lengths do not fit; `Value` for an unused bit that is set, a point outside the disk or a scale that
    /// is not positive; `NonFinite` for a point that is not finite.
    pub fn two_level_linear(&self, hi: &[u64], z: &RBETensor, scale: f64, bias: Option<&RBETensor>) -> Result<RBETensor> {
        const OP: &str = "packed_linear";
        let (Some(cols), [rows, blocks, 2]) = (self.shape().last().copied(), z.shape()) else {
            return Err(RbeError::shape(OP, "x (…, in) and z (out, blocks, 2)", format!("{:?} and {:?}", self.shape(), z.shape())));
        };
        let (rows, blocks) = (*rows, *blocks);
        if cols == 0 || rows == 0 {
            return Err(RbeError::shape(OP, "at least one input and one output", format!("x {:?} and z {:?}", self.shape(), z.shape())));
        }
        if blocks != cols.div_ceil(BITS) || hi.len() != rows * blocks {
            let expected = format!("hi ({rows}, {0}) and z ({rows}, {0}, 2) for x (…, {cols})", cols.div_ceil(BITS));
            return Err(RbeError::shape(OP, expected, format!("{} words and {:?}", hi.len(), z.shape())));
        }
        if !(scale.is_finite() && scale > 0.0) {
            return Err(RbeError::value(OP, "a finite scale > 0", scale));
        }
        let used = if cols.is_multiple_of(BITS) { u64::MAX } else { (1 << (cols % BITS)) - 1 };
        if let Some(row) = hi.chunks_exact(blocks).position(|row| row[blocks - 1] & !used != 0) {
            return Err(RbeError::value(OP, "unused bits of the last block to be 0", format!("a set one in row {row}")));
        }
        let op = TwoLevelLinear { hi: memory::guard(OP, || Ok(memory::copied(hi)))?, rows, cols, scale };
        match bias {
            Some(bias) => apply(op, &[self, z, bias]),
            None => apply(op, &[self, z]),
        }
    }
}
