//! Element-wise functions of one tensor: pure pairs of value and derivative.

use std::sync::Arc;

use super::fused::{Elementwise, ElementwiseOf};
use super::rule::{Cx, Grads, Inputs, Op, Output, Rule};
use super::table;
use crate::array::{Array, map, zip};
use crate::dispatch_float;
use crate::dtype::{DType, Float};
use crate::error::{RbeError, Result};
use crate::graph::apply;
use crate::tensor::RBETensor;

/// A function of one number with its derivative.
pub trait UnaryFn: Send + Sync + 'static {
    /// Row of the rule table; what it saves is what [`UnaryFn::df`] is given.
    const RULE: &'static Rule;
    /// Value.
    fn f<T: Float>(&self, x: T) -> T;
    /// Derivative, from the input or, where the rule saves the output, from that.
    fn df<T: Float>(&self, saved: T) -> T;
}

/// An element-wise operation of one tensor.
pub struct Unary<F>(pub F);

fn name(rule: &'static Rule) -> &'static str {
    match &rule.name {
        std::borrow::Cow::Borrowed(name) => name,
        std::borrow::Cow::Owned(_) => "unary",
    }
}

impl<F: UnaryFn, T: Float> ElementwiseOf<T> for Unary<F> {
    fn value(&self, x: &[&[T]], out: &mut [T]) {
        for (o, x) in out.iter_mut().zip(x[0]) {
            *o = self.0.f(*x);
        }
    }

    fn slope(&self, _k: usize, dy: &[T], x: &[&[T]], y: &[T], into: &mut [T]) {
        let saved = if F::RULE.saves.has_output() { y } else { x[0] };
        for ((o, d), s) in into.iter_mut().zip(dy).zip(saved) {
            *o += *d * self.0.df(*s);
        }
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
        let a = if a.dtype().is_float() { a.clone() } else { a.cast(DType::F32) };
        dispatch_float!(name(F::RULE), a.dtype(), T => Ok(map(&a, |x: T| self.0.f(x)).into()))
    }

    fn backward(&self, cx: &Cx<'_>) -> Result<Grads> {
        let saved = if F::RULE.saves.has_output() { cx.output()? } else { cx.input(0)? };
        cx.one(|| dispatch_float!(name(F::RULE), saved.dtype(), T => zip(name(F::RULE), cx.dy(), saved, |d: T, s: T| d * self.0.df(s))))
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $op:ident $(($($field:ident: $kind:ty),*))? $method:ident $rule:ident: $f:expr, $df:expr;)*) => {$(
        $(#[$doc])*
        pub struct $op { $($(#[doc = "Parameter of the function."] pub $field: $kind),*)? }
        unary!(@fn $op $rule $(($($field),*))? $f, $df);
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
    (@fn $op:ident $rule:ident $f:expr, $df:expr) => {
        impl UnaryFn for $op {
            const RULE: &'static Rule = &table::$rule;
            fn f<T: Float>(&self, x: T) -> T { ($f)(x) }
            fn df<T: Float>(&self, saved: T) -> T { ($df)(saved) }
        }
    };
    (@fn $op:ident $rule:ident ($($field:ident),*) $f:expr, $df:expr) => {
        impl UnaryFn for $op {
            const RULE: &'static Rule = &table::$rule;
            fn f<T: Float>(&self, x: T) -> T { ($f)(x, $(T::of(self.$field)),*) }
            fn df<T: Float>(&self, saved: T) -> T { ($df)(saved, $(T::of(self.$field)),*) }
        }
    };
}

/// `1 / (1 + e^-x)` without overflow.
pub(crate) fn logistic<T: Float>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}

fn tanh_gelu<T: Float>(x: T) -> (T, T) {
    let (a, c) = (T::of(0.797_884_560_802_865_4), T::of(0.044_715)); // sqrt(2/pi)
    let t = (a * (x + c * x * x * x)).tanh();
    let half = T::of(0.5);
    let slope = half * (T::one() + t) + half * x * (T::one() - t * t) * a * (T::one() + T::of(3.0) * c * x * x);
    (half * x * (T::one() + t), slope)
}

fn exact_gelu<T: Float>(x: T) -> (T, T) {
    let half = T::of(0.5);
    let cdf = half * (T::one() + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf());
    let pdf = T::of(0.398_942_280_401_432_7) * (-half * x * x).exp(); // 1/sqrt(2 pi)
    (x * cdf, cdf + x * pdf)
}

unary! {
    /// `-x`.
    Neg neg NEG: |x: T| -x, |_: T| -T::one();
    /// `e^x`.
    Exp exp EXP: |x: T| x.exp(), |y| y;
    /// `e^x - 1`, accurate near 0.
    Expm1 expm1 EXPM1: |x: T| x.exp_m1(), |y: T| y + T::one();
    /// Natural logarithm.
    Log log LOG: |x: T| x.ln(), |x: T| T::one() / x;
    /// `ln(1 + x)`, accurate near 0.
    Log1p log1p LOG1P: |x: T| x.ln_1p(), |x: T| T::one() / (T::one() + x);
    /// Square root.
    Sqrt sqrt SQRT: |x: T| x.sqrt(), |y: T| T::of(0.5) / y;
    /// `x²`.
    Square square SQUARE: |x: T| x * x, |x: T| x + x;
    /// `1 / x`.
    Reciprocal reciprocal RECIPROCAL: |x: T| T::one() / x, |y: T| -y * y;
    /// `|x|`; the gradient at 0 is 0.
    Abs abs_ ABS: |x: T| x.abs(), |x: T| sign(x);
    /// Sine of `x` radians.
    Sin sin SIN: |x: T| x.sin(), |x: T| x.cos();
    /// Cosine of `x` radians.
    Cos cos COS: |x: T| x.cos(), |x: T| -x.sin();
    /// Hyperbolic tangent.
    Tanh tanh TANH: |x: T| x.tanh(), |y: T| T::one() - y * y;
    /// `1 / (1 + e^-x)`.
    Sigmoid sigmoid SIGMOID: |x| logistic(x), |y: T| y * (T::one() - y);
    /// `max(x, 0)`; the gradient at 0 is 0.
    Relu relu RELU: |x: T| if x > T::zero() || x.is_nan() { x } else { T::zero() }, |y: T| if y > T::zero() { T::one() } else { T::zero() };
    /// `x` above 0, `slope · x` below.
    LeakyRelu(slope: f64) leaky_relu LEAKY_RELU: |x: T, s| if x > T::zero() { x } else { s * x }, |x: T, s| if x > T::zero() { T::one() } else { s };
    /// `x` above 0, `alpha (e^x - 1)` below.
    Elu(alpha: f64) elu ELU: |x: T, a: T| if x > T::zero() { x } else { a * x.exp_m1() },
        |x: T, a: T| if x > T::zero() { T::one() } else { a * x.exp() };
    /// `x · Φ(x)` with the normal distribution function Φ.
    Gelu gelu GELU: |x| exact_gelu(x).0, |x| exact_gelu(x).1;
    /// The tanh approximation of `x · Φ(x)`.
    GeluTanh gelu_tanh GELU_TANH: |x| tanh_gelu(x).0, |x| tanh_gelu(x).1;
    /// `x · sigmoid(x)`.
    Silu silu SILU: |x: T| x * logistic(x), |x: T| { let s = logistic(x); s * (T::one() + x * (T::one() - s)) };
    /// `ln(1 + e^(βx)) / β`, linear where `βx > 20`.
    Softplus(beta: f64) softplus SOFTPLUS: |x: T, b: T| if x * b > T::of(20.0) { x } else { (x * b).exp().ln_1p() / b },
        |x: T, b: T| if x * b > T::of(20.0) { T::one() } else { logistic(x * b) };
    /// `x^p` for one exponent.
    Powi(exponent: f64) powf POWF: |x: T, p: T| if p == T::of(2.0) { x * x } else { x.powf(p) },
        |x: T, p: T| if p == T::zero() { T::zero() } else { p * x.powf(p - T::one()) };
    /// `x` held between two bounds; the gradient is 1 on and between them.
    Clamp(low: f64, high: f64) clamp_between CLAMP: |x: T, low: T, high: T| if x.is_nan() { x } else { x.max(low).min(high) },
        |x: T, low: T, high: T| if x >= low && x <= high { T::one() } else { T::zero() };
}

fn sign<T: Float>(x: T) -> T {
    if x > T::zero() {
        T::one()
    } else if x < T::zero() {
        -T::one()
    } else {
        T::zero()
    }
}

/// `-a`.
pub(crate) fn negative(a: &Array) -> Result<Array> {
    dispatch_float!("neg", a.dtype(), T => Ok(map(a, |x: T| -x)))
}

impl RBETensor {
    /// `|x|`, int64 stays int64; the gradient at 0 is 0.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn abs(&self) -> Result<RBETensor> {
        match self.dtype() {
            DType::I64 => Ok(RBETensor::from_array(map(self.array("abs")?, i64::wrapping_abs))),
            _ => self.abs_(),
        }
    }

    /// `x` held between two bounds, either of which may be left out.
    ///
    /// # Errors
    /// `Value` without a bound or if `low > high`; `DType` for a packed tensor.
    pub fn clamp(&self, low: Option<f64>, high: Option<f64>) -> Result<RBETensor> {
        let (a, b) = (low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY));
        if low.is_none() && high.is_none() || a > b || a.is_nan() || b.is_nan() {
            return Err(RbeError::value("clamp", "a lower bound, an upper bound or both in order", format!("{low:?} and {high:?}")));
        }
        self.clamp_between(a, b)
    }

    /// `sign`, `floor`, `ceil`, `round`: functions whose gradient is zero everywhere.
    fn step_function(&self, op: &'static str, f: impl Fn(f64) -> f64 + Sync + Send) -> Result<RBETensor> {
        let a = self.array(op)?;
        if !a.dtype().is_float() {
            return Ok(RBETensor::from_array(if op == "sign" { map(&a.cast(DType::I64), |v: i64| v.signum()) } else { a.clone() }));
        }
        Ok(RBETensor::from_array(dispatch_float!(op, a.dtype(), T => Ok(map(a, |x: T| T::of(f(x.wide())))))?))
    }

    /// -1, 0 or 1; not differentiated.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn sign(&self) -> Result<RBETensor> {
        self.step_function("sign", sign)
    }

    /// Largest integer not above; not differentiated.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn floor(&self) -> Result<RBETensor> {
        self.step_function("floor", f64::floor)
    }

    /// Smallest integer not below; not differentiated.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn ceil(&self) -> Result<RBETensor> {
        self.step_function("ceil", f64::ceil)
    }

    /// Nearest integer, halves to even; not differentiated.
    ///
    /// # Errors
    /// `DType` for a packed tensor.
    pub fn round(&self) -> Result<RBETensor> {
        self.step_function("round", f64::round_ties_even)
    }
}
