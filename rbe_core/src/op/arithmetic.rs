//! Arithmetic of two tensors under broadcasting.

use std::sync::Arc;

use super::fused::{Elementwise, ElementwiseOf};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Bound, by_rows, zip};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::graph::apply;
use crate::kernel::by_isa;
use crate::kernel::each::{Grid, Target, each};
use crate::kernel::elementary::Elementary;
use crate::tensor::RBETensor;

/// The type both operands are converted to: the wider of the two, where an operand without axes does not widen one
/// with axes of the same kind (float or integer).
pub fn promote(a: &Array, b: &Array) -> DType {
    let (x, y) = (a.dtype(), b.dtype());
    if x.is_float() == y.is_float() && (x == DType::Bool) == (y == DType::Bool) {
        match (a.ndim(), b.ndim()) {
            (0, n) if n > 0 => return y,
            (n, 0) if n > 0 => return x,
            _ => {}
        }
    }
    x.promote(y)
}

/// A function of two numbers with its partial derivatives.
pub trait BinaryFn: Send + Sync + 'static {
    /// Row of the rule table.
    const RULE: &'static Rule;
    /// What its time is that of.
    const BOUND: Bound = Bound::Arithmetic;
    /// Value.
    fn f<T: Elementary>(a: T, b: T) -> T;
    /// Derivative with respect to the first.
    fn da<T: Elementary>(a: T, b: T) -> T;
    /// Derivative with respect to the second.
    fn db<T: Elementary>(a: T, b: T) -> T;
    /// Which of the operands the two derivatives read.
    const READ: [[bool; 2]; 2] = [[true; 2]; 2];
    /// Value for integers, where it has one.
    fn int(_a: i64, _b: i64) -> Option<i64> {
        None
    }
}

/// An element-wise operation of two tensors.
pub struct Binary<F>(std::marker::PhantomData<F>);

impl<F> Default for Binary<F> {
    fn default() -> Self {
        Binary(std::marker::PhantomData)
    }
}

fn name<F: BinaryFn>() -> &'static str {
    match &F::RULE.name {
        std::borrow::Cow::Borrowed(name) => name,
        std::borrow::Cow::Owned(_) => "binary",
    }
}

by_isa! {
    fn values[F: BinaryFn, T: Elementary](x: Grid<'_, T>, y: Grid<'_, T>, out: &mut Target<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        each!(rows a in x, b in y => out, F::f(a, b));
    }
}

by_isa! {
    fn slopes[F: BinaryFn, T: Elementary](first: bool, dy: Grid<'_, T>, x: Grid<'_, T>, y: Grid<'_, T>, out: &mut Target<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        if first {
            each!(rows d in dy, a in x, b in y => out, d * F::da(a, b));
        } else {
            each!(rows d in dy, a in x, b in y => out, d * F::db(a, b));
        }
    }
}

impl<F: BinaryFn, T: Elementary> ElementwiseOf<T> for Binary<F> {
    fn value(&self, x: &[&[T]], out: &mut [T]) {
        values::<F, T>(Grid::row(x[0]), Grid::row(x[1]), &mut Target::row(out));
    }

    fn slope(&self, k: usize, dy: &[T], x: &[&[T]], _y: &[T], out: &mut [T]) {
        slopes::<F, T>(k == 0, Grid::row(dy), Grid::row(x[0]), Grid::row(x[1]), &mut Target::row(out));
    }
}

