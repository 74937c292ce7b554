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
    /// What bounds its time.
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

/// The writer of non-temporal stores, if the loop is bound by memory. For loops bound by arithmetic it is always `None`, so that the
/// compiler emits one loop instead of two.
#[inline(always)]
pub(super) fn non_temporal<'a, T>(bound: Bound, out: &Target<'a, T>) -> Option<&'a Streaming> {
    if bound == Bound::Memory { out.non_temporal } else { None }
}

multiversion! {
    fn values[F: UnaryFn, T: Elementary](f: &F, x: Grid<'_, T>, out: &mut Target<'_, T>) where narrow(F::BOUND == Bound::Memory) {
        each!(rows v in x => out, streaming non_temporal(F::BOUND, out), f.f(v));
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
    let (mut scratch, width) = (x.scratch(), out.width);
    for (r, out) in out.rows.chunks_mut(width).enumerate() {
        let (line, across) = x.line(r, width, &mut scratch);
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

/// Declares functions of one number. A row is the declaration of an operation: its documentation, an example where Python has it as a
/// function too, the name of its in-place form, its type with the parameters and their defaults, its method, what its derivative reads,
/// and `|x, parameters…| value, |saved, parameters…| derivative`.
///
/// `bound by Memory` stands where reading and writing take longer than computing; `flat true` where the derivative is 0 everywhere;
/// `int` gives the value for integers, which otherwise become floats; `bools` what happens to bools. Value and derivative are no
/// closures: what is written is part of methods that are inlined wherever they are called.
///
/// `export NAME $` makes a macro that passes the declarations on, from which the Python binding makes methods and functions; rows that
/// begin with `core` are no operations of Python.
/// The name of a rule: that of the method, or another.
macro_rules! rule_name {
    ($method:ident) => {
        stringify!($method)
    };
    ($method:ident $named:literal) => {
        $named
    };
}

macro_rules! unary {
    (rules $rules:ident, export $export:ident $d:tt; $(#[doc = $doc:literal] $(#[example($code:literal, $shown:literal)])? $(#[in_place($in_place:ident)])?
        $audience:ident $op:ident $(($($field:ident: $kind:ty = $default:tt),*))? $method:ident $(named $named:literal)? saves $saves:ident $(bound by $bound:ident)?:
        |$x:ident $(, $p:ident)*| $f:expr, |$s:ident $(, $q:ident)*| $df:expr $(, flat $flat:literal)?
        $(, beyond $reach:expr, |$far:ident| $beyond:expr)? $(, int |$i:ident| $int:expr)? $(, bools $bools:expr)?;)*) => {
        $(
        #[doc = $doc]
        pub struct $op { $($(#[doc = "Parameter of the function."] pub $field: $kind),*)? }
        impl UnaryFn for $op {
            const RULE: &'static Rule = &Rule::new(rule_name!($method $($named)?), (1, 1), table::$saves);
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
            #[doc = $doc]
            ///
            /// # Errors
            /// `DType` for a packed tensor.
            pub fn $method(&self $(, $($field: $kind),*)?) -> Result<RBETensor> {
                apply(Unary($op { $($($field),*)? }), &[self])
            }
        })*

        /// The rules of these operations.
        pub(super) static $rules: &[&Rule] = &[$(<$op as UnaryFn>::RULE),*];

        /// Calls a macro with the declaration of every element-wise function of one tensor.
        #[macro_export]
        macro_rules! $export {
            ($d callback:ident) => {
                $d callback! { $($audience [$doc] [$($code, $shown)?] [$($in_place)?] $method ($($($field = $default),*)?) saves $saves;)* }
            };
        }
    };
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
    rules RULES, export for_each_unary $;
    /// Return `-x`.
    #[example("rbe.neg(rbe.tensor([-1.5, 0.5]))", "tensor([ 1.5, -0.5])")]
    #[in_place(neg_)]
    python Neg neg saves X bound by Memory: |x| -x, |_x| -T::one(), int |i| i.wrapping_neg(), bools MASK;
    /// Return `e^x`.
    #[example("rbe.exp(rbe.tensor([0.0, 1.0]))", "tensor([1.    , 2.7183])")]
    #[in_place(exp_)]
    python Exp exp saves OUTPUT: |x| x.fast_exp(), |y| y;
    /// Return `e^x - 1`, accurate near 0.
    #[example("rbe.expm1(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 1.7183])")]
    #[in_place(expm1_)]
    python Expm1 expm1 saves OUTPUT: |x| x.fast_exp_m1(), |y| y + T::one();
    /// Return the natural logarithm.
    #[example("rbe.log(rbe.tensor([1.0, 10.0]))", "tensor([0.    , 2.3026])")]
    #[in_place(log_)]
    python Log log saves X: |x| x.fast_ln(), |x| T::one() / x;
    /// Return the logarithm to base 2, exact for powers of it.
    #[example("rbe.log2(rbe.tensor([1.0, 8.0]))", "tensor([0., 3.])")]
    #[in_place(log2_)]
    python Log2 log2 saves X: |x| T::of(x.wide().log2()), |x| T::of(std::f64::consts::LOG2_E) / x;
    /// Return the logarithm to base 10, exact for powers of it.
    #[example("rbe.log10(rbe.tensor([1.0, 1000.0]))", "tensor([0., 3.])")]
    #[in_place(log10_)]
    python Log10 log10 saves X: |x| T::of(x.wide().log10()), |x| T::of(std::f64::consts::LOG10_E) / x;
    /// Return `ln(1 + x)`, accurate near 0.
    #[example("rbe.log1p(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.6931])")]
    #[in_place(log1p_)]
    python Log1p log1p saves X: |x| x.fast_ln_1p(), |x| T::one() / (T::one() + x);
    /// Return the square root.
    #[example("rbe.sqrt(rbe.tensor([4.0, 9.0]))", "tensor([2., 3.])")]
    #[in_place(sqrt_)]
    python Sqrt sqrt saves OUTPUT bound by Memory: |x| x.sqrt(), |y| T::of(0.5) / y;
    /// Return `x²`.
    #[example("rbe.square(rbe.tensor([-1.5, 0.5]))", "tensor([2.25, 0.25])")]
    #[in_place(square_)]
    python Square square saves X bound by Memory: |x| x * x, |x| x + x, int |i| i.wrapping_mul(i);
    /// Return `1 / x`.
    #[example("rbe.reciprocal(rbe.tensor([2.0, 4.0]))", "tensor([0.5 , 0.25])")]
    #[in_place(reciprocal_)]
    python Reciprocal reciprocal saves OUTPUT bound by Memory: |x| T::one() / x, |y| -y * y;
    /// Return `|x|`; the gradient at 0 is 0.
    #[example("rbe.abs(rbe.tensor([-1.5, 0.5]))", "tensor([1.5, 0.5])")]
    #[in_place(abs_)]
    python Abs abs saves X bound by Memory: |x| x.abs(), |x| sign(x), int |i| i.wrapping_abs(), bools MASK;
    /// Return -1, 0 or 1; its gradient is 0.
    #[example("rbe.sign(rbe.tensor([-1.5, 0.5]))", "tensor([-1.,  1.])")]
    #[in_place(sign_)]
    python Sign sign saves NOTHING bound by Memory: |x| sign(x), |_x| T::zero(), flat true, int |i| i.signum(), bools Bools::Stay;
    /// Return the largest integer not above `x`; its gradient is 0.
    #[example("rbe.floor(rbe.tensor([-1.5, 0.5]))", "tensor([-2.,  0.])")]
    #[in_place(floor_)]
    python Floor floor saves NOTHING bound by Memory: |x| x.floor(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// Return the smallest integer not below `x`; its gradient is 0.
    #[example("rbe.ceil(rbe.tensor([-1.5, 0.5]))", "tensor([-1.,  1.])")]
    #[in_place(ceil_)]
    python Ceil ceil saves NOTHING bound by Memory: |x| x.ceil(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// The nearest integer, the even one of two; its gradient is 0.
    core Round round saves NOTHING bound by Memory: |x| x.to_nearest(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// Return the integer part of `x`, rounded towards 0; its gradient is 0.
    #[example("rbe.trunc(rbe.tensor([-1.5, 0.5]))", "tensor([-1.,  0.])")]
    #[in_place(trunc_)]
    python Trunc trunc saves NOTHING bound by Memory: |x| x.trunc(), |_x| T::zero(), flat true, int |i| i, bools MASK;
    /// Return the sine of `x` radians.
    #[example("rbe.sin(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.8415])")]
    #[in_place(sin_)]
    python Sin sin saves X: |x| x.fast_sin(), |x| x.fast_cos(), beyond CIRCLE_END, |x| (x.sin(), x.cos());
    /// Return the cosine of `x` radians.
    #[example("rbe.cos(rbe.tensor([0.0, 1.0]))", "tensor([1.    , 0.5403])")]
    #[in_place(cos_)]
    python Cos cos saves X: |x| x.fast_cos(), |x| -x.fast_sin(), beyond CIRCLE_END, |x| (x.cos(), -x.sin());
    /// Return the hyperbolic tangent.
    #[example("rbe.tanh(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.7616])")]
    #[in_place(tanh_)]
    python Tanh tanh saves OUTPUT: |x| x.fast_tanh(), |y| T::one() - y * y;
    /// Return `1 / (1 + e^-x)`.
    #[example("rbe.sigmoid(rbe.tensor([0.0, 1.0]))", "tensor([0.5   , 0.7311])")]
    #[in_place(sigmoid_)]
    python Sigmoid sigmoid saves OUTPUT: |x| x.fast_logistic(), |y| y * (T::one() - y);
    /// Return `max(x, 0)`; the gradient at 0 is 0, at NaN 1.
    #[example("rbe.relu(rbe.tensor([-1.5, 0.5]))", "tensor([0. , 0.5])")]
    #[in_place(relu_)]
    python Relu relu saves OUTPUT bound by Memory: |x| if x > T::zero() || x.is_nan() { x } else { T::zero() }, |y| if y <= T::zero() { T::zero() } else { T::one() },
        int |i| i.max(0), bools MASK;
    /// Return `x` above 0, `negative_slope · x` below.
    python LeakyRelu(negative_slope: f64 = 0.01) leaky_relu saves X bound by Memory: |x, s| if x > T::zero() { x } else { s * x }, |x, s| if x > T::zero() { T::one() } else { s };
    /// Return `x` above 0, `alpha (e^x - 1)` below; the gradient at 0 is `alpha`, at NaN 1.
    python Elu(alpha: f64 = 1.0) elu saves X: |x, a| if x > T::zero() { x } else { a * x.fast_exp_m1() },
        |x, a| if x <= T::zero() { a * x.fast_exp() } else { T::one() };
    /// `x · Φ(x)` with the normal distribution function Φ.
    core Gelu gelu saves X: |x| x * x.normal_cdf(), |x| x.normal_cdf() + x * x.normal_density();
    /// The tanh approximation of `x · Φ(x)`.
    core GeluTanh gelu_tanh saves X: |x| tanh_gelu(x).0, |x| tanh_gelu(x).1;
    /// Return `x · sigmoid(x)`.
    python Silu silu saves X: |x| x * x.fast_logistic(), |x| { let s = x.fast_logistic(); s * (T::one() + x * (T::one() - s)) };
    /// Return `ln(1 + e^(βx)) / β`, linear where `βx > 20`.
    python Softplus(beta: f64 = 1.0) softplus saves X: |x, b| if x * b > T::of(20.0) { x } else { (x * b).fast_exp().fast_ln_1p() / b },
        |x, b| if x * b > T::of(20.0) { T::one() } else { (x * b).fast_logistic() };
    /// `x^p` for one exponent; integers become floats.
    core FloatPower(exponent: f64 = 2.0) float_power named "powf" saves X: |x, p| x.fast_pow(p),
        |x, p| if p == T::zero() { T::zero() } else { p * x.fast_pow(p - T::one()) };
    /// `x` held between two bounds, NaN where one is; the gradient is 1 between them, 0 on them.
    core Clamp(low: f64 = 0.0, high: f64 = 0.0) clamp_to named "clamp" saves X bound by Memory: |x, low, high| if x.is_nan() || low.is_nan() || high.is_nan() { x + low + high } else { held(x, low, high) },
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
    const RULE: &'static Rule = &Rule::new("powf", (1, 1), table::X);

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
