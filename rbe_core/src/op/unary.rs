//! Element-wise functions of one tensor: pairs of value and derivative, in rows that the macro of `unary_fn.rs` reads.

use super::apply::apply;
use super::rule::Rule;
use super::table;
use super::unary_fn::{Bools, Unary, UnaryFn, rule_name, unary};
use crate::array::{Array, Bound, map};
use crate::dispatch_float;
use crate::dtype::Float;
use crate::error::{RbeError, Result};
use crate::kernel::dense::elementary::{CIRCLE_END, Elementary};
use crate::kernel::dense::remainder::integer_power;
use crate::kernel::dense::special;
use crate::tape::RBETensor;

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
    /// Return the tangent of `x` radians.
    #[example("rbe.tan(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 1.5574])")]
    #[in_place(tan_)]
    python Tan tan saves OUTPUT: |x| x.tan(), |y| T::one() + y * y;
    /// Return the angle in radians between -π/2 and π/2 whose sine is `x`.
    #[example("rbe.asin(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 1.5708])")]
    #[in_place(asin_)]
    python Asin asin saves X: |x| x.asin(), |x| T::one() / (T::one() - x * x).sqrt();
    /// Return the angle in radians between 0 and π whose cosine is `x`.
    #[example("rbe.acos(rbe.tensor([0.0, 1.0]))", "tensor([1.5708, 0.    ])")]
    #[in_place(acos_)]
    python Acos acos saves X: |x| x.acos(), |x| -T::one() / (T::one() - x * x).sqrt();
    /// Return the angle in radians between -π/2 and π/2 whose tangent is `x`.
    #[example("rbe.atan(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.7854])")]
    #[in_place(atan_)]
    python Atan atan saves X: |x| x.atan(), |x| T::one() / (T::one() + x * x);
    /// Return the hyperbolic sine.
    #[example("rbe.sinh(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 1.1752])")]
    #[in_place(sinh_)]
    python Sinh sinh saves X: |x| x.sinh(), |x| x.cosh();
    /// Return the hyperbolic cosine.
    #[example("rbe.cosh(rbe.tensor([0.0, 1.0]))", "tensor([1.    , 1.5431])")]
    #[in_place(cosh_)]
    python Cosh cosh saves X: |x| x.cosh(), |x| x.sinh();
    /// Return the number whose hyperbolic sine is `x`.
    #[example("rbe.asinh(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.8814])")]
    #[in_place(asinh_)]
    python Asinh asinh saves X: |x| x.asinh(), |x| T::one() / x.hypot(T::one());
    /// Return the number, at least 0, whose hyperbolic cosine is `x`; NaN below 1.
    #[example("rbe.acosh(rbe.tensor([1.0, 2.0]))", "tensor([0.   , 1.317])")]
    #[in_place(acosh_)]
    python Acosh acosh saves X: |x| acosh(x), |x| T::one() / (x * x - T::one()).sqrt();
    /// Return the number whose hyperbolic tangent is `x`; NaN beyond ±1.
    #[example("rbe.atanh(rbe.tensor([0.0, 0.5]))", "tensor([0.    , 0.5493])")]
    #[in_place(atanh_)]
    python Atanh atanh saves X: |x| atanh(x), |x| T::one() / (T::one() - x * x);
    /// Return `2^x`.
    #[example("rbe.exp2(rbe.tensor([0.0, 3.0]))", "tensor([1., 8.])")]
    #[in_place(exp2_)]
    python Exp2 exp2 saves OUTPUT: |x| x.exp2(), |y| y * T::of(std::f64::consts::LN_2);
    /// Return the error function, `2/√π ∫ e^(-t²) dt` from 0 to `x`.
    #[example("rbe.erf(rbe.tensor([0.0, 1.0]))", "tensor([0.    , 0.8427])")]
    #[in_place(erf_)]
    python Erf erf saves X: |x| x.fast_erf(), |x| T::of(std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).fast_exp();
    /// Return `1 - erf(x)`, accurate for large `x`.
    #[example("rbe.erfc(rbe.tensor([0.0, 1.0]))", "tensor([1.    , 0.1573])")]
    #[in_place(erfc_)]
    python Erfc erfc saves X: |x| x.fast_erfc(), |x| T::of(-std::f64::consts::FRAC_2_SQRT_PI) * (-x * x).fast_exp();
    /// Return the number whose error function is `x`; NaN beyond ±1.
    #[example("rbe.erfinv(rbe.tensor([0.0, 0.5]))", "tensor([0.    , 0.4769])")]
    #[in_place(erfinv_)]
    python Erfinv erfinv saves OUTPUT: |x| T::of(special::erf_inverse(x.wide())), |y| T::of(0.886_226_925_452_758) * (y * y).fast_exp(); // √π/2
    /// Return `ln |Γ(x)|`.
    #[example("rbe.lgamma(rbe.tensor([1.0, 4.0]))", "tensor([0.    , 1.7918])")]
    #[in_place(lgamma_)]
    python Lgamma lgamma saves X: |x| T::of(libm::lgamma(x.wide())), |x| T::of(special::digamma(x.wide()));
    /// Return the derivative of `ln |Γ(x)|`.
    #[example("rbe.digamma(rbe.tensor([1.0, 4.0]))", "tensor([-0.5772,  1.2561])")]
    #[in_place(digamma_)]
    python Digamma digamma saves X: |x| T::of(special::digamma(x.wide())), |x| T::of(special::trigamma(x.wide()));
    /// Return `1 / (1 + e^-x)`.
    #[example("rbe.sigmoid(rbe.tensor([0.0, 1.0]))", "tensor([0.5   , 0.7311])")]
    #[in_place(sigmoid_)]
    python Sigmoid sigmoid saves OUTPUT: |x| x.fast_logistic(), |y| y * (T::one() - y);
    /// Return `max(x, 0)`; the gradient at 0 is 0, at NaN 1.
    #[example("rbe.relu(rbe.tensor([-1.5, 0.5]))", "tensor([0. , 0.5])")]
    #[in_place(relu_)]
    python Relu relu saves OUTPUT bound by Memory: |x| if x > T::zero() || x.is_nan() { x } else { T::zero() }, |y| if y <= T::zero() { T::zero() } else { T::one() },
        int |i| i.max(0), bools MASK;
    /// Return the square of `max(x, 0)`; the gradient at 0 is 0.
    #[example("rbe.squared_relu(rbe.tensor([-1.5, 0.5]))", "tensor([0.  , 0.25])")]
    python SquaredRelu squared_relu saves ROUGHLY_OUTPUT bound by Memory: |x| if x > T::zero() || x.is_nan() { x * x } else { T::zero() },
        |y| if y <= T::zero() { T::zero() } else { y.sqrt() * T::of(2.0) };
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

/// The number whose hyperbolic cosine is `x`, without a difference of near numbers close to 1.
#[inline(always)]
fn acosh<T: Float>(x: T) -> T {
    let above = x - T::one();
    if x > T::of(1e6) { x.acosh() } else { (above + above.sqrt() * (above + T::of(2.0)).sqrt()).ln_1p() }
}

/// The number whose hyperbolic tangent is `x`, as exact near -1 as near 1.
#[inline(always)]
fn atanh<T: Float>(x: T) -> T {
    let size = x.abs();
    (T::of(0.5) * ((size + size) / (T::one() - size)).ln_1p()).copysign(x)
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