impl<F: BinaryFn> Op for Binary<F> {
    fn rule(&self) -> &Rule {
        F::RULE
    }

    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        Some(self)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, b) = (x.array(0)?, x.array(1)?);
        let dtype = promote(a, b);
        if dtype == DType::I64 && F::int(1, 1).is_some() {
            let (a, b) = (a.cast(dtype), b.cast(dtype));
            return Ok(zip(name::<F>(), &a, &b, |a: i64, b: i64| F::int(a, b).unwrap_or(0))?.into());
        }
        let dtype = if dtype.is_float() { dtype } else { DType::F32 };
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        dispatch_float!(name::<F>(), dtype, T => Ok(by_rows(name::<F>(), &[&a, &b], F::BOUND, |x: &[Grid<'_, T>], out| values::<F, T>(x[0], x[1], out))?.into()))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy();
        let saved = |i: usize| -> Result<Array> { Ok(cx.input(i)?.cast(dy.dtype())) };
        let run = |first: bool| -> Result<Array> {
            // In the place of an operand that is not read, any other will do.
            let [a, b] = F::READ[usize::from(!first)];
            let (a, b) = (if a { saved(0)? } else { dy.clone() }, if b { saved(1)? } else { dy.clone() });
            dispatch_float!(name::<F>(), dy.dtype(), T => {
                by_rows(name::<F>(), &[dy, &a, &b], F::BOUND, |x: &[Grid<'_, T>], out| slopes::<F, T>(first, x[0], x[1], x[2], out))
            })
        };
        cx.two(|| run(true), || run(false))
    }
}

/// Functions as `|a, b| value, |a, b| derivative by a, |a, b| derivative by b`. Not closures: what is written is part of methods
/// that are inlined wherever they are called.
macro_rules! binary {
    ($($(#[$doc:meta])* $op:ident $method:ident $rule:ident $(bound by $bound:ident)?:
        |$fa:ident, $fb:ident| $f:expr, |$xa:ident, $xb:ident| $da:expr, |$ya:ident, $yb:ident| $db:expr
        $(, int $int:expr)? $(, read $read:expr)?;)*) => {$(
        $(#[$doc])*
        pub struct $op;
        impl BinaryFn for $op {
            const RULE: &'static Rule = &table::$rule;
            $(const BOUND: Bound = Bound::$bound;)?
            #[inline(always)]
            fn f<T: Elementary>($fa: T, $fb: T) -> T { $f }
            #[inline(always)]
            fn da<T: Elementary>($xa: T, $xb: T) -> T { $da }
            #[inline(always)]
            fn db<T: Elementary>($ya: T, $yb: T) -> T { $db }
            $(const READ: [[bool; 2]; 2] = $read;)?
            $(fn int(a: i64, b: i64) -> Option<i64> { Some(($int)(a, b)) })?
        }
        impl RBETensor {
            $(#[$doc])*
            ///
            /// # Errors
            /// `Shape` if the shapes do not broadcast; `DType` for a packed tensor.
            pub fn $method(&self, other: &RBETensor) -> Result<RBETensor> {
                apply(Binary::<$op>::default(), &[self, other])
            }
        }
    )*};
}

/// Weight of the first operand of a maximum (`sign = 1`) or minimum: ties are shared.
#[inline(always)]
fn share<T: Float>(a: T, b: T, sign: T) -> T {
    let d = (a - b) * sign;
    if d > T::zero() {
        T::one()
    } else if d < T::zero() {
        T::zero()
    } else {
        T::of(0.5)
    }
}

binary! {
    /// `a * b`.
    Mul mul MUL bound by Memory: |a, b| a * b, |_a, b| b, |a, _b| a, int i64::wrapping_mul, read [[false, true], [true, false]];
    /// `a / b`; integers divide to float32.
    Div div DIV bound by Memory: |a, b| a / b, |_a, b| T::one() / b, |a, b| -a / (b * b), read [[false, true], [true, true]];
    /// `a ** b`.
    Pow pow POW: |a, b| a.fast_pow(b),
        |a, b| if b == T::zero() { T::zero() } else { b * a.fast_pow(b - T::one()) },
        |a, b| if a == T::zero() && b >= T::zero() { T::zero() } else { a.fast_pow(b) * a.fast_ln() };
    /// The larger; equal operands share the gradient.
    Maximum maximum MAXIMUM bound by Memory: |a, b| if a.is_nan() || a > b { a } else { b }, |a, b| share(a, b, T::one()), |a, b| share(b, a, T::one()), int std::cmp::max;
    /// The smaller; equal operands share the gradient.
    Minimum minimum MINIMUM bound by Memory: |a, b| if a.is_nan() || a < b { a } else { b }, |a, b| share(a, b, -T::one()), |a, b| share(b, a, -T::one()), int std::cmp::min;
}

/// `a + b` or `a - b`.
pub struct Sum {
    subtract: bool,
}

by_isa! {
    fn sums[T: Float](subtract: bool, x: Grid<'_, T>, y: Grid<'_, T>, out: &mut Target<'_, T>) where narrow(true) {
        if subtract {
            each!(rows a in x, b in y => out, a - b);
        } else {
            each!(rows a in x, b in y => out, a + b);
        }
    }
}

impl<T: Float> ElementwiseOf<T> for Sum {
    fn value(&self, x: &[&[T]], out: &mut [T]) {
        sums(self.subtract, Grid::row(x[0]), Grid::row(x[1]), &mut Target::row(out));
    }

    fn slope(&self, k: usize, dy: &[T], _x: &[&[T]], _y: &[T], out: &mut [T]) {
        if self.subtract && k == 1 { out.iter_mut().zip(dy).for_each(|(o, d)| *o = -*d) } else { out.copy_from_slice(dy) }
    }
}

impl Op for Sum {
    fn rule(&self) -> &Rule {
        if self.subtract { &table::SUB } else { &table::ADD }
    }

    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        Some(self)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, b) = (x.array(0)?, x.array(1)?);
        let dtype = promote(a, b);
        let dtype = if dtype == DType::Bool { DType::I64 } else { dtype };
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        let name = if self.subtract { "sub" } else { "add" };
        Ok(match (dtype, self.subtract) {
            (DType::I64, false) => zip(name, &a, &b, i64::wrapping_add)?,
            (DType::I64, true) => zip(name, &a, &b, i64::wrapping_sub)?,
            _ => dispatch_float!(name, dtype, T => by_rows(name, &[&a, &b], Bound::Memory, |x: &[Grid<'_, T>], out| sums(self.subtract, x[0], x[1], out)))?,
        }
        .into())
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        cx.two(|| Ok(cx.dy().clone()), || if self.subtract { super::unary::negative(cx.dy()) } else { Ok(cx.dy().clone()) })
    }
}

impl RBETensor {
    /// `a + b`.
    ///
    /// # Errors
    /// `Shape` if the shapes do not broadcast; `DType` for a packed tensor.
    pub fn add(&self, other: &RBETensor) -> Result<RBETensor> {
        apply(Sum { subtract: false }, &[self, other])
    }

    /// `a - b`.
    ///
    /// # Errors
    /// As [`RBETensor::add`].
    pub fn sub(&self, other: &RBETensor) -> Result<RBETensor> {
        apply(Sum { subtract: true }, &[self, other])
    }

    /// `floor(a / b)`, int64 stays int64; no gradient.
    ///
    /// # Errors
    /// As [`RBETensor::add`]; `Value` for an integer divisor of 0.
    pub fn floor_divide(&self, other: &RBETensor) -> Result<RBETensor> {
        divide("floor_divide", self, other, i64::div_euclid_floor, |a, b| (a / b).floor())
    }

    /// Remainder with the sign of the divisor, as Python's `%`; no gradient.
    ///
    /// # Errors
    /// As [`RBETensor::floor_divide`].
    pub fn remainder(&self, other: &RBETensor) -> Result<RBETensor> {
        divide("remainder", self, other, |a, b| a - a.div_euclid_floor(b) * b, |a, b| a - (a / b).floor() * b)
    }
}

trait FloorDivision {
    fn div_euclid_floor(self, other: Self) -> Self;
}

impl FloorDivision for i64 {
    fn div_euclid_floor(self, other: i64) -> i64 {
        let quotient = self.wrapping_div(other);
        if self.wrapping_rem(other) != 0 && (self < 0) != (other < 0) { quotient - 1 } else { quotient }
    }
}

fn divide(
    op: &'static str,
    a: &RBETensor,
    b: &RBETensor,
    int: impl Fn(i64, i64) -> i64 + Sync + Send,
    float: impl Fn(f64, f64) -> f64 + Sync + Send,
) -> Result<RBETensor> {
    let (a, b) = (a.array(op)?, b.array(op)?);
    let dtype = promote(a, b);
    if dtype.is_float() {
        let (a, b) = (a.cast(dtype), b.cast(dtype));
        return Ok(RBETensor::from_array(dispatch_float!(op, dtype, T => zip(op, &a, &b, |a: T, b: T| T::of(float(a.wide(), b.wide()))))?));
    }
    let (a, b) = (a.cast(DType::I64), b.cast(DType::I64));
    if b.to_vec::<i64>()?.contains(&0) {
        return Err(RbeError::value(op, "an integer divisor other than 0", 0));
    }
    Ok(RBETensor::from_array(zip(op, &a, &b, int)?))
}
