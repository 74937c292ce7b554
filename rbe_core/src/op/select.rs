//! Choice and comparison.

use super::apply::apply;
use super::arithmetic::{promote, promote_all};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule, dense};
use super::table;
use crate::array::{Array, map, zip, zip3};
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::tape::RBETensor;
use crate::{dispatch_float, dispatch_size, dispatch_wide};

/// `condition ? a : b`, element-wise under broadcasting. Inputs: condition (bool), a, b.
struct Where;

impl Op for Where {
    fn rule(&self) -> &Rule {
        &table::WHERE
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.broadcast_elements()
    }

    fn takes(&self, _dtype: DType) -> bool {
        true // elements are moved
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (c, a, b) = (x.array(0)?.cast(DType::Bool), x.array(1)?, x.array(2)?);
        let dtype = promote(a, b);
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        Ok(dispatch_size!(dtype, T => zip3("where", &c, &a, &b, |c: u8, a: T, b: T| if c != 0 { a } else { b }))?.relabel(dtype).into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let (c, dy) = (cx.input(0)?.cast(DType::Bool), cx.dy());
        let side = |first: bool| -> Result<Array> {
            let kept = dispatch_size!(dy.dtype(), T => zip("where", &c, dy, |c: u8, d: T| if (c != 0) == first { d } else { 0 }))?;
            Ok(kept.relabel(dy.dtype()))
        };
        let mut grads = Grads::new();
        grads.push(None);
        grads.push(if cx.needs(1) { dense(side(true)?) } else { None });
        grads.push(if cx.needs(2) { dense(side(false)?) } else { None });
        Ok(grads)
    }
}

/// Every element held between two bounds, under broadcasting; where the lower is above the upper, the upper one; NaN where any is.
/// Inputs: elements, lower bounds, upper bounds.
struct ClampBetween;

impl ClampBetween {
    /// What the gradient of input `k` is multiplied by: elements on a bound share it with that, as torch has it.
    fn slope<T: Float>(k: usize, x: T, low: T, high: T) -> T {
        let [on_low, on_high] = [low, high].map(|bound| low < high && x == bound);
        let (whole, half) = match k {
            0 => (!(x < low || x > high), on_low || on_high),
            1 => (low <= high && x < low, on_low),
            _ => (high < low || low <= high && x > high, on_high),
        };
        T::of(if half { 0.5 } else { f64::from(u8::from(whole)) })
    }
}

impl Op for ClampBetween {
    fn rule(&self) -> &Rule {
        &table::CLAMP_BETWEEN
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.broadcast_elements()
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let inputs = x.arrays()?;
        let dtype = promote_all(&inputs);
        let [a, low, high] = [inputs[0].cast(dtype), inputs[1].cast(dtype), inputs[2].cast(dtype)];
        #[allow(clippy::eq_op)] // only NaN differs from itself
        let held = dispatch_wide!("clamp", dtype, T => zip3("clamp", &a, &low, &high, |x: T, low: T, high: T| {
            let raised = if x < low || low != low && x == x { low } else { x };
            if raised > high || high != high && raised == raised { high } else { raised }
        }));
        Ok(held?.relabel(dtype).into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy();
        let inputs = (0..3).map(|i| Ok(cx.input(i)?.cast(dy.dtype()))).collect::<Result<Vec<Array>>>()?;
        let slope = |k: usize| -> Result<Array> {
            dispatch_float!("clamp", dy.dtype(), T => {
                let slopes = zip3("clamp", &inputs[0], &inputs[1], &inputs[2], |x: T, low: T, high: T| ClampBetween::slope(k, x, low, high))?;
                zip("clamp", dy, &slopes, |d: T, s: T| d * s)
            })
        };
        (0..3).map(|k| Ok(if cx.needs(k) { dense(slope(k)?) } else { None })).collect()
    }
}

/// A comparison of two tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `a == b`
    Eq,
    /// `a != b`
    Ne,
    /// `a < b`
    Lt,
    /// `a <= b`
    Le,
    /// `a > b`
    Gt,
    /// `a >= b`
    Ge,
}

/// A logical connective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logic {
    /// Both.
    And,
    /// At least one.
    Or,
    /// Exactly one.
    Xor,
}

impl RBETensor {
    /// `a` where this (not 0) holds, else `b`.
    ///
    /// # Errors
    /// `Shape` if the shapes do not broadcast; `DType` for a packed tensor.
    pub fn where_(&self, a: &RBETensor, b: &RBETensor) -> Result<RBETensor> {
        apply(Where, &[self, a, b])
    }

    /// The elements held between two tensors of bounds; where the lower bound is above the upper, the upper one.
    ///
    /// # Errors
    /// As [`RBETensor::where_`].
    pub fn clamp_between(&self, low: &RBETensor, high: &RBETensor) -> Result<RBETensor> {
        apply(ClampBetween, &[self, low, high])
    }

