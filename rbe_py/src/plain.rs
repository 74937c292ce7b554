//! The functions of `rbe.ops` on NumPy arrays that need no conversion, without tensors and with nothing recorded.
//!
//! A function returns None for other operands, and for shapes that do not fit: the package then computes with tensors, which convert, record
//! or raise an error. The bits of the results are the same.

#![allow(unsafe_code)]

use pyo3::prelude::*;
use rbe_core::array::Array;
use rbe_core::kernel::dense::elementary::Elementary;
use rbe_core::kernel::dense::finish::{Activation, finish, finish_sum, scaled_sum};
use rbe_core::kernel::dense::gemm::gemm_shared;
use rbe_core::kernel::dense::matrix::Matrix;
use rbe_core::op::{CrossEntropyOptions, Reduction};
use rbe_core::{DType, Float, RBETensor, dispatch_float, parallel};

use crate::error::OrRaise;
use crate::gil::enter_as;
use crate::memory::array_of;
use crate::numpy::{View, allocate, over, view};

type Found<'py> = PyResult<Option<Bound<'py, PyAny>>>;
type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Bytes of a result up to which NumPy allocates it, which takes less time; the pool's memory saves page faults beyond.
const SMALL: usize = 1 << 16;

/// A result of `shape` that `fill` writes, and what it costs.
fn filled<'py, T: Elementary>(
    py: Python<'py>,
    op: &str,
    shape: &[usize],
    cost: usize,
    fill: impl FnOnce(&mut [T]) + Send,
) -> PyResult<Bound<'py, PyAny>> {
    let count: usize = shape.iter().product();
    if count * size_of::<T>() <= SMALL {
        let (object, data) = allocate(py, T::DTYPE, shape)?;
        if count > 0 {
            // SAFETY: the array is new, of this shape and type, and nobody else has it; zeroed, its elements are numbers.
            let out = unsafe {
                data.write_bytes(0, count * size_of::<T>());
                std::slice::from_raw_parts_mut(data.cast::<T>(), count)
            };
            let work = || {
                fill(out);
                Ok(())
            };
            enter_as(py, op, || parallel::long_work(cost as u64 / 16, work))?;
        }
        return Ok(object);
    }
    let array = enter_as(py, op, || parallel::long_work(cost as u64 / 16, || Ok(Array::build(shape, fill))))?;
    over(py, array)
}

/// Whether both are of one type, and that is one of floats.
fn floats(a: &View<'_>, b: &View<'_>) -> bool {
    a.dtype == b.dtype && a.dtype.is_wide_float()
}

/// `activation(a b + bias)`, into `out` if it is given; None also for an unknown activation.
#[pyfunction(name = "_plain_gemm")]
#[pyo3(signature = (a, b, bias = None, activation = None, transposed = (false, false), out = None))]
pub fn gemm<'py>(
    a: Any<'_, 'py>,
    b: Any<'_, 'py>,
    bias: Option<Any<'_, 'py>>,
    activation: Option<&str>,
    transposed: (bool, bool),
    out: Option<Any<'_, 'py>>,
) -> Found<'py> {
    let (Some(x), Some(w)) = (view(a)?, view(b)?) else { return Ok(None) };
    let row = match bias {
        Some(bias) => match view(bias)? {
            None => return Ok(None),
            found => found,
        },
        None => None,
    };
    let output = match out {
        Some(out) => match view(out)? {
            None => return Ok(None),
            found => found,
        },
        None => None,
    };
    let function = activation.map(Activation::by_name);
    if !floats(&x, &w) || function == Some(None) || row.as_ref().is_some_and(|r| r.dtype != x.dtype) {
        return Ok(None);
    }
    let py = a.py();
    dispatch_float!("gemm", x.dtype, T => {
        // SAFETY: the types agree. Threads that write to operands meanwhile change the result, as with NumPy.
        let product = unsafe { Product::<T>::new(&x, &w, row.as_ref(), transposed, function.flatten()) };
        Ok(product.map(|product| product.run(py, out.zip(output.as_ref()))))
    })
    .or_raise()?
    .transpose()
    .map(Option::flatten)
}

/// A product with what follows it.
struct Product<'a, T> {
    size: (usize, usize, usize),
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    bias: Option<&'a [T]>,
    activation: Option<Activation>,
}

