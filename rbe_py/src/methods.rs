//! Methods of the tensor class: thin, with torch's names.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt, PyTuple};
use rbe_core::RbeError;
use rbe_core::array::normalize_axis;
use rbe_core::op::{Comparison, Logic};

use crate::error::{OrRaise, raise};
use crate::runtime::enter;
use crate::tensor::{RBETensor, dtype_of, operand};

type Tensor = rbe_core::RBETensor;

/// A method of one tensor.
pub fn unary(py: Python<'_>, t: &RBETensor, f: impl FnOnce(&Tensor) -> rbe_core::Result<Tensor> + Send) -> PyResult<RBETensor> {
    enter(py, t.inner.numel(), || f(&t.inner)).map(RBETensor::from)
}

/// A method of two operands, the second of which may be a number or an array; `swap` for reflected operators.
pub fn binary(
    a: &RBETensor,
    b: &Bound<'_, PyAny>,
    swap: bool,
    f: impl FnOnce(&Tensor, &Tensor) -> rbe_core::Result<Tensor> + Send,
) -> PyResult<RBETensor> {
    let b_tensor = operand(b, Some(a.inner.dtype()))?;
    let elements = a.inner.numel().max(b_tensor.numel());
    enter(b.py(), elements, || if swap { f(&b_tensor, &a.inner) } else { f(&a.inner, &b_tensor) }).map(RBETensor::from)
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

/// One integer, several arguments or one sequence of integers.
pub fn integers(args: &Bound<'_, PyTuple>) -> PyResult<Vec<isize>> {
    if args.len() == 1 {
        let only = args.get_item(0)?;
        if !only.is_instance_of::<PyInt>() {
            return only.extract();
        }
    }
    args.extract()
}

/// The argument that NumPy and torch name differently: `axis` and `dim`.
fn either<T>(axis: Option<T>, dim: Option<T>) -> PyResult<Option<T>> {
    match (axis, dim) {
        (Some(_), Some(_)) => Err(PyTypeError::new_err("axis and dim are one argument: give one of them")),
        (axis, dim) => Ok(axis.or(dim)),
    }
}

/// `None`, one axis or several, given as `axis` or as `dim`.
pub fn axes(axis: Option<&Bound<'_, PyAny>>, dim: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<isize>>> {
    match either(axis, dim)? {
        None => Ok(None),
        Some(o) if o.is_instance_of::<PyInt>() => Ok(Some(vec![o.extract()?])),
        Some(o) => o.extract().map(Some),
    }
}

macro_rules! tensor_methods {
    ($(unary $u:ident;)* $(binary $b:ident;)* $(reduce $r:ident;)* $(compare $c:ident $which:ident;)* $(logic $l:ident $lw:ident;)*) => {
        #[pymethods]
        impl RBETensor {
            $(fn $u(&self, py: Python<'_>) -> PyResult<RBETensor> {
                unary(py, self, Tensor::$u)
            })*
            $(fn $b(&self, other: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
                binary(self, other, false, Tensor::$b)
            })*
            $(#[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
            fn $r(
                &self,
                py: Python<'_>,
                axis: Option<&Bound<'_, PyAny>>,
                keepdims: bool,
                dim: Option<&Bound<'_, PyAny>>,
                keepdim: bool,
            ) -> PyResult<RBETensor> {
                let axes = axes(axis, dim)?;
                unary(py, self, |t| t.$r(axes.as_deref(), keepdims || keepdim))
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
    unary exp; unary expm1; unary log; unary log1p; unary sqrt; unary square; unary reciprocal; unary abs; unary sin; unary cos;
    unary tanh; unary sigmoid; unary relu; unary silu; unary sign; unary floor; unary ceil; unary round; unary isfinite; unary isnan;
    unary logical_not;
    binary add; binary sub; binary mul; binary div; binary maximum; binary minimum; binary matmul; binary floor_divide; binary remainder;
    reduce sum; reduce mean; reduce logsumexp; reduce prod;
    compare eq Eq; compare ne Ne; compare lt Lt; compare le Le; compare gt Gt; compare ge Ge;
    logic logical_and And; logic logical_or Or; logic logical_xor Xor;
}

/// `max` and `min` in the forms of torch and of NumPy.
fn extreme<'py>(
    slf: &Bound<'py, RBETensor>,
    dim: Option<&Bound<'py, PyAny>>,
    keepdim: bool,
    axis: Option<&Bound<'py, PyAny>>,
    keepdims: bool,
    largest: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, this) = (slf.py(), slf.get());
    if either(axis, dim)?.is_some()
        && let Some(dim) = dim
    {
        if let Ok(other) = dim.cast::<RBETensor>() {
            let result = binary(this, other, false, if largest { Tensor::maximum } else { Tensor::minimum })?;
            return Ok(Bound::new(py, result)?.into_any());
        }
        let name = if largest { "max_along" } else { "min_along" };
        return slf.call_method1(name, (dim, keepdim));
    }
    let axes = axes(axis, None)?;
    let result =
        unary(
            py,
            this,
            |t| {
                if largest { t.max(axes.as_deref(), keepdims || keepdim) } else { t.min(axes.as_deref(), keepdims || keepdim) }
            },
        )?;
    Ok(Bound::new(py, result)?.into_any())
}

#[pymethods]
impl RBETensor {
    /// Largest values: of all, along `dim` with their indices (torch), along `axis` alone (NumPy), or of two tensors.
    #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false))]
    fn max<'py>(
        slf: &Bound<'py, Self>,
        dim: Option<&Bound<'py, PyAny>>,
        keepdim: bool,
        axis: Option<&Bound<'py, PyAny>>,
        keepdims: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        extreme(slf, dim, keepdim, axis, keepdims, true)
    }

    /// Smallest values, as `max`.
    #[pyo3(signature = (dim = None, keepdim = false, *, axis = None, keepdims = false))]
    fn min<'py>(
        slf: &Bound<'py, Self>,
        dim: Option<&Bound<'py, PyAny>>,
        keepdim: bool,
        axis: Option<&Bound<'py, PyAny>>,
        keepdims: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        extreme(slf, dim, keepdim, axis, keepdims, false)
    }

    fn neg(&self, py: Python<'_>) -> PyResult<RBETensor> {
        unary(py, self, Tensor::neg)
    }

    /// `self ** exponent`; quicker for a number.
    pub fn pow(&self, exponent: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        match exponent.extract::<f64>() {
            Ok(p) if !exponent.is_instance_of::<RBETensor>() => unary(exponent.py(), self, |t| t.powf(p)),
            _ => binary(self, exponent, false, Tensor::pow),
        }
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
    fn leaky_relu(&self, py: Python<'_>, negative_slope: f64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.leaky_relu(negative_slope))
    }

    #[pyo3(signature = (alpha = 1.0))]
    fn elu(&self, py: Python<'_>, alpha: f64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.elu(alpha))
    }

    #[pyo3(signature = (beta = 1.0))]
    fn softplus(&self, py: Python<'_>, beta: f64) -> PyResult<RBETensor> {
        unary(py, self, |t| t.softplus(beta))
    }

    /// Bounds are numbers or tensors; integers bounded by integers stay integers.
    #[pyo3(signature = (min = None, max = None))]
    fn clamp(&self, py: Python<'_>, min: Option<&Bound<'_, PyAny>>, max: Option<&Bound<'_, PyAny>>) -> PyResult<RBETensor> {
        let plain = |b: &Bound<'_, PyAny>| b.is_instance_of::<PyInt>() || b.is_instance_of::<PyFloat>();
        if self.inner.dtype().is_float() && min.is_none_or(plain) && max.is_none_or(plain) {
            let number = |b: Option<&Bound<'_, PyAny>>| b.map(|b| b.extract::<f64>()).transpose();
            let (low, high) = (number(min)?, number(max)?);
            return unary(py, self, |t| t.clamp(low, high));
        }
        let raised = min.map(|b| binary(self, b, false, Tensor::maximum)).transpose()?;
        match (raised, max) {
            (raised, Some(b)) => binary(raised.as_ref().unwrap_or(self), b, false, Tensor::minimum),
            (Some(raised), None) => Ok(raised),
            (None, None) => Err(raise(RbeError::value("clamp", "a lower bound, an upper bound or both", "neither"))),
        }
    }

    #[pyo3(signature = (axis = None, correction = 1.0, keepdims = false, *, dim = None, keepdim = false))]
    fn var(
        &self,
        py: Python<'_>,
        axis: Option<&Bound<'_, PyAny>>,
        correction: f64,
        keepdims: bool,
        dim: Option<&Bound<'_, PyAny>>,
        keepdim: bool,
    ) -> PyResult<RBETensor> {
        let axes = axes(axis, dim)?;
        unary(py, self, |t| t.var(axes.as_deref(), correction, keepdims || keepdim))
    }

    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
    fn argmax(&self, py: Python<'_>, axis: Option<isize>, keepdims: bool, dim: Option<isize>, keepdim: bool) -> PyResult<RBETensor> {
        let axis = either(axis, dim)?;
        unary(py, self, |t| t.argmax(axis, keepdims || keepdim))
    }

    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
    fn argmin(&self, py: Python<'_>, axis: Option<isize>, keepdims: bool, dim: Option<isize>, keepdim: bool) -> PyResult<RBETensor> {
        let axis = either(axis, dim)?;
        unary(py, self, |t| t.argmin(axis, keepdims || keepdim))
    }

    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
    fn any(
        &self,
        py: Python<'_>,
        axis: Option<&Bound<'_, PyAny>>,
        keepdims: bool,
        dim: Option<&Bound<'_, PyAny>>,
        keepdim: bool,
    ) -> PyResult<RBETensor> {
        let axes = axes(axis, dim)?;
        unary(py, self, |t| t.truth(false, axes.as_deref(), keepdims || keepdim))
    }

    #[pyo3(signature = (axis = None, keepdims = false, *, dim = None, keepdim = false))]
    fn all(
        &self,
        py: Python<'_>,
        axis: Option<&Bound<'_, PyAny>>,
        keepdims: bool,
        dim: Option<&Bound<'_, PyAny>>,
        keepdim: bool,
    ) -> PyResult<RBETensor> {
        let axes = axes(axis, dim)?;
        unary(py, self, |t| t.truth(true, axes.as_deref(), keepdims || keepdim))
    }

    #[pyo3(signature = (axis = None, *, dim = None))]
    fn softmax(&self, py: Python<'_>, axis: Option<isize>, dim: Option<isize>) -> PyResult<RBETensor> {
        let axis = either(axis, dim)?.unwrap_or(-1);
        unary(py, self, |t| t.softmax(axis))
    }

    #[pyo3(signature = (axis = None, *, dim = None))]
    fn log_softmax(&self, py: Python<'_>, axis: Option<isize>, dim: Option<isize>) -> PyResult<RBETensor> {
        let axis = either(axis, dim)?.unwrap_or(-1);
        unary(py, self, |t| t.log_softmax(axis))
    }

    #[pyo3(signature = (p = 0.5, training = true))]
    fn dropout(&self, py: Python<'_>, p: f64, training: bool) -> PyResult<RBETensor> {
        unary(py, self, |t| t.dropout(p, training))
    }

    #[pyo3(signature = (*shape))]
    fn reshape(&self, shape: &Bound<'_, PyTuple>) -> PyResult<RBETensor> {
        self.inner.reshape(&integers(shape)?).or_raise().map(RBETensor::from)
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

    #[pyo3(signature = (*axes))]
    fn permute(&self, axes: &Bound<'_, PyTuple>) -> PyResult<RBETensor> {
        self.inner.permute(&integers(axes)?).or_raise().map(RBETensor::from)
    }

    fn transpose(&self, dim0: isize, dim1: isize) -> PyResult<RBETensor> {
        self.inner.transpose(dim0, dim1).or_raise().map(RBETensor::from)
    }

    /// A view repeated to `shape`; -1 keeps an axis as long as it is.
    fn broadcast_to(&self, shape: Vec<isize>) -> PyResult<RBETensor> {
        let own = self.inner.shape();
        let wrong = || raise(RbeError::shape("broadcast_to", format!("a shape that {own:?} broadcasts to"), format!("{shape:?}")));
        let lead = shape.len().checked_sub(own.len()).ok_or_else(wrong)?;
        let length = |(i, n): (usize, &isize)| match usize::try_from(*n) {
            Ok(n) => Ok(n),
            Err(_) if *n == -1 && i >= lead => Ok(own[i - lead]),
            Err(_) => Err(wrong()),
        };
        let shape = shape.iter().enumerate().map(length).collect::<PyResult<Vec<usize>>>()?;
        self.inner.broadcast_to(&shape).or_raise().map(RBETensor::from)
    }

    fn unsqueeze(&self, dim: isize) -> PyResult<RBETensor> {
        self.inner.unsqueeze(dim).or_raise().map(RBETensor::from)
    }

    #[pyo3(signature = (dim = None))]
    fn squeeze(&self, dim: Option<isize>) -> PyResult<RBETensor> {
        self.inner.squeeze(dim).or_raise().map(RBETensor::from)
    }

    /// `length` positions along an axis from `start`, which counts from the end where it is negative: a view.
    fn narrow(&self, dim: isize, start: isize, length: isize) -> PyResult<RBETensor> {
        let shape = self.inner.shape();
        let axis = normalize_axis("narrow", dim, shape.len()).or_raise()?;
        let n = shape[axis] as isize;
        let first = if start < 0 { start.saturating_add(n) } else { start };
        if first < 0 || length < 0 || first.saturating_add(length) > n {
            let got = format!("{length} positions from {start}");
            return Err(raise(RbeError::index("narrow", format!("positions inside axis {axis} of length {n}"), got)));
        }
        self.inner.narrow(dim, first as usize, length as usize).or_raise().map(RBETensor::from)
    }

    #[pyo3(name = "_split")]
    fn split_lengths(&self, lengths: Vec<usize>, axis: isize) -> PyResult<Vec<RBETensor>> {
        Ok(self.inner.split(&lengths, axis).or_raise()?.into_iter().map(RBETensor::from).collect())
    }

    #[pyo3(name = "_cast")]
    fn cast_to(&self, py: Python<'_>, dtype: &Bound<'_, PyAny>) -> PyResult<RBETensor> {
        let dtype = dtype_of(dtype)?;
        unary(py, self, |t| t.cast(dtype))
    }

    fn index_select(&self, dim: isize, index: &RBETensor) -> PyResult<RBETensor> {
        self.inner.index_select(dim, &index.inner).or_raise().map(RBETensor::from)
    }

    fn gather(&self, dim: isize, index: &RBETensor) -> PyResult<RBETensor> {
        self.inner.gather(dim, &index.inner).or_raise().map(RBETensor::from)
    }

    #[pyo3(signature = (index, padding_idx = None))]
    fn embedding(&self, py: Python<'_>, index: &RBETensor, padding_idx: Option<usize>) -> PyResult<RBETensor> {
        unary(py, self, |t| t.embedding(&index.inner, padding_idx))
    }

    #[pyo3(signature = (weight, bias = None))]
    fn linear(&self, py: Python<'_>, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<RBETensor> {
        let bias = bias.map(|b| &b.inner);
        enter(py, weight.inner.numel(), || self.inner.linear(&weight.inner, bias)).map(RBETensor::from)
    }

    #[pyo3(signature = (weight, bias = None))]
    fn packed_linear(&self, py: Python<'_>, weight: &RBETensor, bias: Option<&RBETensor>) -> PyResult<RBETensor> {
        let bias = bias.map(|b| &b.inner);
        enter(py, weight.inner.numel() / 32, || self.inner.packed_linear(&weight.inner, bias)).map(RBETensor::from)
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
            let copy = slf.inner.before_change(op).or_raise()?;
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
