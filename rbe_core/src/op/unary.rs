//! Element-wise functions of one tensor: pure pairs of value and derivative.

use std::sync::Arc;

use super::apply::apply;
use super::fused::{Elementwise, ElementwiseOf};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, Bound, by_rows, map};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::isa::multiversion;
use crate::kernel::dense::elementary::{CIRCLE_END, Elementary};
use crate::kernel::dense::elementwise::{Grid, Target, each};
use crate::kernel::dense::remainder::integer_power;
use crate::kernel::dense::stream::Streaming;
use crate::tape::RBETensor;

/// A function of one number with its derivative.
pub trait UnaryFn: Send + Sync + 'static {
    /// Row of the rule table; what it saves is what [`UnaryFn::df`] is given.
    const RULE: &'static Rule;
    /// What its time is that of.
    const BOUND: Bound = Bound::Arithmetic;
    /// Value.
    fn f<T: Elementary>(&self, x: T) -> T;
    /// Derivative, from the input or, where the rule saves the output, from that.
    fn df<T: Elementary>(&self, saved: T) -> T;
    /// Whether the derivative is 0 everywhere: nothing is read for it then.
    const FLAT: bool = false;
    /// Whether integers stay integers.
    fn keeps_integers(&self) -> bool {
        false
    }
    /// Value for an integer, where they stay integers.
    fn int(&self, x: i64) -> i64 {
        x
    }
    /// What it does with bools.
    const BOOLS: Bools = Bools::Numbers;
    /// Where both end, if they do.
    const REACH: Option<f64> = None;
    /// Value and derivative from there on.
    fn beyond<T: Elementary>(x: T) -> (T, T) {
        (x, T::one())
    }
}

/// What an element-wise function does with bools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bools {
    /// They count as the integers 0 and 1.
    Numbers,
    /// They stay bools.
    Stay,
    /// It does not take them; what to use instead.
    Refused(&'static str),
}

/// The type in which a function of operands of one type, to which they are converted first, is worked out.
///
/// # Errors
/// `DType` for bools that the function does not take, and for uint8 where the result would be integers.
pub(super) fn working_type(op: &'static str, dtype: DType, keeps_integers: bool, bools: Bools) -> Result<DType> {
    match (dtype, bools) {
        (DType::Bool, Bools::Stay) => Ok(DType::Bool),
        (DType::Bool, Bools::Refused(instead)) => Err(RbeError::dtype(op, format!("numbers ({instead})"), dtype)),
        (DType::Bool | DType::I64, _) if keeps_integers => Ok(DType::I64),
        (DType::U8, _) if keeps_integers => Err(RbeError::dtype(op, "int64 or floats (convert with .to())", dtype)),
        _ => Ok(dtype.floating()),
    }
}

/// An element-wise operation of one tensor.
pub struct Unary<F>(pub F);

fn name(rule: &'static Rule) -> &'static str {
    match &rule.name {
        std::borrow::Cow::Borrowed(name) => name,
        std::borrow::Cow::Owned(_) => "unary",
    }
}

/// What loops write past the caches with: never anything for those bound by arithmetic, of which the compiler then makes one
/// loop instead of two.
#[inline(always)]
pub(super) fn past_caches<'a, T>(bound: Bound, out: &Target<'a, T>) -> Option<&'a Streaming> {
    if bound == Bound::Memory { out.past_caches } else { None }
}

multiversion! {
    fn values[F: UnaryFn, T: Elementary](f: &F, x: Grid<'_, T>, out: &mut Target<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        each!(rows v in x => out, past past_caches(F::BOUND, out), f.f(v));
        far(x, F::REACH, out, |_, _, v| F::beyond(v).0);
    }
}

multiversion! {
    fn slopes[F: UnaryFn, T: Elementary](f: &F, dy: Grid<'_, T>, saved: Grid<'_, T>, out: &mut Target<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        if F::BOUND == Bound::Memory {
            each!(rows d in dy, s in saved => out, d * f.df(s));
        } else {
            each!(laid out d in dy, s in saved => out, d * f.df(s));
        }
        far(saved, F::REACH, out, |r, c, v| dy.data[r * dy.down + c * dy.across] * F::beyond(v).1);
    }
}

/// Writes what `value` makes of row, column and element of the finite numbers of `x` from `reach` on, which are rare.
#[inline(always)]
fn far<T: Elementary>(x: Grid<'_, T>, reach: Option<f64>, out: &mut Target<'_, T>, value: impl Fn(usize, usize, T) -> T) {
    let Some(reach) = reach.map(T::of) else { return };
    let (mut room, width) = (x.room(), out.width);
    for (r, out) in out.rows.chunks_mut(width).enumerate() {
        let (line, across) = x.line(r, width, &mut room);
        let mut any = false;
        for v in line {
            any |= v.abs() >= reach;
        }
        if any {
            let all = out.iter_mut().enumerate().map(|(c, o)| (c, o, line[c * across]));
            all.filter(|(_, _, v)| v.abs() >= reach && v.is_finite()).for_each(|(c, o, v)| *o = value(r, c, v));
        }
    }
}

