//! Arithmetic of two tensors under broadcasting.

use std::sync::Arc;

use super::apply::apply;
use super::fused::{Elementwise, ElementwiseOf};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use super::unary::negative;
use super::unary_fn::{Bools, non_temporal, working_type};
use crate::array::{Array, Bound, by_rows, zip};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::isa::multiversion;
use crate::kernel::dense::elementary::Elementary;
use crate::kernel::dense::elementwise::{OutputRows, StridedRows, each};
use crate::kernel::dense::remainder::{
    floor_division, floor_quotient, floor_remainder, integer_power, is_far, near_fmod, of_divisors_sign,
};
use crate::tape::RBETensor;

/// The type both operands are converted to: that which they promote to, where an operand without axes does not widen one
/// with axes of the same kind (float, integer or bool).
pub fn promote(a: &Array, b: &Array) -> DType {
    promote_all(&[a, b])
}

/// As [`promote`], of any number of operands.
pub(super) fn promote_all(operands: &[&Array]) -> DType {
    promoted(operands.iter().map(|a| (a.dtype(), a.ndim() > 0))).unwrap_or(DType::Bool)
}

/// As [`promote`], of the types of any number of operands and whether these have axes.
pub(super) fn promoted(operands: impl Iterator<Item = (DType, bool)>) -> Option<DType> {
    let kind = |d: DType| (d.is_float(), d == DType::Bool);
    let wider = |(x, with_axes): (DType, bool), (y, other): (DType, bool)| {
        let of_one_kind = kind(x) == kind(y) && with_axes != other;
        (if of_one_kind { if with_axes { x } else { y } } else { x.promote(y) }, with_axes || other)
    };
    operands.reduce(wider).map(|(dtype, _)| dtype)
}

impl RBETensor {
    /// The type of a number beside this tensor, if the kinds agree: one that widens neither this nor, where it has axes, is rounded
    /// before the result is.
    pub fn number_type(&self) -> DType {
        if self.shape().is_empty() { self.dtype() } else { self.dtype().wide() }
    }
}

/// A function of two numbers with its partial derivatives.
pub trait BinaryFn: Send + Sync + 'static {
    /// Row of the rule table.
    const RULE: &'static Rule;
    /// What bounds its time.
    const BOUND: Bound = Bound::Arithmetic;
    /// Value.
    fn f<T: Elementary>(a: T, b: T) -> T;
    /// Derivative with respect to the first.
    fn da<T: Elementary>(a: T, b: T) -> T;
    /// Derivative with respect to the second.
    fn db<T: Elementary>(a: T, b: T) -> T;
    /// Which of the operands the two derivatives read.
    const READ: [[bool; 2]; 2] = [[true; 2]; 2];
    /// Whether both derivatives are 0 everywhere.
    const FLAT: bool = false;
    /// The derivatives, if they are 1 or -1 everywhere: gradients pass as they are, or negative.
    const SIGNS: Option<[i8; 2]> = None;
    /// Whether [`BinaryFn::f`] does not hold where [`is_far`] says so, but [`BinaryFn::far`] does.
    const FAR: bool = false;
    /// Value there.
    fn far<T: Elementary>(a: T, b: T) -> T {
        Self::f(a, b)
    }
    /// Whether integers stay integers.
    const KEEPS_INTEGERS: bool = false;
    /// Value for integers, where they stay integers.
    fn int(a: i64, _b: i64) -> i64 {
        a
    }
    /// Whether the second of two integers must not be 0.
    const DIVIDES: bool = false;
    /// What it does with bools.
    const BOOLS: Bools = Bools::Numbers;
    /// Value for bools, 0 or 1, where they stay bools.
    fn bools(a: u8, _b: u8) -> u8 {
        a
    }
}

/// An element-wise operation of two tensors.
pub struct Binary<F>(std::marker::PhantomData<F>);

impl<F> Default for Binary<F> {
    fn default() -> Self {
        Binary(std::marker::PhantomData)
    }
}

multiversion! {
    fn values[F: BinaryFn, T: Elementary](x: StridedRows<'_, T>, y: StridedRows<'_, T>, out: &mut OutputRows<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        each!(rows a in x, b in y => out, streaming non_temporal(F::BOUND, out), F::f(a, b));
        if F::FAR {
            far::<F, T>(x, y, out);
        }
    }
}

