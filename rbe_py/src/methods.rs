//! Methods of the tensor class, with torch's names: element-wise operations with arguments of their own, and what methods share.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt};
use rbe_core::array::Array;
use rbe_core::{DType, RbeError};

use crate::arguments::{float, whole};
use crate::class::NewTensor;
use crate::convert::{dtype_of, number, operand};
use crate::error::raise;
use crate::gil::enter;
use crate::in_place::change;
use crate::tensor::RBETensor;

type Tensor = rbe_core::RBETensor;

/// A method of one tensor.
pub fn unary(py: Python<'_>, t: &RBETensor, f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor>) -> PyResult<NewTensor> {
    enter(py, || f(&t.inner)).map(NewTensor::from)
}

/// A method of two operands, the second of which may be a number or an array; `swap` for reflected operators.
pub fn binary(
    a: &RBETensor,
    b: &Bound<'_, PyAny>,
    swap: bool,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor>,
) -> PyResult<NewTensor> {
    let b_tensor = operand(b, Some(a.inner.number_type()))?;
    enter(b.py(), || if swap { f(&b_tensor, &a.inner) } else { f(&a.inner, &b_tensor) }).map(NewTensor::from)
}

/// `f` of a tensor and `alpha` times another operand, as torch's `add` and `sub` have it.
fn scaled(
    a: &RBETensor,
    op: &'static str,
    other: &Bound<'_, PyAny>,
    alpha: Option<&Bound<'_, PyAny>>,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor>,
) -> PyResult<NewTensor> {
    let Some(alpha) = alpha else { return binary(a, other, false, f) };
    let b = operand(other, Some(a.inner.number_type()))?;
    let alpha = operand(alpha, Some(b.number_type()))?;
    if alpha.dtype().is_float() && !a.inner.dtype().is_float() && !b.dtype().is_float() {
        return Err(raise(RbeError::dtype(op, "an integer as alpha for integers", alpha.dtype())));
    }
    enter(other.py(), || {
        let both_bool = a.inner.dtype() == DType::Bool && b.dtype() == DType::Bool;
        let alpha = if both_bool { alpha.cast(DType::Bool)? } else { alpha };
        f(&a.inner, &b.mul(&alpha)?)
    })
    .map(NewTensor::from)
}

/// What a tensor is raised to.
pub enum Exponent {
    Float(f64),
    Integer(i64),
    Tensor(Tensor),
}

impl Exponent {
    /// The exponent that Python gives for numbers of type `dtype`.
    pub fn of(exponent: &Bound<'_, PyAny>, dtype: DType) -> PyResult<Exponent> {
        let exponent = &number(exponent)?;
        if exponent.is_instance_of::<PyFloat>() {
            return Ok(Exponent::Float(exponent.extract()?));
        }
        if exponent.is_instance_of::<PyInt>()
            && !exponent.is_instance_of::<PyBool>()
            && let Ok(p) = exponent.extract::<i64>()
        {
            return Ok(Exponent::Integer(p));
        }
        operand(exponent, Some(dtype)).map(Exponent::Tensor)
    }

    /// The exponents, if they are a tensor.
    pub fn tensor(&self) -> Option<&Tensor> {
        if let Exponent::Tensor(exponents) = self { Some(exponents) } else { None }
    }

    /// `base` raised to this.
    pub fn raise(&self, base: &Tensor) -> rbe_core::Result<Tensor> {
        match self {
            Exponent::Float(p) => base.powf(*p),
            Exponent::Integer(p) => base.powi(*p),
            Exponent::Tensor(exponents) => base.pow(exponents),
        }
    }
}

#[pymethods]
impl RBETensor {
    /// Return `self + alpha * other`, `alpha` being 1 unless given; integers and bools keep their kind.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.add(rbe.tensor([1.0, 2.0]), 3)
    /// tensor([4., 5.])
    #[pyo3(signature = (other, *, alpha = None))]
    fn add(&self, other: &Bound<'_, PyAny>, alpha: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        scaled(self, "add", other, alpha, Tensor::add)
    }

    /// Return `self - alpha * other`, `alpha` being 1 unless given.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.sub(rbe.tensor([1.0, 2.0]), 3)
    /// tensor([-2., -1.])
    #[pyo3(signature = (other, *, alpha = None))]
    fn sub(&self, other: &Bound<'_, PyAny>, alpha: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        scaled(self, "sub", other, alpha, Tensor::sub)
    }

    /// Return `self / other`, rounded down with `rounding_mode="floor"`, towards 0 with `"trunc"`.
    ///
    /// Integers become floats, unless the quotient is rounded.
    ///
    /// Raises
    /// ------
    /// TensorError
    ///     For another rounding mode, or an integer divisor of 0.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.div(rbe.tensor([1.0, 2.0]), 4)
    /// tensor([0.25, 0.5 ])
    #[pyo3(signature = (other, *, rounding_mode = None))]
    fn div(&self, other: &Bound<'_, PyAny>, rounding_mode: Option<&str>) -> PyResult<NewTensor> {
        let divide = match rounding_mode {
            None => Tensor::div,
            Some("floor") => Tensor::floor_divide,
            Some("trunc") => Tensor::trunc_divide,
            Some(other) => return Err(raise(RbeError::value("div", "rounding_mode None, \"floor\" or \"trunc\"", format!("{other:?}")))),
        };
        binary(self, other, false, divide)
    }

