//! Methods of the tensor class: thin, with torch's names.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyTuple};
use rbe_core::array::{Array, broadcast_shapes, normalize_axis};
use rbe_core::op::{Comparison, Logic};
use rbe_core::{DType, RbeError};

use crate::arguments::{self, Axes, Integer, dtype_or_none, either, float, integers, integers_or, reduced, whole};
use crate::error::{OrRaise, raise};
use crate::runtime::{elements, enter};
use crate::tensor::{RBETensor, dtype_of, number, operand};

type Tensor = rbe_core::RBETensor;

/// A method of one tensor.
pub fn unary(py: Python<'_>, t: &RBETensor, f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor> + Send) -> PyResult<RBETensor> {
    enter(py, t.inner.numel(), || f(&t.inner)).map(RBETensor::from)
}

/// Elements of what an element-wise operation makes of two tensors.
fn of_both(a: &Tensor, b: &Tensor) -> usize {
    if a.shape() == b.shape() { a.numel() } else { broadcast_shapes("", a.shape(), b.shape()).map_or(0, |shape| elements(&shape)) }
}

/// A method of two operands, the second of which may be a number or an array; `swap` for reflected operators.
pub fn binary(
    a: &RBETensor,
    b: &Bound<'_, PyAny>,
    swap: bool,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<RBETensor> {
    let b_tensor = operand(b, Some(a.inner.dtype()))?;
    let work = of_both(&a.inner, &b_tensor).max(a.inner.numel()).max(b_tensor.numel());
    enter(b.py(), work, || if swap { f(&b_tensor, &a.inner) } else { f(&a.inner, &b_tensor) }).map(RBETensor::from)
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

/// A reduction of a tensor, converted to `dtype` before and after if that is given.
fn reduction(
    py: Python<'_>,
    t: &RBETensor,
    dtype: Option<&Bound<'_, PyAny>>,
    f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<RBETensor> {
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
) -> PyResult<RBETensor> {
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
    .map(RBETensor::from)
}

macro_rules! tensor_methods {
    ($(unary $u:ident;)* $(binary $b:ident;)* $(reduce $r:ident;)* $(extreme $x:ident $largest:literal;)* $(position $arg:ident;)*
     $(truth $truth:ident $all:literal;)* $(spread $spread:ident;)* $(compare $c:ident $which:ident;)* $(logic $l:ident $lw:ident;)*) => {
        #[pymethods]
        impl RBETensor {
            $(fn $u(&self, py: Python<'_>) -> PyResult<RBETensor> {
                unary(py, self, Tensor::$u)
            })*
            $(fn $b(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
                binary(self, other, false, Tensor::$b)
            })*
            $(#[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false, dtype = None))]
            fn $r(
                &self,
                py: Python<'_>,
                axis: Option<Axes>,
                keepdims: bool,
                dim: Option<Axes>,
                keepdim: bool,
                dtype: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<RBETensor> {
                let axes = reduced(axis, dim)?;
                reduction(py, self, dtype, |t| t.$r(axes.as_deref(), keepdims || keepdim))
            })*
            $(#[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false))]
            fn $x(
                &self,
                py: Python<'_>,
                dim: Option<Axes>,
                keepdim: bool,
                axis: Option<Axes>,
                keepdims: bool,
            ) -> PyResult<RBETensor> {
                let axes = reduced(axis, dim)?;
                unary(py, self, |t| t.extreme($largest, axes.as_deref(), keepdims || keepdim))
            })*
            $(#[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $arg(&self, py: Python<'_>, axis: Option<Integer>, keepdims: bool, dim: Option<Integer>, keepdim: bool) -> PyResult<RBETensor> {
                let axis = either(axis, dim)?.map(|axis| axis.0);
                unary(py, self, |t| t.$arg(axis, keepdims || keepdim))
            })*
            $(#[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $truth(&self, py: Python<'_>, axis: Option<Axes>, keepdims: bool, dim: Option<Axes>, keepdim: bool) -> PyResult<RBETensor> {
                let axes = either(axis, dim)?.map(|axes| axes.0);
                unary(py, self, |t| t.truth($all, axes.as_deref(), keepdims || keepdim))
            })*
            $(#[pyo3(signature = (axis = None, correction = None, keepdims = false, *, unbiased = None, dim = None, keepdim = false))]
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
            ) -> PyResult<RBETensor> {
                let op = stringify!($spread);
                let (axis, unbiased) = match axis.and_then(|axis| axis.cast::<PyBool>().ok()) {
                    Some(_) if unbiased.is_some() => return Err(PyTypeError::new_err(format!("{op}: unbiased is given twice"))),
                    Some(first) => (None, Some(first.is_true())),
                    None => (axis.map(|axis| axis.extract::<Axes>()).transpose()?, unbiased),
                };
                let (axes, correction) = (reduced(axis, dim)?, arguments::correction(op, correction, unbiased)?);
                unary(py, self, |t| t.$spread(axes.as_deref(), correction, keepdims || keepdim))
            })*
            $(fn $c(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
                binary(self, other, false, |a, b| a.compare(b, Comparison::$which))
            })*
            $(fn $l(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
                binary(self, other, false, |a, b| a.logical(b, Logic::$lw))
            })*
        }
    };
}

tensor_methods! {
    unary exp; unary expm1; unary log; unary log2; unary log10; unary log1p; unary sqrt; unary square; unary reciprocal; unary abs; unary sin; unary cos;
    unary tanh; unary sigmoid; unary relu; unary silu; unary sign; unary floor; unary ceil; unary trunc; unary isfinite; unary isinf; unary isnan;
    unary logical_not;
    binary mul; binary maximum; binary minimum; binary matmul; binary floor_divide; binary remainder; binary fmod; binary copysign;
    reduce sum; reduce logsumexp; reduce prod;
    extreme amax true; extreme amin false;
    position argmax; position argmin;
    truth any false; truth all true;
    spread var; spread std;
    compare eq Eq; compare ne Ne; compare lt Lt; compare le Le; compare gt Gt; compare ge Ge;
    logic logical_and And; logic logical_or Or; logic logical_xor Xor;
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
        return Ok(Bound::new(py, result)?.into_any());
    }
    let Some(dim) = dim else {
        let result = unary(py, this, |t| if largest { t.max(None, keepdim) } else { t.min(None, keepdim) })?;
        return Ok(Bound::new(py, result)?.into_any());
    };
    match dim.extract::<Integer>() {
        Ok(axis) => slf.call_method1(if largest { "max_along" } else { "min_along" }, (axis.0, keepdim)),
        Err(_) => Err(raise(RbeError::dtype(op, format!("one axis, an integer (a{op} takes several), or a tensor"), dim.repr()?))),
    }
}