/// Writes the values of those pairs that the formula for the others does not hold for, which are rare.
#[inline(always)]
fn far<F: BinaryFn, T: Elementary>(x: StridedRows<'_, T>, y: StridedRows<'_, T>, out: &mut OutputRows<'_, T>) {
    let at = |x: &StridedRows<'_, T>, r: usize, c: usize| x.data[r * x.down + c * x.across];
    for (r, row) in out.rows.chunks_mut(out.width).enumerate() {
        let mut any = false;
        for c in 0..row.len() {
            any |= is_far(at(&x, r, c), at(&y, r, c));
        }
        if any {
            let pairs = row.iter_mut().enumerate().map(|(c, o)| (o, at(&x, r, c), at(&y, r, c)));
            pairs.filter(|(_, a, b)| is_far(*a, *b)).for_each(|(o, a, b)| *o = F::far(a, b));
        }
    }
}

multiversion! {
    fn slopes[F: BinaryFn, T: Elementary](first: bool, dy: StridedRows<'_, T>, x: StridedRows<'_, T>, y: StridedRows<'_, T>, out: &mut OutputRows<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        if first {
            each!(rows d in dy, a in x, b in y => out, streaming non_temporal(F::BOUND, out), d * F::da(a, b));
        } else {
            each!(rows d in dy, a in x, b in y => out, streaming non_temporal(F::BOUND, out), d * F::db(a, b));
        }
    }
}

impl<F: BinaryFn, T: Elementary> ElementwiseOf<T> for Binary<F> {
    fn value(&self, x: &[&[T]], out: &mut [T]) {
        values::<F, T>(StridedRows::row(x[0]), StridedRows::row(x[1]), &mut OutputRows::row(out));
    }

    fn slope(&self, k: usize, dy: &[T], x: &[&[T]], _y: &[T], out: &mut [T]) {
        if F::FLAT {
            return out.fill(T::zero());
        }
        match F::SIGNS {
            Some(signs) if signs[k] < 0 => return out.iter_mut().zip(dy).for_each(|(o, d)| *o = -*d),
            Some(_) => return out.copy_from_slice(dy),
            None => {}
        }
        slopes::<F, T>(k == 0, StridedRows::row(dy), StridedRows::row(x[0]), StridedRows::row(x[1]), &mut OutputRows::row(out));
    }
}