impl<'a, T: Elementary> Product<'a, T> {
    /// A product of operands that fit.
    ///
    /// # Safety
    /// As [`View::elements`].
    unsafe fn new(
        x: &'a View<'_>,
        w: &'a View<'_>,
        row: Option<&'a View<'_>>,
        transposed: (bool, bool),
        activation: Option<Activation>,
    ) -> Option<Product<'a, T>> {
        // SAFETY: as the caller says.
        let ((m, k, a), (inner, n, b)) = unsafe { (x.matrix::<T>(transposed.0)?, w.matrix::<T>(transposed.1)?) };
        let bias = match row {
            // SAFETY: as above.
            Some(row) if row.shape[..] == [n] && row.strides[0] == 1 => Some(unsafe { row.elements::<T>() }?),
            Some(_) => return None,
            None => None,
        };
        (k == inner).then_some(Product { size: (m, n, k), a, b, bias, activation })
    }

    fn write(&self, c: &mut [T]) {
        let (m, n, k) = self.size;
        gemm_shared(m, n, k, self.a, self.b, c);
        finish(c, self.bias, self.activation);
    }

    fn run<'py>(&self, py: Python<'py>, out: Option<(Any<'_, 'py>, &View<'_>)>) -> Found<'py> {
        let (m, n, k) = self.size;
        let cost = m * n * k + 16 * (m * n + m * k + k * n);
        let Some((object, given)) = out else { return filled(py, "gemm", &[m, n], cost, |c| self.write(c)).map(Some) };
        let apart = |x: &[T]| {
            let (start, end) = (given.data as usize, given.data as usize + m * n * size_of::<T>());
            let other = x.as_ptr_range();
            end <= other.start as usize || other.end as usize <= start
        };
        let separate = apart(self.a.data) && apart(self.b.data) && self.bias.is_none_or(apart);
        if given.dtype != T::DTYPE || given.shape[..] != [m, n] || !given.is_contiguous() || !separate {
            return Ok(None);
        }
        if m * n > 0 {
            // SAFETY: the array is writable, of this shape and type, row-major, and overlaps no operand.
            let c = unsafe { std::slice::from_raw_parts_mut(given.data.cast::<T>(), m * n) };
            let work = || {
                self.write(c);
                Ok(())
            };
            enter_as(py, "gemm", || parallel::long_work(cost as u64 / 16, work))?;
        }
        Ok(Some(object.clone()))
    }
}

/// All states of a recurrent layer from products of its inputs (steps, batch, hidden), the weight transposed (hidden, hidden).
#[pyfunction(name = "_plain_states")]
pub fn states<'py>(driven: Any<'_, 'py>, weight: Any<'_, 'py>, activation: &str) -> Found<'py> {
    let (Some(x), Some(w)) = (view(driven)?, view(weight)?) else { return Ok(None) };
    let (&[steps, n, width], Some(function)) = (&x.shape[..], Activation::by_name(activation)) else { return Ok(None) };
    if !floats(&x, &w) || !x.is_contiguous() || w.shape[..] != [width, width] {
        return Ok(None);
    }
    let py = driven.py();
    dispatch_float!("rnn_layer", x.dtype, T => {
        // SAFETY: as for `gemm`.
        let (Some(inputs), Some((.., r))) = (unsafe { x.elements::<T>() }, unsafe { w.matrix::<T>(false) }) else { return Ok(None) };
        let run = |out: &mut [T]| {
            let size = n * width;
            for t in 0..steps {
                let (before, rest) = out.split_at_mut(t * size);
                let (state, input) = (&mut rest[..size], &inputs[t * size..][..size]);
                match before.len().checked_sub(size) {
                    None => {
                        state.copy_from_slice(input);
                        finish(state, None, Some(function));
                    }
                    Some(last) => {
                        gemm_shared(n, width, width, Matrix::row_major(&before[last..], width), r, state);
                        finish_sum(state, input, Some(function));
                    }
                }
            }
        };
        Ok(filled(py, "rnn_layer", &x.shape, steps * n * width * (width + 16), run).map(Some))
    })
    .or_raise()?
}

/// The tensors of arrays that need no conversion and hold floats of one type.
fn tensors<const N: usize>(arrays: [Any<'_, '_>; N]) -> PyResult<Option<[RBETensor; N]>> {
    let mut dtype = None;
    for array in arrays {
        match view(array)? {
            Some(view) if view.dtype.is_wide_float() && dtype.is_none_or(|d| d == view.dtype) => dtype = Some(view.dtype),
            _ => return Ok(None),
        }
    }
    let found = arrays.iter().map(|array| Ok(RBETensor::from_array(array_of(array, false)?))).collect::<PyResult<Vec<_>>>()?;
    Ok(found.try_into().ok())
}

/// The array of what an operation returns.
fn result<'py>(py: Python<'py>, op: &'static str, run: impl FnOnce() -> rbe_core::Result<RBETensor>) -> Found<'py> {
    let found = enter_as(py, op, run)?;
    over(py, found.array(op).or_raise()?.clone()).map(Some)
}

