//! Methods of the tensor class: thin, with torch's names.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyTuple};
use rbe_core::array::{Array, broadcast_shapes, normalize_axis};
use rbe_core::{DType, RbeError};

use crate::arguments::{self, Axes, Integer, dtype_or_none, either, float, integers, integers_or, reduced, whole};
use crate::error::{OrRaise, raise};
use crate::operations::change;
use crate::runtime::{elements, enter};
use crate::tensor::{NewTensor, RBETensor, dtype_of, number, operand};

type Tensor = rbe_core::RBETensor;

/// A method of one tensor.
pub fn unary(py: Python<'_>, t: &RBETensor, f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor> + Send) -> PyResult<NewTensor> {
    enter(py, t.inner.numel(), || f(&t.inner)).map(NewTensor::from)
}

/// Elements of what an element-wise operation makes of two tensors.
pub fn of_both(a: &Tensor, b: &Tensor) -> usize {
    if a.shape() == b.shape() { a.numel() } else { broadcast_shapes("", a.shape(), b.shape()).map_or(0, |shape| elements(&shape)) }
}

/// A method of two operands, the second of which may be a number or an array; `swap` for reflected operators.
pub fn binary(
    a: &RBETensor,
    b: &Bound<'_, PyAny>,
    swap: bool,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<NewTensor> {
    let b_tensor = operand(b, Some(a.inner.dtype()))?;
    let work = of_both(&a.inner, &b_tensor).max(a.inner.numel()).max(b_tensor.numel());
    enter(b.py(), work, || if swap { f(&b_tensor, &a.inner) } else { f(&a.inner, &b_tensor) }).map(NewTensor::from)
}

/// The name of an in-place method for as long as the process runs; there are few.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(have) => have,
        None => {
            let new: &'static str = Box::leak(name.to_owned().into_boxed_str());
            names.insert(new);
            new
        }
    }
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

/// A reduction of a tensor, converted to `dtype` before and after if that is given.
fn reduction(
    py: Python<'_>,
    t: &RBETensor,
    dtype: Option<&Bound<'_, PyAny>>,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<NewTensor> {
    match dtype_or_none(dtype)? {
        None => unary(py, t, f),
        Some(dtype) => unary(py, t, |t| f(&t.cast(dtype)?)?.cast(dtype)),
    }
}

/// `f` of a tensor and `alpha` times another operand, as torch's `add` and `sub` have it.
fn scaled(
    a: &RBETensor,
    op: &'static str,
    other: &Bound<'_, PyAny>,
    alpha: Option<&Bound<'_, PyAny>>,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<NewTensor> {
    let Some(alpha) = alpha else { return binary(a, other, false, f) };
    let b = operand(other, Some(a.inner.dtype()))?;
    let alpha = operand(alpha, Some(b.dtype()))?;
    if alpha.dtype().is_float() && !a.inner.dtype().is_float() && !b.dtype().is_float() {
        return Err(raise(RbeError::dtype(op, "an integer as alpha for integers", alpha.dtype())));
    }
    enter(other.py(), of_both(&a.inner, &b), || {
        let both_bool = a.inner.dtype() == DType::Bool && b.dtype() == DType::Bool;
        let alpha = if both_bool { alpha.cast(DType::Bool)? } else { alpha };
        f(&a.inner, &b.mul(&alpha)?)
    })
    .map(NewTensor::from)
}