impl<F: UnaryFn, T: Elementary> ElementwiseOf<T> for Unary<F> {
    fn value(&self, x: &[&[T]], out: &mut [T]) {
        values(&self.0, Grid::row(x[0]), &mut Target::row(out));
    }

    fn slope(&self, _k: usize, dy: &[T], x: &[&[T]], y: &[T], out: &mut [T]) {
        if F::FLAT {
            return out.fill(T::zero());
        }
        let saved = if F::RULE.saves.has_output(0) { y } else { x[0] };
        slopes(&self.0, Grid::row(dy), Grid::row(saved), &mut Target::row(out));
    }
}

impl<F: UnaryFn> Op for Unary<F> {
    fn rule(&self) -> &Rule {
        F::RULE
    }

    fn elementwise(self: Arc<Self>) -> Option<Arc<dyn Elementwise>> {
        Some(self)
    }

    fn forward(&self, x: Inputs<'_>) -> Result<Output> {
        let a = x.array(0)?;
        let dtype = working_type(name(F::RULE), a.dtype(), self.0.keeps_integers(), F::BOOLS)?;
        let a = a.cast(dtype);
        match dtype {
            DType::Bool => Ok(a.into()),
            DType::I64 => Ok(map(&a, |v: i64| self.0.int(v)).into()),
            _ => dispatch_float!(name(F::RULE), dtype, T => {
                Ok(by_rows(name(F::RULE), &[&a], F::BOUND, |x: &[Grid<'_, T>], out| values(&self.0, x[0], out))?.into())
            }),
        }
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        if F::FLAT {
            return cx.one(|| Ok(Array::zeros(cx.dy().dtype(), cx.shape(0))));
        }
        let saved = if F::RULE.saves.has_output(0) { cx.output()? } else { cx.input(0)? };
        cx.one(|| {
            dispatch_float!(name(F::RULE), saved.dtype(), T => {
                by_rows(name(F::RULE), &[cx.dy(), saved], F::BOUND, |x: &[Grid<'_, T>], out| slopes(&self.0, x[0], x[1], out))
            })
        })
    }
}

/// Functions as `|x, parameters…| value, |saved, parameters…| derivative`; `flat true` where that is 0 everywhere. `int` gives the value for integers, which otherwise become floats; `bools` what happens to bools. Not closures: what is written
/// is part of methods that are inlined wherever they are called.
macro_rules! unary {
    ($($(#[$doc:meta])* $op:ident $(($($field:ident: $kind:ty),*))? $method:ident $rule:ident $(bound by $bound:ident)?:
        |$x:ident $(, $p:ident)*| $f:expr, |$s:ident $(, $q:ident)*| $df:expr $(, flat $flat:literal)?
        $(, beyond $reach:expr, |$far:ident| $beyond:expr)? $(, int |$i:ident| $int:expr)? $(, bools $bools:expr)?;)*) => {$(
        $(#[$doc])*
        pub struct $op { $($(#[doc = "Parameter of the function."] pub $field: $kind),*)? }
        impl UnaryFn for $op {
            const RULE: &'static Rule = &table::$rule;
            $(const BOUND: Bound = Bound::$bound;)?
            #[inline(always)]
            fn f<T: Elementary>(&self, $x: T) -> T {
                unary!(@parameters self T ($($p),*) ($($($field),*)?));
                $f
            }
            #[inline(always)]
            fn df<T: Elementary>(&self, $s: T) -> T {
                unary!(@parameters self T ($($q),*) ($($($field),*)?));
                $df
            }
            $(const FLAT: bool = $flat;)?
            $(fn keeps_integers(&self) -> bool {
                true
            }
            fn int(&self, $i: i64) -> i64 {
                $int
            })?
            $(const BOOLS: Bools = $bools;)?
            $(const REACH: Option<f64> = Some($reach);
            fn beyond<T: Elementary>($far: T) -> (T, T) {
                $beyond
            })?
        }
        impl RBETensor {
            $(#[$doc])*
            ///
            /// # Errors
            /// `DType` for a packed tensor.
            pub fn $method(&self $(, $($field: $kind),*)?) -> Result<RBETensor> {
                apply(Unary($op { $($($field),*)? }), &[self])
            }
        }
    )*};
    (@parameters $self:ident $T:ident ($($p:ident),*) ($($field:ident),*)) => {
        let ($($p,)*) = ($($T::of($self.$field),)*);
    };
}

/// The tanh approximation of GELU and its derivative: `½ (1 + tanh u)` is the logistic function of 2u.
#[inline(always)]
fn tanh_gelu<T: Elementary>(x: T) -> (T, T) {
    let (a, c) = (T::of(2.0 * 0.797_884_560_802_865_4), T::of(0.044_715)); // 2 sqrt(2/pi)
    // Beyond |x| = 1000 nothing changes, and x² could overflow.
    let square = if x * x < T::of(1e6) { x * x } else { T::of(1e6) };
    let s = (a * x * (T::one() + c * square)).fast_logistic();
    (x * s, s + x * s * (T::one() - s) * a * (T::one() + T::of(3.0) * c * square))
}

unary! {
    /// `-x`.
    Neg neg NEG bound by Memory: |x| -x, |_x| -T::one(), int |i| i.wrapping_neg(), bools MASK;
    /// `e^x`.
    Exp exp EXP: |x| x.fast_exp(), |y| y;
    /// `e^x - 1`, accurate near 0.
    Expm1 expm1 EXPM1: |x| x.fast_exp_m1(), |y| y + T::one();
    /// Natural logarithm.
    Log log LOG: |x| x.fast_ln(), |x| T::one() / x;
    /// Logarithm to base 2, exact for powers of it.
    Log2 log2 LOG2: |x| T::of(x.wide().log2()), |x| T::of(std::f64::consts::LOG2_E) / x;
    /// Logarithm to base 10, exact for powers of it.
    Log10 log10 LOG10: |x| T::of(x.wide().log10()), |x| T::of(std::f64::consts::LOG10_E) / x;
    /// `ln(1 + x)`, accurate near 0.
    Log1p log1p LOG1P: |x| x.fast_ln_1p(), |x| T::one() / (T::one() + x);
    /// Square root.
    Sqrt sqrt SQRT bound by Memory: |x| x.sqrt(), |y| T::of(0.5) / y;
    /// `x²`.
    Square square SQUARE bound by Memory: |x| x * x, |x| x + x, int |i| i.wrapping_mul(i);
    /// `1 / x`.
    Reciprocal reciprocal RECIPROCAL bound by Memory: |x| T::one() / x, |y| -y * y;
    /// `|x|`; the gradient at 0 is 0.
    Abs abs ABS bound by Memory: |x| x.abs(), |x| sign(x), int |i| i.wrapping_abs(), bools MASK;
    /// -1, 0 or 1; its gradient is 0.
    Sign sign SIGN bound by Memory: |x| sign(x), |_x| T::zero(), flat true, int |i| i.signum(), bools Bools::Stay;
    /// The largest integer not above; its gradient is 0.
    Floor floor FLOOR bound by Memory: |x| x.floor(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// The smallest integer not below; its gradient is 0.
    Ceil ceil CEIL bound by Memory: |x| x.ceil(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// The nearest integer, the even one of two; its gradient is 0.
    Round round ROUND bound by Memory: |x| x.to_nearest(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// The integer part, towards 0; its gradient is 0.
    Trunc trunc TRUNC bound by Memory: |x| x.trunc(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// Sine of `x` radians.
    Sin sin SIN: |x| x.fast_sin(), |x| x.fast_cos(), beyond CIRCLE_END, |x| (x.sin(), x.cos());
    /// Cosine of `x` radians.
    Cos cos COS: |x| x.fast_cos(), |x| -x.fast_sin(), beyond CIRCLE_END, |x| (x.cos(), -x.sin());
    /// Hyperbolic tangent.
    Tanh tanh TANH: |x| x.fast_tanh(), |y| T::one() - y * y;
    /// `1 / (1 + e^-x)`.
    Sigmoid sigmoid SIGMOID: |x| x.fast_logistic(), |y| y * (T::one() - y);
    /// `max(x, 0)`; the gradient at 0 is 0, at NaN 1.
    Relu relu RELU bound by Memory: |x| if x > T::zero() || x.is_nan() { x } else { T::zero() }, |y| if y <= T::zero() { T::zero() } else { T::one() },
        int |i| i.max(0), bools MASK;
    /// `x` above 0, `slope · x` below.
    LeakyRelu(slope: f64) leaky_relu LEAKY_RELU bound by Memory: |x, s| if x > T::zero() { x } else { s * x }, |x, s| if x > T::zero() { T::one() } else { s };
    /// `x` above 0, `alpha (e^x - 1)` below; the gradient at 0 is `alpha`, at NaN 1.
    Elu(alpha: f64) elu ELU: |x, a| if x > T::zero() { x } else { a * x.fast_exp_m1() },
        |x, a| if x <= T::zero() { a * x.fast_exp() } else { T::one() };
    /// `x · Φ(x)` with the normal distribution function Φ.
    Gelu gelu GELU: |x| x * x.normal_cdf(), |x| x.normal_cdf() + x * x.normal_density();
    /// The tanh approximation of `x · Φ(x)`.
    GeluTanh gelu_tanh GELU_TANH: |x| tanh_gelu(x).0, |x| tanh_gelu(x).1;
    /// `x · sigmoid(x)`.
    Silu silu SILU: |x| x * x.fast_logistic(), |x| { let s = x.fast_logistic(); s * (T::one() + x * (T::one() - s)) };
    /// `ln(1 + e^(βx)) / β`, linear where `βx > 20`.
    Softplus(beta: f64) softplus SOFTPLUS: |x, b| if x * b > T::of(20.0) { x } else { (x * b).fast_exp().fast_ln_1p() / b },
        |x, b| if x * b > T::of(20.0) { T::one() } else { (x * b).fast_logistic() };
    /// `x^p` for one exponent; integers become floats.
    FloatPower(exponent: f64) float_power POWF: |x, p| x.fast_pow(p),
        |x, p| if p == T::zero() { T::zero() } else { p * x.fast_pow(p - T::one()) };
    /// `x` held between two bounds, NaN where one is; the gradient is 1 between them, 0 on them.
    Clamp(low: f64, high: f64) clamp_to CLAMP bound by Memory: |x, low, high| if x.is_nan() || low.is_nan() || high.is_nan() { x + low + high } else { held(x, low, high) },
        |x, low, high| if (x > low || low == T::neg_infinity()) && (x < high || high == T::infinity()) { T::one() } else { T::zero() };
}

#[inline(always)]
fn sign<T: Float>(x: T) -> T {
    if x > T::zero() {
        T::one()
    } else if x < T::zero() {
        -T::one()
    } else {
        T::zero()
    }
}

/// `x`, or the bound that it is beyond: the upper one where it is beyond both.
#[inline(always)]
fn held<T: Float>(x: T, low: T, high: T) -> T {
    let raised = if x < low { low } else { x };
    if raised > high { high } else { raised }
}

/// What to use in place of arithmetic on masks.
const MASK: Bools = Bools::Refused("use ~ or logical_not to invert a mask, or convert it");

/// `-a`.
pub(crate) fn negative(a: &Array) -> Result<Array> {
    dispatch_float!("neg", a.dtype(), T => Ok(map(a, |x: T| -x)))
}

/// `x^p` of integers.
struct IntegerPower {
    exponent: i64,
}

impl UnaryFn for IntegerPower {
    const RULE: &'static Rule = &table::POWF;

    fn f<T: Elementary>(&self, x: T) -> T {
        x.fast_pow(T::of(self.exponent as f64))
    }

    fn df<T: Elementary>(&self, x: T) -> T {
        let p = T::of(self.exponent as f64);
        if p == T::zero() { p } else { p * x.fast_pow(p - T::one()) }
    }

    fn keeps_integers(&self) -> bool {
        true
    }

    fn int(&self, x: i64) -> i64 {
        integer_power(x, self.exponent)
    }
}

impl RBETensor {
    /// `x^p` for one exponent; integers become floats.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn powf(&self, exponent: f64) -> Result<RBETensor> {
        match exponent {
            2.0 if self.dtype().is_float() => self.square(),
            0.5 => self.sqrt(),
            -1.0 => self.reciprocal(),
            _ => self.float_power(exponent),
        }
    }

    /// `x^p` for one integer exponent; integers stay integers, of which the lowest 64 bits are kept.
    ///
    /// # Errors
    /// `Value` for integers to a negative power; `DType` for a packed tensor.
    pub fn powi(&self, exponent: i64) -> Result<RBETensor> {
        if self.dtype().is_float() {
            return self.powf(exponent as f64);
        }
        if exponent < 0 {
            return Err(RbeError::value(
                "pow",
                "floats, or an exponent of at least 0 for integers",
                format!("{} to {exponent}", self.dtype()),
            ));
        }
        apply(Unary(IntegerPower { exponent }), &[self])
    }

    /// `x` held between two bounds, either of which may be left out; where the lower is above the upper, the upper one.
    ///
    /// # Errors
    /// `Value` without a bound; `DType` for a packed tensor.
    pub fn clamp(&self, low: Option<f64>, high: Option<f64>) -> Result<RBETensor> {
        if low.is_none() && high.is_none() {
            return Err(RbeError::value("clamp", "a lower bound, an upper bound or both", "neither"));
        }
        self.clamp_to(low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY))
    }
}