    /// Return the nearest number of `decimals` decimal places, the even one of two; of integers only with 0.
    ///
    /// Raises
    /// ------
    /// DTypeError
    ///     For integers and other than 0 decimals.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.round(rbe.tensor([0.5, 1.5, 2.4]))
    /// tensor([0., 2., 2.])
    #[pyo3(signature = (*, decimals = 0))]
    fn round(&self, py: Python<'_>, #[pyo3(from_py_with = whole)] decimals: isize) -> PyResult<NewTensor> {
        if decimals == 0 {
            return unary(py, self, Tensor::round);
        }
        if !self.inner.dtype().is_float() {
            return Err(raise(RbeError::dtype("round", "floats, or decimals of 0", self.inner.dtype())));
        }
        let power = Tensor::from_array(Array::full(
            self.inner.dtype(),
            &[],
            10f64.powi(i32::try_from(decimals.saturating_abs()).unwrap_or(i32::MAX)),
        ));
        unary(py, self, |t| if decimals > 0 { t.mul(&power)?.round()?.div(&power) } else { t.div(&power)?.round()?.mul(&power) })
    }

    /// Return `self ** exponent`; integers stay integers. Quicker for a number than for a tensor.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.pow(rbe.tensor([2.0, 3.0]), 2)
    /// tensor([4., 9.])
    pub fn pow(&self, exponent: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        let power = Exponent::of(exponent, self.inner.dtype())?;
        enter(exponent.py(), || power.raise(&self.inner)).map(NewTensor::from)
    }

    /// In-place form of `pow`: return the tensor, changed.
    fn pow_<'py>(slf: &Bound<'py, Self>, exponent: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let power = Exponent::of(exponent, slf.get().inner.dtype())?;
        change(slf, "pow_", power.tensor(), true, |t| power.raise(t))
    }

    /// Return `x · Φ(x)` with the normal distribution function Φ, or its tanh approximation with `approximate="tanh"`.
    ///
    /// Raises
    /// ------
    /// TensorError
    ///     For another approximation.
    #[pyo3(signature = (approximate = "none"))]
    fn gelu(&self, py: Python<'_>, approximate: &str) -> PyResult<NewTensor> {
        match approximate {
            "none" => unary(py, self, Tensor::gelu),
            "tanh" => unary(py, self, Tensor::gelu_tanh),
            other => Err(raise(RbeError::value("gelu", "approximate \"none\" or \"tanh\"", other))),
        }
    }

    /// Return the elements held between `min` and `max`, numbers or tensors, either of which may be left out.
    ///
    /// Integers bounded by integers stay integers; where the lower bound is above the upper, the upper one counts.
    ///
    /// Raises
    /// ------
    /// TensorError
    ///     Without a bound.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.clamp(rbe.tensor([-1.5, 0.5]), -1.0, 0.0)
    /// tensor([-1.,  0.])
    #[pyo3(signature = (min = None, max = None))]
    fn clamp(&self, py: Python<'_>, min: Option<&Bound<'_, PyAny>>, max: Option<&Bound<'_, PyAny>>) -> PyResult<NewTensor> {
        let plain = |b: &Bound<'_, PyAny>| b.is_instance_of::<PyInt>() || b.is_instance_of::<PyFloat>();
        if self.inner.dtype().is_float() && min.is_none_or(plain) && max.is_none_or(plain) {
            let number = |b: Option<&Bound<'_, PyAny>>| b.map(|b| float(b)).transpose();
            let (low, high) = (number(min)?, number(max)?);
            return unary(py, self, |t| t.clamp(low, high));
        }
        match (min, max) {
            (Some(low), Some(high)) => {
                let (low, high) = (operand(low, Some(self.inner.number_type()))?, operand(high, Some(self.inner.number_type()))?);
                unary(py, self, |t| t.clamp_between(&low, &high))
            }
            (Some(low), None) => binary(self, low, false, Tensor::maximum),
            (None, Some(high)) => binary(self, high, false, Tensor::minimum),
            (None, None) => Err(raise(RbeError::value("clamp", "a lower bound, an upper bound or both", "neither"))),
        }
    }

    /// Return the elements, each with probability `p` replaced by 0 and else divided by `1 - p`; unchanged unless `training`.
    ///
    /// Raises
    /// ------
    /// TensorError
    ///     For a probability outside [0, 1].
    #[pyo3(signature = (p = 0.5, training = true))]
    fn dropout(&self, py: Python<'_>, #[pyo3(from_py_with = float)] p: f64, training: bool) -> PyResult<NewTensor> {
        unary(py, self, |t| t.dropout(p, training))
    }

    #[pyo3(name = "_cast")]
    fn cast_to(&self, py: Python<'_>, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        let dtype = dtype_of(dtype)?;
        unary(py, self, |t| t.cast(dtype))
    }
}