impl<F: BinaryFn> Op for Binary<F> {
    fn rule(&self) -> &Rule {
        F::RULE
    }

    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        Some(self)
    }

    fn cost(&self, x: Inputs<'_>) -> u64 {
        x.broadcast_elements()
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let (a, b) = (x.array(0)?, x.array(1)?);
        let dtype = working_type(&F::RULE.name, promote(a, b), F::KEEPS_INTEGERS, F::BOOLS)?;
        let (a, b) = (a.as_dtype(dtype), b.as_dtype(dtype));
        match dtype {
            DType::Bool => Ok(zip(&F::RULE.name, &a, &b, |a: u8, b: u8| F::bools(a, b))?.into()),
            DType::I64 => {
                if F::DIVIDES && b.contiguous().read::<i64>().contains(&0) {
                    return Err(RbeError::value(&*F::RULE.name, "an integer divisor other than 0", 0));
                }
                Ok(zip(&F::RULE.name, &a, &b, |a: i64, b: i64| F::int(a, b))?.into())
            }
            _ => dispatch_float!(&*F::RULE.name, dtype, T => {
                Ok(by_rows(&F::RULE.name, &[&a, &b], F::BOUND, |x: &[StridedRows<'_, T>], out| values::<F, T>(x[0], x[1], out))?.into())
            }),
        }
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let dy = cx.dy();
        if F::FLAT {
            let zeros = |i: usize| Ok(Array::zeros(dy.dtype(), cx.shape(i)));
            return cx.two(|| zeros(0), || zeros(1));
        }
        if let Some([a, b]) = F::SIGNS {
            let passed = |sign: i8| if sign < 0 { negative(dy) } else { Ok(dy.clone()) };
            return cx.two(|| passed(a), || passed(b));
        }
        let saved = |i: usize| -> Result<Array> { Ok(cx.input(i)?.cast(dy.dtype())) };
        let run = |first: bool| -> Result<Array> {
            // In the place of an operand that is not read, any other will do.
            let [a, b] = F::READ[usize::from(!first)];
            let (a, b) = (if a { saved(0)? } else { dy.clone() }, if b { saved(1)? } else { dy.clone() });
            dispatch_float!(&*F::RULE.name, dy.dtype(), T => {
                by_rows(&F::RULE.name, &[dy, &a, &b], F::BOUND, |x: &[StridedRows<'_, T>], out| slopes::<F, T>(first, x[0], x[1], x[2], out))
            })
        };
        cx.two(|| run(true), || run(false))
    }
}

/// Declares functions of two numbers, as `unary!` those of one: `|a, b| value, |a, b| derivative by a, |a, b| derivative by b`. `far`
/// gives the value where the quotient is far from 0, `divides true` refuses integer divisors of 0, `read` says which operands the
/// derivatives read, `signs` that they are 1 or -1 everywhere.
macro_rules! binary {
    (rules $rules:ident, export $export:ident $d:tt; $(#[doc = $doc:literal] $(#[example($code:literal, $shown:literal)])? $(#[in_place($in_place:ident)])?
        $audience:ident $op:ident $method:ident saves $saves:ident $(bound by $bound:ident)?:
        |$fa:ident, $fb:ident| $f:expr, |$xa:ident, $xb:ident| $da:expr, |$ya:ident, $yb:ident| $db:expr
        $(, flat $flat:literal)? $(, signs $signs:expr)? $(, far |$ra:ident, $rb:ident| $far:expr)?
        $(, int $int:expr)? $(, divides $divides:literal)? $(, bools $bools:expr)? $(, refuses $refused:expr)? $(, read $read:expr)?;)*) => {
        $(
        #[doc = $doc]
        pub struct $op;
        impl BinaryFn for $op {
            const RULE: &'static Rule = &Rule::new(stringify!($method), (2, 2), table::$saves);
            $(const BOUND: Bound = Bound::$bound;)?
            #[inline(always)]
            fn f<T: Elementary>($fa: T, $fb: T) -> T { $f }
            #[inline(always)]
            fn da<T: Elementary>($xa: T, $xb: T) -> T { $da }
            #[inline(always)]
            fn db<T: Elementary>($ya: T, $yb: T) -> T { $db }
            $(const READ: [[bool; 2]; 2] = $read;)?
            $(const FLAT: bool = $flat;)?
            $(const SIGNS: Option<[i8; 2]> = Some($signs);)?
            $(const FAR: bool = true;
            #[inline(always)]
            fn far<T: Elementary>($ra: T, $rb: T) -> T { $far })?
            $(const KEEPS_INTEGERS: bool = true;
            #[inline(always)]
            fn int(a: i64, b: i64) -> i64 { ($int)(a, b) })?
            $(const DIVIDES: bool = $divides;)?
            $(const BOOLS: Bools = Bools::Stay;
            #[inline(always)]
            fn bools(a: u8, b: u8) -> u8 { ($bools)(a, b) })?
            $(const BOOLS: Bools = $refused;)?
        }
        impl RBETensor {
            #[doc = $doc]
            ///
            /// # Errors
            /// `Shape` if the shapes do not broadcast; `DType` for a packed tensor, and for bools where they make no sense; `Value` for
            /// an integer divisor of 0.
            pub fn $method(&self, other: &RBETensor) -> Result<RBETensor> {
                apply(Binary::<$op>::default(), &[self, other])
            }
        }
        )*

        /// The rules of these operations.
        pub(super) static $rules: &[&Rule] = &[$(<$op as BinaryFn>::RULE),*];

        /// Calls a macro with the declaration of every element-wise function of two tensors.
        #[macro_export]
        macro_rules! $export {
            ($d callback:ident) => {
                $d callback! { $($audience [$doc] [$($code, $shown)?] [$($in_place)?] $method () saves $saves;)* }
            };
        }
    };
}

/// Weight of the first operand of a maximum (`sign = 1`) or minimum: ties are shared, and beside NaN both count.
#[inline(always)]
fn share<T: Float>(a: T, b: T, sign: T) -> T {
    if a == b {
        T::of(0.5)
    } else if (a - b) * sign < T::zero() {
        T::zero()
    } else {
        T::one()
    }
}

/// `1 / (a² + b²)`, 0 where that is infinite.
#[inline(always)]
fn of_square<T: Float>(a: T, b: T) -> T {
    let square = a * a + b * b;
    if square == T::zero() { T::zero() } else { T::one() / square }
}

/// The larger number; NaN where one is.
#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if a.is_nan() || a > b { a } else { b }
}

/// Division of masks.
const MASKS: Bools = Bools::Refused("convert a mask before dividing");

/// The floor of `a / b` to its last place; NaN for infinite dividends, whose remainder is that.
#[inline(always)]
fn near_floor_quotient<T: Float>(a: T, b: T) -> T {
    let quotient = if is_far(a, b) { (a / b).floor() } else { floor_quotient(a, b, near_fmod(a, b)) };
    if a.is_infinite() && b != T::zero() { T::nan() } else { quotient }
}

binary! {
    rules RULES, export for_each_binary $;
    /// `a + b`.
    core Add add saves NOTHING bound by Memory: |a, b| a + b, |_a, _b| T::one(), |_a, _b| T::one(), signs [1, 1], int i64::wrapping_add, bools |a, b| a | b;
    /// `a - b`.
    core Sub sub saves NOTHING bound by Memory: |a, b| a - b, |_a, _b| T::one(), |_a, _b| -T::one(), signs [1, -1], int i64::wrapping_sub,
        refuses Bools::Refused("use ^ or logical_xor for masks");
    /// Return `a * b`.
    #[example("rbe.mul(rbe.tensor([1.0, 2.0]), 3)", "tensor([3., 6.])")]
    #[in_place(mul_)]
    python Mul mul saves INPUTS bound by Memory: |a, b| a * b, |_a, b| b, |a, _b| a, int i64::wrapping_mul, bools |a, b| a & b, read [[false, true], [true, false]];
    /// `a / b`; integers divide to floats.
    core Div div saves INPUTS bound by Memory: |a, b| a / b, |_a, b| T::one() / b, |a, b| -a / (b * b), read [[false, true], [true, true]];
    /// `a ** b`; integers stay integers, of which the lowest 64 bits are kept, and to a negative power are 0, 1 or -1.
    core Pow pow saves INPUTS: |a, b| a.fast_pow(b),
        |a, b| if b == T::zero() { T::zero() } else { b * a.fast_pow(b - T::one()) },
        |a, b| if a == T::zero() && b >= T::zero() { T::zero() } else { a.fast_pow(b) * a.fast_ln() }, int integer_power, bools |a, b| a | (1 - b);
    /// Return the larger of `a` and `b`; equal operands share the gradient.
    #[example("rbe.maximum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))", "tensor([3, 5])")]
    python Maximum maximum saves INPUTS bound by Memory: |a, b| if a.is_nan() || a > b { a } else { b }, |a, b| share(a, b, T::one()), |a, b| share(b, a, T::one()), int std::cmp::max, bools |a, b| a | b;
    /// Return the smaller of `a` and `b`; equal operands share the gradient.
    #[example("rbe.minimum(rbe.tensor([1, 5]), rbe.tensor([3, 4]))", "tensor([1, 4])")]
    python Minimum minimum saves INPUTS bound by Memory: |a, b| if a.is_nan() || a < b { a } else { b }, |a, b| share(a, b, -T::one()), |a, b| share(b, a, -T::one()), int std::cmp::min, bools |a, b| a & b;
    /// Return the exact remainder of `a / b`, of the sign of `b`, as Python's `%`; gradients hold the quotient fixed.
    #[example("rbe.remainder(rbe.tensor([7, -7]), 3)", "tensor([1, 2])")]
    #[in_place(remainder_)]
    python Remainder remainder saves INPUTS: |a, b| of_divisors_sign(near_fmod(a, b), b), |_a, _b| T::one(), |a, b| -near_floor_quotient(a, b),
        far |a, b| of_divisors_sign(a % b, b), int floor_remainder, divides true, refuses MASKS, read [[false, false], [true, true]];
    /// Return the exact remainder of `a / b`, of the sign of `a`, as C's `fmod`; gradients hold the quotient fixed.
    #[example("rbe.fmod(rbe.tensor([7, -7]), 3)", "tensor([ 1, -1])")]
    #[in_place(fmod_)]
    python Fmod fmod saves INPUTS: |a, b| near_fmod(a, b), |_a, _b| T::one(), |a, b| -(a / b).trunc(),
        far |a, b| a % b, int i64::wrapping_rem, divides true, refuses MASKS, read [[false, false], [true, true]];
    /// Return `floor(a / b)` of the true quotient, as Python's `//`; its gradient is 0.
    #[example("rbe.floor_divide(rbe.tensor([7, -7]), 2)", "tensor([ 3, -4])")]
    #[in_place(floor_divide_)]
    python FloorDivide floor_divide saves NOTHING: |a, b| floor_quotient(a, b, near_fmod(a, b)), |_a, _b| T::zero(), |_a, _b| T::zero(), flat true,
        far |a, b| floor_quotient(a, b, a % b), int floor_division, divides true, refuses MASKS;
    /// `a / b` rounded towards 0; its gradient is 0.
    core TruncDivide trunc_divide saves NOTHING bound by Memory: |a, b| (a / b).trunc(), |_a, _b| T::zero(), |_a, _b| T::zero(), flat true,
        int i64::wrapping_div, divides true, refuses MASKS;
    /// Return the magnitude of `a` with the sign of `b`, which has no gradient.
    #[example("rbe.copysign(rbe.tensor([1.0, 2.0]), -0.0)", "tensor([-1., -2.])")]
    #[in_place(copysign_)]
    python Copysign copysign saves INPUTS bound by Memory: |a, b| a.copysign(b), |a, b| if a == T::zero() { a } else { a.copysign(b) / a }, |_a, _b| T::zero(), read [[true, true], [false, false]];
    /// Return the angle of the point (`b`, `a`) in radians, between -π and π; the gradient at (0, 0) is 0.
    #[example("rbe.atan2(rbe.tensor([0.0, 1.0]), rbe.tensor([-1.0, 1.0]))", "tensor([3.1416, 0.7854])")]
    #[in_place(atan2_)]
    python Atan2 atan2 saves INPUTS: |a, b| a.atan2(b), |a, b| b * of_square(a, b), |a, b| -a * of_square(a, b);
    /// Return `sqrt(a² + b²)`, without overflow.
    #[example("rbe.hypot(rbe.tensor([3.0]), 4.0)", "tensor([5.])")]
    #[in_place(hypot_)]
    python Hypot hypot saves INPUTS: |a, b| a.hypot(b), |a, b| a / a.hypot(b), |a, b| b / a.hypot(b);
    /// Return `a ln b`, 0 where `a` is 0 unless `b` is NaN.
    #[example("rbe.xlogy(rbe.tensor([0.0, 2.0]), rbe.tensor([0.0, 1.0]))", "tensor([0., 0.])")]
    #[in_place(xlogy_)]
    python Xlogy xlogy saves INPUTS: |a, b| if a == T::zero() && !b.is_nan() { T::zero() } else { a * b.fast_ln() },
        |a, b| if a == T::zero() && b <= T::zero() { T::zero() } else { b.fast_ln() }, |a, b| a / b;
    /// Return `ln(e^a + e^b)`, without overflow.
    #[example("rbe.logaddexp(rbe.tensor([0.0]), 0.0)", "tensor([0.6931])")]
    python LogAddExp logaddexp saves INPUTS: |a, b| larger(a, b) + if a == b { T::of(std::f64::consts::LN_2) } else { (-(a - b).abs()).fast_exp().fast_ln_1p() },
        |a, b| (a - b).fast_logistic(), |a, b| (b - a).fast_logistic();
    /// Return `log2(2^a + 2^b)`, without overflow.
    #[example("rbe.logaddexp2(rbe.tensor([0.0]), 0.0)", "tensor([1.])")]
    python LogAddExp2 logaddexp2 saves INPUTS: |a, b| larger(a, b) + if a == b { T::one() } else { (-(a - b).abs()).exp2().ln_1p() * T::of(std::f64::consts::LOG2_E) },
        |a, b| T::one() / (T::one() + (b - a).exp2()), |a, b| T::one() / (T::one() + (a - b).exp2());
}