#[pymethods]
impl RBETensor {
    /// Largest element of all; along `dim` (`axis`) the largest elements and their places; of two tensors the larger elements.
    #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false, other = None))]
    fn max<'py>(
        slf: &Bound<'py, Self>,
        dim: Option<&Bound<'py, PyAny>>,
        keepdim: bool,
        axis: Option<&Bound<'py, PyAny>>,
        keepdims: bool,
        other: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        extreme(slf, dim, keepdim || keepdims, axis, other, true)
    }

    /// Smallest elements, as `max`.
    #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false, other = None))]
    fn min<'py>(
        slf: &Bound<'py, Self>,
        dim: Option<&Bound<'py, PyAny>>,
        keepdim: bool,
        axis: Option<&Bound<'py, PyAny>>,
        keepdims: bool,
        other: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        extreme(slf, dim, keepdim || keepdims, axis, other, false)
    }

    /// Mean over an axis, several or all; integers become floats.
    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false, dtype = None))]
    fn mean(
        &self,
        py: Python<'_>,
        axis: Option<Axes>,
        keepdims: bool,
        dim: Option<Axes>,
        keepdim: bool,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<RBETensor> {
        let axes = reduced(axis, dim)?;
        if let Some(other) = dtype_or_none(dtype)?.filter(|d| !d.is_float()) {
            return Err(raise(RbeError::dtype("mean", "float32 or float64 as dtype", other)));
        }
        reduction(py, self, dtype, |t| t.mean(axes.as_deref(), keepdims || keepdim))
    }

    /// `self + alpha * other`.
    #[pyo3(signature = (other, *, alpha = None))]
    fn add(&self, other: &Bound<'_, PyAny>, alpha: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
        scaled(self, "add", other, alpha, Tensor::add)
    }

    /// `self - alpha * other`.
    #[pyo3(signature = (other, *, alpha = None))]
    fn sub(&self, other: &Bound<'_, PyAny>, alpha: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
        scaled(self, "sub", other, alpha, Tensor::sub)
    }

    /// `self / other`, rounded down with `"floor"`, towards 0 with `"trunc"`: integers then stay integers.
    #[pyo3(signature = (other, *, rounding_mode = None))]
    fn div(&self, other: &Bound<'_, PyAny>, rounding_mode: Option<&str>) -> PyResult<RBETensor> {
        let divide = match rounding_mode {
            None => Tensor::div,
            Some("floor") => Tensor::floor_divide,
            Some("trunc") => Tensor::trunc_divide,
            Some(other) => return Err(raise(RbeError::value("div", "rounding_mode None, \"floor\" or \"trunc\"", format!("{other:?}")))),
        };
        binary(self, other, false, divide)
    }

    /// The nearest number of `decimals` decimal places, the even one of two; of integers only with 0.
    #[pyo3(signature = (*, decimals = 0))]
    fn round(&self, py: Python<'_>, #[pyo3(from_py_with = whole)] decimals: isize) -> PyResult<RBETensor> {
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

    fn neg(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::neg)
    }

    /// `self ** exponent`; quicker for a number.
    pub fn pow(&self, exponent: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        let exponent = &number(exponent)?;
        if exponent.is_instance_of::<PyFloat>() {
            let p: f64 = exponent.extract()?;
            return unary(exponent.py(), self, |t| t.powf(p));
        }
        if exponent.is_instance_of::<PyInt>()
            && !exponent.is_instance_of::<PyBool>()
            && let Ok(p) = exponent.extract::<i64>()
        {
            return unary(exponent.py(), self, |t| t.powi(p));
        }
        binary(self, exponent, false, Tensor::pow)
    }

    #[pyo3(signature = (approximate = "none"))]
    fn gelu(&self, py: Python<'_>, approximate: &str) -> PyResult<RBETensor> {
        match approximate {
            "none" => unary(py, self, Tensor::gelu),
            "tanh" => unary(py, self, Tensor::gelu_tanh),
            other => Err(raise(RbeError::value("gelu", "approximate \"none\" or \"tanh\"", other))),
        }
    }

    #[pyo3(signature = (negative_slope = 0.01))]
    fn leaky_relu(&self, py: Python<'_>, #[pyo3(from_py_with = float)] negative_slope: f64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.leaky_relu(negative_slope))
    }

    #[pyo3(signature = (alpha = 1.0))]
    fn elu(&self, py: Python<'_>, #[pyo3(from_py_with = float)] alpha: f64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.elu(alpha))
    }

    #[pyo3(signature = (beta = 1.0))]
    fn softplus(&self, py: Python<'_>, #[pyo3(from_py_with = float)] beta: f64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.softplus(beta))
    }

    /// Bounds are numbers or tensors; integers bounded by integers stay integers.
    #[pyo3(signature = (min = None, max = None))]
    fn clamp(&self, py: Python<'_>, min: Option<&Bound<'_, PyAny>>, max: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
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

    /// `e^x / Σ e^x` along an axis.
    #[pyo3(signature = (axis = None, dtype = None, *, dim = None))]
    fn softmax(
        &self,
        py: Python<'_>,
        axis: Option<Integer>,
        dtype: Option<&Bound<'_, PyAny>>,
        dim: Option<Integer>,
    ) -> PyResult<RBETensor> {
        let axis = either(axis, dim)?.map_or(-1, |axis| axis.0);
        reduction(py, self, dtype, |t| t.softmax(axis))
    }

    /// `x - ln Σ e^x` along an axis.
    #[pyo3(signature = (axis = None, dtype = None, *, dim = None))]
    fn log_softmax(
        &self,
        py: Python<'_>,
        axis: Option<Integer>,
        dtype: Option<&Bound<'_, PyAny>>,
        dim: Option<Integer>,
    ) -> PyResult<RBETensor> {
        let axis = either(axis, dim)?.map_or(-1, |axis| axis.0);
        reduction(py, self, dtype, |t| t.log_softmax(axis))
    }

    #[pyo3(signature = (p = 0.5, training = true))]
    fn dropout(&self, py: Python<'_>, #[pyo3(from_py_with = float)] p: f64, training: bool) -> PyResult<RBETensor> {
        unary(py, self, |t| t.dropout(p, training))
    }

    #[pyo3(signature = (*shape))]
    fn reshape(&self, shape: &Bound<'_, PyTuple>) -> PyResult<RBETensor> {
        let lengths = integers(shape)?;
        let is_view = self.inner.array("reshape").or_raise()?.is_contiguous();
        enter(shape.py(), if is_view { 0 } else { self.inner.numel() }, || self.inner.reshape(&lengths)).map(RBETensor::from)
    }

    /// The same memory in another shape.
    #[pyo3(signature = (*shape))]
    fn view(&self, shape: &Bound<'_, PyTuple>) -> PyResult<RBETensor> {
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

    #[pyo3(signature = (*axes, dims = None))]
    fn permute(&self, axes: &Bound<'_, PyTuple>, dims: Option<Axes>) -> PyResult<RBETensor> {
        self.inner.permute(&integers_or(axes, dims)?).or_raise().map(RBETensor::from)
    }

    fn transpose(&self, dim0: Integer, dim1: Integer) -> PyResult<RBETensor> {
        self.inner.transpose(dim0.0, dim1.0).or_raise().map(RBETensor::from)
    }

    /// Repeated along axes of length 1 and new leading axes, without a copy; -1 keeps an axis.
    #[pyo3(signature = (*shape, size = None))]
    fn broadcast_to(&self, shape: &Bound<'_, PyTuple>, size: Option<Axes>) -> PyResult<RBETensor> {
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
        self.inner.broadcast_to(&lengths.ok_or_else(wrong)?).or_raise().map(RBETensor::from)
    }

    fn unsqueeze(&self, dim: Integer) -> PyResult<RBETensor> {
        self.inner.unsqueeze(dim.0).or_raise().map(RBETensor::from)
    }

    #[pyo3(signature = (dim = None))]
    fn squeeze(&self, dim: Option<Axes>) -> PyResult<RBETensor> {
        self.inner.squeeze(dim.as_ref().map(|dim| &*dim.0)).or_raise().map(RBETensor::from)
    }

    /// `length` positions of an axis from `start`, which counts from the end if negative: a view.
    fn narrow(&self, dim: Integer, start: Integer, length: Integer) -> PyResult<RBETensor> {
        let shape = self.inner.shape();
        let axis = normalize_axis("narrow", dim.0, shape.len()).or_raise()?;
        let (start, n) = (start.0, shape[axis] as isize);
        let from = if start < 0 { start + n } else { start };
        if from < 0 || length.0 < 0 || length.0 > n - from {
            let got = format!("{} from {start}", length.0);
            return Err(raise(RbeError::index("narrow", format!("positions inside axis {axis} of length {n}"), got)));
        }
        self.inner.narrow(axis as isize, from as usize, length.0 as usize).or_raise().map(RBETensor::from)
    }

    #[pyo3(name = "_split")]
    fn split_lengths(&self, lengths: Vec<usize>, axis: Integer) -> PyResult<Vec<RBETensor>> {
        Ok(self.inner.split(&lengths, axis.0).or_raise()?.into_iter().map(RBETensor::from).collect())
    }

    #[pyo3(name = "_cast")]
    fn cast_to(&self, py: Python<'_>, dtype: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        let dtype = dtype_of(dtype)?;
        unary(py, self, |t| t.cast(dtype))
    }

    fn index_select(&self, py: Python<'_>, dim: Integer, index: &RBETensor) -> PyResult<RBETensor> {
        let others = self.inner.numel() / self.inner.shape().iter().min().copied().unwrap_or(1).max(1);
        enter(py, others.saturating_mul(index.inner.numel()), || self.inner.index_select(dim.0, &index.inner)).map(RBETensor::from)
    }

    fn gather(&self, py: Python<'_>, dim: Integer, index: &RBETensor) -> PyResult<RBETensor> {
        enter(py, index.inner.numel(), || self.inner.gather(dim.0, &index.inner)).map(RBETensor::from)
    }

    #[pyo3(signature = (index, padding_idx = None))]
    fn embedding(&self, py: Python<'_>, index: &RBETensor, padding_idx: Option<Integer>) -> PyResult<RBETensor> {
        let row = |i: Integer| {
            let wrong = |_| raise(RbeError::index("embedding", "a row of at least 0 as padding_idx", i.0));
            usize::try_from(i.0).map_err(wrong)
        };
        let padding_idx = padding_idx.map(row).transpose()?;
        let width = self.inner.shape().last().copied().unwrap_or(1);
        enter(py, width.saturating_mul(index.inner.numel()), || self.inner.embedding(&index.inner, padding_idx)).map(RBETensor::from)
    }

    #[pyo3(signature = (weight, bias = None))]
    fn linear(&self, py: Python<'_>, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<RBETensor> {
        if weight.inner.is_packed() {
            return self.packed_linear(py, weight, bias); // as the core chooses, which costs less
        }
        let bias = bias.map(|b| &b.inner);
        enter(py, weight.inner.numel().max(self.inner.numel()), || self.inner.linear(&weight.inner, bias)).map(RBETensor::from)
    }

    #[pyo3(signature = (weight, bias = None))]
    fn packed_linear(&self, py: Python<'_>, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<RBETensor> {
        let bias = bias.map(|b| &b.inner);
        enter(py, (weight.inner.numel() / 32).max(self.inner.numel()), || self.inner.packed_linear(&weight.inner, bias))
            .map(RBETensor::from)
    }

    fn packed_matmul(&self, py: Python<'_>, w: &RBETensor) -> PyResult<RBETensor> {
        self.packed_linear(py, w, None)
    }

    fn packed_activation(&self, py: Python<'_>, w: &RBETensor) -> PyResult<RBETensor> {
        unary(py, self, |t| t.packed_activation(&w.inner))
    }

    /// The tensor as operand of a change in place: in memory of its own where the tape may keep it (`kept`).
    #[pyo3(name = "_before_change")]
    fn before_change(slf: PyRef<'_, Self>, op: &str, kept: bool) -> PyResult<Py<RBETensor>> {
        let op = lasting(op);
        if kept {
            let inner = &slf.inner;
            let copy = enter(slf.py(), inner.numel(), || inner.before_change(op))?;
            return Py::new(slf.py(), RBETensor::from(copy));
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