    /// Comparison under broadcasting: a bool tensor.
    ///
    /// # Errors
    /// As [`RBETensor::where_`].
    pub fn compare(&self, other: &RBETensor, comparison: Comparison) -> Result<RBETensor> {
        let (a, b) = (self.array("compare")?, other.array("compare")?);
        let common = promote(a, b);
        let bytes = [a, b].into_iter().all(|a| a.dtype().size() == 1 && a.dtype() != DType::I8);
        let dtype = if bytes { common } else { common.wide() };
        RBETensor::unrecorded("compare", &[self, other], || {
            // Numbers beside short floats are rounded as those are; integers are compared exactly.
            let operand = |a: &Array| if common.is_float() { a.cast(common).cast(dtype) } else { a.cast(dtype) };
            let (a, b) = (operand(a), operand(b));
            dispatch_wide!("compare", dtype, T => match comparison {
                Comparison::Eq => zip("eq", &a, &b, |a: T, b: T| u8::from(a == b)),
                Comparison::Ne => zip("ne", &a, &b, |a: T, b: T| u8::from(a != b)),
                Comparison::Lt => zip("lt", &a, &b, |a: T, b: T| u8::from(a < b)),
                Comparison::Le => zip("le", &a, &b, |a: T, b: T| u8::from(a <= b)),
                Comparison::Gt => zip("gt", &a, &b, |a: T, b: T| u8::from(a > b)),
                Comparison::Ge => zip("ge", &a, &b, |a: T, b: T| u8::from(a >= b)),
            })
        })
    }

    /// Logical connective of two tensors (anything but 0 is true): a bool tensor.
    ///
    /// # Errors
    /// As [`RBETensor::where_`].
    pub fn logical(&self, other: &RBETensor, connective: Logic) -> Result<RBETensor> {
        RBETensor::unrecorded("logical", &[self, other], || {
            let (a, b) = (self.array("logical")?.cast(DType::Bool), other.array("logical")?.cast(DType::Bool));
            match connective {
                Logic::And => zip("logical_and", &a, &b, |a: u8, b: u8| a & b),
                Logic::Or => zip("logical_or", &a, &b, |a: u8, b: u8| a | b),
                Logic::Xor => zip("logical_xor", &a, &b, |a: u8, b: u8| a ^ b),
            }
        })
    }

    /// Whether each element is 0.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn logical_not(&self) -> Result<RBETensor> {
        RBETensor::unrecorded("logical_not", &[self], || Ok(map(&self.array("logical_not")?.cast(DType::Bool), |v: u8| 1 - v)))
    }

    /// The connective bit by bit: of truth values, or of integers in two's complement.
    ///
    /// # Errors
    /// As [`RBETensor::where_`]; `DType` for floats.
    pub fn bitwise(&self, other: &RBETensor, connective: Logic) -> Result<RBETensor> {
        let (a, b) = (self.integral("bitwise")?, other.integral("bitwise")?);
        if a.dtype() == DType::Bool && b.dtype() == DType::Bool {
            return self.logical(other, connective);
        }
        RBETensor::unrecorded("bitwise", &[self, other], || {
            let dtype = promote(a, b);
            let (a, b) = (a.cast(DType::I64), b.cast(DType::I64));
            let joined = match connective {
                Logic::And => zip("bitwise_and", &a, &b, |a: i64, b: i64| a & b),
                Logic::Or => zip("bitwise_or", &a, &b, |a: i64, b: i64| a | b),
                Logic::Xor => zip("bitwise_xor", &a, &b, |a: i64, b: i64| a ^ b),
            }?;
            Ok(joined.cast(dtype))
        })
    }

    /// The complement, bit by bit.
    ///
    /// # Errors
    /// `DType` for floats and a packed tensor.
    pub fn bitwise_not(&self) -> Result<RBETensor> {
        let a = self.integral("bitwise_not")?;
        if a.dtype() == DType::Bool {
            self.logical_not()
        } else {
            RBETensor::unrecorded("bitwise_not", &[self], || Ok(map(&a.wide(), |v: i64| !v).cast(a.dtype())))
        }
    }

    fn integral(&self, op: &'static str) -> Result<&Array> {
        let array = self.array(op)?;
        if array.dtype().is_float() {
            return Err(RbeError::dtype(op, "integer or bool tensors", array.dtype()));
        }
        Ok(array)
    }

    /// Whether each element is neither NaN nor infinite.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn isfinite(&self) -> Result<RBETensor> {
        let a = self.array("isfinite")?;
        RBETensor::unrecorded("isfinite", &[self], || {
            let a = &*a.wide();
            Ok(match a.dtype() {
                DType::F32 => map(a, |v: f32| u8::from(v.is_finite())),
                DType::F64 => map(a, |v: f64| u8::from(v.is_finite())),
                _ => Array::full(DType::Bool, a.shape(), 1.0),
            })
        })
    }

    /// Whether each element is infinite.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn isinf(&self) -> Result<RBETensor> {
        let a = self.array("isinf")?;
        RBETensor::unrecorded("isinf", &[self], || {
            let a = &*a.wide();
            Ok(match a.dtype() {
                DType::F32 => map(a, |v: f32| u8::from(v.is_infinite())),
                DType::F64 => map(a, |v: f64| u8::from(v.is_infinite())),
                _ => Array::zeros(DType::Bool, a.shape()),
            })
        })
    }

    /// Whether each element is NaN.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn isnan(&self) -> Result<RBETensor> {
        let a = self.array("isnan")?;
        RBETensor::unrecorded("isnan", &[self], || {
            let a = &*a.wide();
            Ok(match a.dtype() {
                DType::F32 => map(a, |v: f32| u8::from(v.is_nan())),
                DType::F64 => map(a, |v: f64| u8::from(v.is_nan())),
                _ => Array::zeros(DType::Bool, a.shape()),
            })
        })
    }
}