macro_rules! tensor_methods {
    ($(reduce $(#[$rd:meta])* $r:ident;)* $(extreme $(#[$xd:meta])* $x:ident $largest:literal;)* $(position $(#[$ad:meta])* $arg:ident;)*
     $(truth $(#[$td:meta])* $truth:ident $all:literal;)* $(spread $(#[$sd:meta])* $spread:ident;)*) => {
        #[pymethods]
        impl RBETensor {
            $($(#[$rd])*
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false, dtype = None))]
            fn $r(
                &self,
                py: Python<'_>,
                axis: Option<Axes>,
                keepdims: bool,
                dim: Option<Axes>,
                keepdim: bool,
                dtype: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<NewTensor> {
                let axes = reduced(axis, dim)?;
                reduction(py, self, dtype, |t| t.$r(axes.as_deref(), keepdims || keepdim))
            })*
            $($(#[$xd])*
            #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false))]
            fn $x(
                &self,
                py: Python<'_>,
                dim: Option<Axes>,
                keepdim: bool,
                axis: Option<Axes>,
                keepdims: bool,
            ) -> PyResult<NewTensor> {
                let axes = reduced(axis, dim)?;
                unary(py, self, |t| t.extreme($largest, axes.as_deref(), keepdims || keepdim))
            })*
            $($(#[$ad])*
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $arg(&self, py: Python<'_>, axis: Option<Integer>, keepdims: bool, dim: Option<Integer>, keepdim: bool) -> PyResult<NewTensor> {
                let axis = either(axis, dim)?.map(|axis| axis.0);
                unary(py, self, |t| t.$arg(axis, keepdims || keepdim))
            })*
            $($(#[$td])*
            #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $truth(&self, py: Python<'_>, axis: Option<Axes>, keepdims: bool, dim: Option<Axes>, keepdim: bool) -> PyResult<NewTensor> {
                let axes = either(axis, dim)?.map(|axes| axes.0);
                unary(py, self, |t| t.truth($all, axes.as_deref(), keepdims || keepdim))
            })*
            $($(#[$sd])*
            #[pyo3(signature = (axis = None, correction = None, keepdims = false, *, unbiased = None, dim = None, keepdim = false))]
            #[allow(clippy::too_many_arguments)] // torch's and NumPy's signatures
            fn $spread(
                &self,
                py: Python<'_>,
                axis: Option<&Bound<'_, PyAny>>,
                correction: Option<&Bound<'_, PyAny>>,
                keepdims: bool,
                unbiased: Option<bool>,
                dim: Option<Axes>,
                keepdim: bool,
            ) -> PyResult<NewTensor> {
                let op = stringify!($spread);
                let (axis, unbiased) = match axis.and_then(|axis| axis.cast::<PyBool>().ok()) {
                    Some(_) if unbiased.is_some() => return Err(PyTypeError::new_err(format!("{op}: unbiased is given twice"))),
                    Some(first) => (None, Some(first.is_true())),
                    None => (axis.map(|axis| axis.extract::<Axes>()).transpose()?, unbiased),
                };
                let (axes, correction) = (reduced(axis, dim)?, arguments::correction(op, correction, unbiased)?);
                unary(py, self, |t| t.$spread(axes.as_deref(), correction, keepdims || keepdim))
            })*
        }
    };
}

tensor_methods! {
    reduce
    /// Return the sum over an axis, several or all: integers and bools add up to int64.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.sum(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([4., 6.])
    sum;
    reduce
    /// Return `ln Σ e^x` over an axis, several or all, without overflow.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.logsumexp(rbe.zeros(2, 4), dim=1)
    /// tensor([1.3863, 1.3863])
    logsumexp;
    reduce
    /// Return the product over an axis, several or all.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.prod(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]))
    /// tensor(24.)
    prod;
    extreme
    /// Return the largest elements over an axis, several or all; equal ones share the gradient.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.amax(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    /// tensor([2., 4.])
    amax true;
    extreme
    /// Return the smallest elements over an axis, several or all; equal ones share the gradient.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.amin(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    /// tensor([1., 3.])
    amin false;
    position
    /// Return where the largest element along an axis is, the first of equals: int64.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int, optional
    ///     The axis, by either name; without it the place among all elements in row-major order.
    /// keepdims, keepdim : bool
    ///     Leave the axis in the result with length 1.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.argmax(rbe.tensor([1, 5, 3]))
    /// tensor(1)
    argmax;
    position
    /// Return where the smallest element along an axis is, the first of equals: int64.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int, optional
    ///     The axis, by either name; without it the place among all elements in row-major order.
    /// keepdims, keepdim : bool
    ///     Leave the axis in the result with length 1.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.argmin(rbe.tensor([1, 5, 3]))
    /// tensor(0)
    argmin;
    truth
    /// Return whether any element is other than 0, over an axis, several or all: bool.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.any(rbe.tensor([False, True]))
    /// tensor(True)
    any false;
    truth
    /// Return whether all elements are other than 0, over an axis, several or all: bool.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.all(rbe.tensor([False, True]))
    /// tensor(False)
    all true;
    spread
    /// Return the variance over an axis, several or all.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// correction : float, optional
    ///     Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
    /// unbiased : bool, optional
    ///     Another way to say a correction of 1 or 0.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.var(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([2., 2.])
    var;
    spread
    /// Return the standard deviation over an axis, several or all.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// correction : float, optional
    ///     Subtracted from the count that the sum of squares is divided by; 1 unless said otherwise.
    /// unbiased : bool, optional
    ///     Another way to say a correction of 1 or 0.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.std(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([1.4142, 1.4142])
    std;
}

/// `max` and `min` in torch's forms: of all, along one axis with the places, of two tensors.
fn extreme<'py>(
    slf: &Bound<'py, RBETensor>,
    dim: Option<&Bound<'py, PyAny>>,
    keepdim: bool,
    axis: Option<&Bound<'py, PyAny>>,
    other: Option<&Bound<'py, PyAny>>,
    largest: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, this) = (slf.py(), slf.get());
    let op = if largest { "max" } else { "min" };
    let dim = either(axis, dim)?;
    let tensor = |o: &&Bound<'py, PyAny>| o.is_instance_of::<RBETensor>();
    if let Some(other) = either(other, dim.filter(tensor))? {
        let result = binary(this, other, false, if largest { Tensor::maximum } else { Tensor::minimum })?;
        return Ok(result.into_pyobject(py)?.into_any());
    }
    let Some(dim) = dim else {
        let result = unary(py, this, |t| if largest { t.max(None, keepdim) } else { t.min(None, keepdim) })?;
        return Ok(result.into_pyobject(py)?.into_any());
    };
    match dim.extract::<Integer>() {
        Ok(axis) => {
            let (values, places) = enter(py, this.inner.numel(), || this.inner.extreme_along(largest, axis.0, keepdim))?;
            Ok((NewTensor::from(values), NewTensor::from(places)).into_pyobject(py)?.into_any())
        }
        Err(_) => Err(raise(RbeError::dtype(op, format!("one axis, an integer (a{op} takes several), or a tensor"), dim.repr()?))),
    }
}

#[pymethods]
impl RBETensor {
    /// The largest or smallest elements: of all, along one axis with their places as a pair, or of two tensors.
    fn _extreme<'py>(
        slf: &Bound<'py, Self>,
        dim: Option<&Bound<'py, PyAny>>,
        keepdim: bool,
        axis: Option<&Bound<'py, PyAny>>,
        other: Option<&Bound<'py, PyAny>>,
        largest: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        extreme(slf, dim, keepdim, axis, other, largest)
    }

    /// Return the mean over an axis, several or all; integers become floats.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int or sequence of int, optional
    ///     Axes to reduce, by either name; all without them.
    /// keepdims, keepdim : bool
    ///     Leave reduced axes in the result with length 1.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, ShapeError
    ///     For an axis that is not there, or named twice.
    /// DTypeError
    ///     For a dtype that is not float32 or float64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.mean(rbe.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    /// tensor([2., 3.])
    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false, dtype = None))]
    fn mean(
        &self,
        py: Python<'_>,
        axis: Option<Axes>,
        keepdims: bool,
        dim: Option<Axes>,
        keepdim: bool,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<NewTensor> {
        let axes = reduced(axis, dim)?;
        if let Some(other) = dtype_or_none(dtype)?.filter(|d| !d.is_float()) {
            return Err(raise(RbeError::dtype("mean", "float32 or float64 as dtype", other)));
        }
        reduction(py, self, dtype, |t| t.mean(axes.as_deref(), keepdims || keepdim))
    }

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
        let work = power.tensor().map_or(self.inner.numel(), |exponents| of_both(&self.inner, exponents));
        enter(exponent.py(), work, || power.raise(&self.inner)).map(NewTensor::from)
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
                let (low, high) = (operand(low, Some(self.inner.dtype()))?, operand(high, Some(self.inner.dtype()))?);
                unary(py, self, |t| t.clamp_between(&low, &high))
            }
            (Some(low), None) => binary(self, low, false, Tensor::maximum),
            (None, Some(high)) => binary(self, high, false, Tensor::minimum),
            (None, None) => Err(raise(RbeError::value("clamp", "a lower bound, an upper bound or both", "neither"))),
        }
    }

    /// Return `e^x / Σ e^x` along an axis.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int
    ///     The axis, by either name; the last unless given.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.softmax(rbe.tensor([0.0, 0.0, 0.0, 0.0]))
    /// tensor([0.25, 0.25, 0.25, 0.25])
    #[pyo3(signature = (axis = None, dtype = None, *, dim = None))]
    fn softmax(
        &self,
        py: Python<'_>,
        axis: Option<Integer>,
        dtype: Option<&Bound<'_, PyAny>>,
        dim: Option<Integer>,
    ) -> PyResult<NewTensor> {
        let axis = either(axis, dim)?.map_or(-1, |axis| axis.0);
        reduction(py, self, dtype, |t| t.softmax(axis))
    }

    /// Return `x - ln Σ e^x` along an axis.
    ///
    /// Parameters
    /// ----------
    /// axis, dim : int
    ///     The axis, by either name; the last unless given.
    /// dtype : dtype, optional
    ///     Converted to before.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.log_softmax(rbe.tensor([0.0, 0.0]))
    /// tensor([-0.6931, -0.6931])
    #[pyo3(signature = (axis = None, dtype = None, *, dim = None))]
    fn log_softmax(
        &self,
        py: Python<'_>,
        axis: Option<Integer>,
        dtype: Option<&Bound<'_, PyAny>>,
        dim: Option<Integer>,
    ) -> PyResult<NewTensor> {
        let axis = either(axis, dim)?.map_or(-1, |axis| axis.0);
        reduction(py, self, dtype, |t| t.log_softmax(axis))
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

    /// Return the elements in another shape, given as numbers or a sequence: a view where the layout allows.
    ///
    /// -1 stands for what is left.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For a shape of another number of elements.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.reshape(rbe.arange(4), 2, 2)
    /// tensor([[0, 1],
    ///         [2, 3]])
    #[pyo3(signature = (*shape))]
    fn reshape(&self, shape: &Bound<'_, PyTuple>) -> PyResult<NewTensor> {
        let lengths = integers(shape)?;
        let is_view = self.inner.array("reshape").or_raise()?.is_contiguous();
        enter(shape.py(), if is_view { 0 } else { self.inner.numel() }, || self.inner.reshape(&lengths)).map(NewTensor::from)
    }

    /// Return the same memory in another shape, given as numbers or a sequence. -1 stands for what is left.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For a shape that needs a copy (use reshape), or of another number of elements.
    #[pyo3(signature = (*shape))]
    fn view(&self, shape: &Bound<'_, PyTuple>) -> PyResult<NewTensor> {
        let shape = integers(shape)?;
        let out = self.inner.reshape(&shape).or_raise()?;
        let start = |t: &Tensor| -> PyResult<_> { Ok(t.array("view").or_raise()?.storage().as_ptr()) };
        if out.numel() > 0 && start(&out)? != start(&self.inner)? {
            let strides = self.inner.array("view").or_raise()?.strides();
            let got = format!("{shape:?} of shape {:?} with strides {strides:?} (use reshape)", self.inner.shape());
            return Err(raise(RbeError::shape("view", "a shape that needs no copy", got)));
        }
        Ok(out.into())
    }

    /// Return the axes in another order, given as numbers or a sequence: a view.
    ///
    /// Raises
    /// ------
    /// ShapeError, OutOfRangeError
    ///     If not every axis is named once.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.permute(rbe.arange(6).reshape(2, 3), 1, 0).shape
    /// (3, 2)
    #[pyo3(signature = (*axes, dims = None))]
    fn permute(&self, axes: &Bound<'_, PyTuple>, dims: Option<Axes>) -> PyResult<NewTensor> {
        self.inner.permute(&integers_or(axes, dims)?).or_raise().map(NewTensor::from)
    }

    /// Return the tensor with two axes exchanged: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For an axis that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.transpose(rbe.arange(6).reshape(2, 3), 0, 1).shape
    /// (3, 2)
    fn transpose(&self, dim0: Integer, dim1: Integer) -> PyResult<NewTensor> {
        self.inner.transpose(dim0.0, dim1.0).or_raise().map(NewTensor::from)
    }

    /// Return a view repeated along axes of length 1 and new leading axes; -1 keeps an axis.
    ///
    /// Raises
    /// ------
    /// ShapeError
    ///     For a shape that the tensor does not broadcast to.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.broadcast_to(rbe.tensor([1, 2]), (2, 2)).tolist()
    /// [[1, 2], [1, 2]]
    #[pyo3(signature = (*shape, size = None))]
    fn broadcast_to(&self, shape: &Bound<'_, PyTuple>, size: Option<Axes>) -> PyResult<NewTensor> {
        let wanted = integers_or(shape, size)?;
        let own = self.inner.shape();
        let lead = wanted.len().saturating_sub(own.len());
        let length = |(i, n): (usize, &isize)| match *n {
            -1 => i.checked_sub(lead).and_then(|at| own.get(at)).copied(),
            n => usize::try_from(n).ok(),
        };
        let lengths = wanted.iter().enumerate().map(length).collect::<Option<Vec<usize>>>();
        let wrong = || {
            raise(RbeError::shape("broadcast_to", format!("lengths of at least 0, or -1 for an axis of {own:?}"), format!("{wanted:?}")))
        };
        self.inner.broadcast_to(&lengths.ok_or_else(wrong)?).or_raise().map(NewTensor::from)
    }

    /// Return the tensor with a new axis of length 1 before `dim`: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For a place that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.unsqueeze(rbe.zeros(3), 0).shape
    /// (1, 3)
    fn unsqueeze(&self, dim: Integer) -> PyResult<NewTensor> {
        self.inner.unsqueeze(dim.0).or_raise().map(NewTensor::from)
    }

    /// Return the tensor without its axes of length 1, or without those named if they have length 1: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For an axis that is not there.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.squeeze(rbe.zeros(1, 3)).shape
    /// (3,)
    #[pyo3(signature = (dim = None))]
    fn squeeze(&self, dim: Option<Axes>) -> PyResult<NewTensor> {
        self.inner.squeeze(dim.as_ref().map(|dim| &*dim.0)).or_raise().map(NewTensor::from)
    }

    /// Return `length` positions of an axis from `start`, which counts from the end if negative: a view.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError
    ///     For positions outside the axis.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.narrow(rbe.arange(5), 0, 1, 3)
    /// tensor([1, 2, 3])
    fn narrow(&self, dim: Integer, start: Integer, length: Integer) -> PyResult<NewTensor> {
        let shape = self.inner.shape();
        let axis = normalize_axis("narrow", dim.0, shape.len()).or_raise()?;
        let (start, n) = (start.0, shape[axis] as isize);
        let from = if start < 0 { start + n } else { start };
        if from < 0 || length.0 < 0 || length.0 > n - from {
            let got = format!("{} from {start}", length.0);
            return Err(raise(RbeError::index("narrow", format!("positions inside axis {axis} of length {n}"), got)));
        }
        self.inner.narrow(axis as isize, from as usize, length.0 as usize).or_raise().map(NewTensor::from)
    }

    #[pyo3(name = "_split")]
    fn split_lengths(&self, lengths: Vec<usize>, axis: Integer) -> PyResult<Vec<NewTensor>> {
        Ok(self.inner.split(&lengths, axis.0).or_raise()?.into_iter().map(NewTensor::from).collect())
    }

    #[pyo3(name = "_cast")]
    fn cast_to(&self, py: Python<'_>, dtype: &Bound<'_, PyAny>) -> PyResult<NewTensor> {
        let dtype = dtype_of(dtype)?;
        unary(py, self, |t| t.cast(dtype))
    }

    /// Return the slices along an axis that an int64 index (n,) names.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, DTypeError
    ///     For a place that is not there, or an index that is not int64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.index_select(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([2, 0])).tolist()
    /// [[2, 0], [5, 3]]
    fn index_select(&self, py: Python<'_>, dim: Integer, index: &RBETensor) -> PyResult<NewTensor> {
        let others = self.inner.numel() / self.inner.shape().iter().min().copied().unwrap_or(1).max(1);
        enter(py, others.saturating_mul(index.inner.numel()), || self.inner.index_select(dim.0, &index.inner)).map(NewTensor::from)
    }

    /// Return the elements along an axis that an int64 index of as many axes names.
    ///
    /// Raises
    /// ------
    /// ShapeError, OutOfRangeError, DTypeError
    ///     For an index that does not fit, names a place that is not there, or is not int64.
    ///
    /// Examples
    /// --------
    /// >>> import rbe
    /// >>> rbe.gather(rbe.arange(6).reshape(2, 3), 1, rbe.tensor([[2], [0]])).tolist()
    /// [[2], [3]]
    fn gather(&self, py: Python<'_>, dim: Integer, index: &RBETensor) -> PyResult<NewTensor> {
        enter(py, index.inner.numel(), || self.inner.gather(dim.0, &index.inner)).map(NewTensor::from)
    }

    /// Return the rows (…, width) of a table (rows, width), dense or packed, that an int64 index (…) names.
    ///
    /// The row `padding_idx` gets no gradient.
    ///
    /// Raises
    /// ------
    /// OutOfRangeError, DTypeError
    ///     For a row that is not there, or an index that is not int64.
    #[pyo3(signature = (index, padding_idx = None))]
    fn embedding(&self, py: Python<'_>, index: &RBETensor, padding_idx: Option<Integer>) -> PyResult<NewTensor> {
        let row = |i: Integer| {
            let wrong = |_| raise(RbeError::index("embedding", "a row of at least 0 as padding_idx", i.0));
            usize::try_from(i.0).map_err(wrong)
        };
        let padding_idx = padding_idx.map(row).transpose()?;
        let width = self.inner.shape().last().copied().unwrap_or(1);
        enter(py, width.saturating_mul(index.inner.numel()), || self.inner.embedding(&index.inner, padding_idx)).map(NewTensor::from)
    }

    /// Return `x Wᵀ + b` of x (…, in), a weight (out, in), dense or packed, and a bias (out): (…, out).
    ///
    /// Raises
    /// ------
    /// ShapeError, DTypeError
    ///     For shapes or types that do not fit.
    #[pyo3(signature = (weight, bias = None))]
    fn linear(&self, py: Python<'_>, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<NewTensor> {
        if weight.inner.is_packed() {
            return self.packed_linear(py, weight, bias); // as the core chooses, which costs less
        }
        let bias = bias.map(|b| &b.inner);
        enter(py, weight.inner.numel().max(self.inner.numel()), || self.inner.linear(&weight.inner, bias)).map(NewTensor::from)
    }

    /// Return `x Wᵀ + b` of x (…, in), a packed weight (out, in) and a bias (out): (…, out), float32.
    ///
    /// Raises
    /// ------
    /// ShapeError, DTypeError
    ///     For shapes that do not fit, or a dense weight.
    #[pyo3(signature = (weight, bias = None))]
    fn packed_linear(&self, py: Python<'_>, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<NewTensor> {
        let bias = bias.map(|b| &b.inner);
        enter(py, (weight.inner.numel() / 32).max(self.inner.numel()), || self.inner.packed_linear(&weight.inner, bias))
            .map(NewTensor::from)
    }

    /// Return `x Wᵀ` of x (…, in) and a packed weight (out, in): (…, out), float32.
    fn packed_matmul(&self, py: Python<'_>, w: &RBETensor) -> PyResult<NewTensor> {
        self.packed_linear(py, w, None)
    }

    /// Return `d · g(ω x + θ)` of x (…, features), the function of every feature read from a packed tensor of cycle states.
    fn packed_activation(&self, py: Python<'_>, w: &RBETensor) -> PyResult<NewTensor> {
        unary(py, self, |t| t.packed_activation(&w.inner))
    }

    /// The tensor as operand of a change in place: in memory of its own where the tape may keep it (`kept`).
    #[pyo3(name = "_before_change")]
    fn before_change(slf: PyRef<'_, Self>, op: &str, kept: bool) -> PyResult<Py<RBETensor>> {
        let op = lasting(op);
        if kept {
            let inner = &slf.inner;
            let copy = enter(slf.py(), inner.numel(), || inner.before_change(op))?;
            return Ok(NewTensor::from(copy).into_pyobject(slf.py())?.unbind());
        }
        slf.inner.writable(op).or_raise()?;
        Ok(slf.into())
    }

    /// Takes over the values of `result` and its place on the tape.
    #[pyo3(name = "_take_over")]
    fn take_over(&self, py: Python<'_>, op: &str, result: &RBETensor) -> PyResult<()> {
        let op = lasting(op);
        enter(py, self.inner.numel(), || self.inner.take_over(op, &result.inner))
    }

    #[pyo3(name = "_assign")]
    fn assign(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = operand(value, Some(self.inner.dtype()))?;
        enter(py, self.inner.numel(), || self.inner.assign(&value))
    }
}