/// `a x`, or `aᵀ x`.
#[pyfunction(name = "_plain_gemv")]
pub fn gemv<'py>(a: Any<'_, 'py>, x: Any<'_, 'py>, transposed: bool) -> Found<'py> {
    let Some([m, v]) = tensors([a, x])? else { return Ok(None) };
    let inner = if transposed { 0 } else { 1 };
    if m.shape().len() != 2 || v.shape().len() != 1 || m.shape()[inner] != v.shape()[0] {
        return Ok(None);
    }
    result(a.py(), "gemv", || if transposed { m.transpose(0, 1)?.matmul(&v) } else { m.matmul(&v) })
}

/// The sum of products of two vectors of one length.
#[pyfunction(name = "_plain_dot")]
pub fn dot<'py>(x: Any<'_, 'py>, y: Any<'_, 'py>) -> Found<'py> {
    match tensors([x, y])? {
        Some([u, v]) if u.shape().len() == 1 && u.shape() == v.shape() => result(x.py(), "dot", || u.matmul(&v)),
        _ => Ok(None),
    }
}

/// Products of stacks of matrices that fit.
#[pyfunction(name = "_plain_batched_gemm")]
pub fn batched_gemm<'py>(a: Any<'_, 'py>, b: Any<'_, 'py>) -> Found<'py> {
    let Some([x, y]) = tensors([a, b])? else { return Ok(None) };
    let (p, q) = (x.shape().len(), y.shape().len());
    if p.max(q) < 3 || p.min(q) < 2 || x.shape()[p - 1] != y.shape()[q - 2] {
        return Ok(None);
    }
    result(a.py(), "batched_gemm", || x.matmul(&y))
}

/// `alpha x + y` of operands of one shape; without `y`, `alpha x`.
#[pyfunction(name = "_plain_axpy")]
#[pyo3(signature = (alpha, x, y = None))]
pub fn axpy<'py>(alpha: f64, x: Any<'_, 'py>, y: Option<Any<'_, 'py>>) -> Found<'py> {
    let Some(u) = view(x)? else { return Ok(None) };
    let v = match y {
        Some(y) => match view(y)? {
            Some(v) if v.dtype == u.dtype && v.shape == u.shape && v.is_contiguous() => Some(v),
            _ => return Ok(None),
        },
        None => None,
    };
    if !u.dtype.is_wide_float() || !u.is_contiguous() {
        return Ok(None);
    }
    let py = x.py();
    dispatch_float!("axpy", u.dtype, T => {
        // SAFETY: as for `gemm`.
        let Some(a) = (unsafe { u.elements::<T>() }) else { return Ok(None) };
        let b = match &v {
            // SAFETY: as above.
            Some(v) => match unsafe { v.elements::<T>() } {
                None => return Ok(None),
                found => found,
            },
            None => None,
        };
        Ok(filled(py, "axpy", &u.shape, 16 * a.len(), |out: &mut [T]| scaled_sum(<T as Float>::of(alpha), a, b, out)).map(Some))
    })
    .or_raise()?
}

/// The sum of two matrices of one shape.
#[pyfunction(name = "_plain_matrix_add")]
pub fn matrix_add<'py>(a: Any<'_, 'py>, b: Any<'_, 'py>) -> Found<'py> {
    match tensors([a, b])? {
        Some([x, y]) if x.shape().len() == 2 && x.shape() == y.shape() => result(a.py(), "matrix_add", || x.add(&y)),
        _ => Ok(None),
    }
}

/// `e^x / Σ e^x` along an axis.
#[pyfunction(name = "_plain_softmax")]
pub fn softmax<'py>(x: Any<'_, 'py>, axis: isize) -> Found<'py> {
    let Some([t]) = tensors([x])? else { return Ok(None) };
    result(x.py(), "softmax", || t.softmax(axis))
}

/// Cross entropy of logits and class numbers.
#[pyfunction(name = "_plain_cross_entropy")]
pub fn cross_entropy<'py>(logits: Any<'_, 'py>, target: Any<'_, 'py>, reduction: &str) -> Found<'py> {
    let (Some([x]), Some(numbers)) = (tensors([logits])?, view(target)?) else { return Ok(None) };
    if numbers.dtype != DType::I64 {
        return Ok(None);
    }
    let classes = RBETensor::from_array(array_of(target, false)?);
    let reduction = Reduction::by_name(reduction).or_raise()?;
    let options = CrossEntropyOptions { label_smoothing: 0.0, ignore_index: -100, weight: None, reduction };
    result(logits.py(), "cross_entropy", || x.cross_entropy(&classes, options))
}
