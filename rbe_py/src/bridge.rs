//! Products with packed weights on memory that torch owns: `rbe.torch` passes addresses of contiguous elements whose number it has checked.

#![allow(unsafe_code)]

use std::ptr::NonNull;

use pyo3::prelude::*;
use rbe_core::array::Array;
use rbe_core::gradient::{Factor, Gradient};
use rbe_core::kernel::packed as kernel;
use rbe_core::kernel::packed::quantised;
use rbe_core::packed::{PackedTensor, Quantised};
use rbe_core::{Buffer, DType, GradientCache, RbeError, parallel};

use crate::autograd::PackedGradient;
use crate::class::{GRADIENTS, NewTensor, of_class};
use crate::error::{OrRaise, raise};
use crate::gil::enter_as;
use crate::memory::shared;
use crate::tensor::RBETensor;

const OP: &str = "packed_linear";

/// An address as pointer; none for 0.
fn pointer(address: usize) -> Option<NonNull<u8>> {
    NonNull::new(address as *mut u8)
}

/// The elements at `address`.
///
/// # Safety
/// There are so many elements of type `T` there, aligned and initialised, which nothing writes while they are borrowed.
unsafe fn read<'a, T>(address: usize, len: usize) -> &'a [T] {
    // SAFETY: as the caller says; an empty slice needs no memory.
    unsafe { std::slice::from_raw_parts(pointer(address).map_or(NonNull::dangling(), NonNull::cast).as_ptr(), len) }
}

/// The elements at `address`, to write.
///
/// # Safety
/// As [`read`], and nothing else refers to them.
unsafe fn write<'a, T>(address: usize, len: usize) -> &'a mut [T] {
    // SAFETY: as the caller says; an empty slice needs no memory.
    unsafe { std::slice::from_raw_parts_mut(pointer(address).map_or(NonNull::dangling(), NonNull::cast).as_ptr(), len) }
}

/// As [`read`]; none for address 0.
///
/// # Safety
/// As [`read`].
unsafe fn optional<'a, T>(address: usize, len: usize) -> Option<&'a [T]> {
    // SAFETY: as the caller says.
    (address != 0).then(|| unsafe { read(address, len) })
}

/// Runs a product of so many samples, without the GIL if it takes long.
fn run<T: Send>(py: Python<'_>, batch: usize, w: &PackedTensor, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let cost = batch * (w.cols() + w.rows()) + batch * w.cols() * w.rows() / 16;
    enter_as(py, OP, || Ok(parallel::long_work(cost as u64, work)))
}

/// Packed tensor of a shape over the blocks at `address`, which `owner` keeps allocated.
#[pyfunction(name = "_packed_over")]
pub fn packed_over(py: Python<'_>, owner: Py<PyAny>, address: usize, bytes: usize, shape: Vec<usize>, scale: f32) -> PyResult<NewTensor> {
    let Some(ptr) = pointer(address) else { return Err(raise(RbeError::value("packed", "memory", "a null pointer"))) };
    // SAFETY: `rbe.torch` passes address and size of a tensor that `owner` keeps.
    let buffer = unsafe { Buffer::foreign(ptr, bytes, Box::new(owner)) };
    let packed = enter_as(py, "packed", || PackedTensor::over(&shape, scale, buffer))?;
    Ok(rbe_core::RBETensor::from_packed(packed, true).into())
}

/// `y (batch, out) = x (batch, in) Wᵀ + bias (out)` at the addresses of x, bias (0 for none) and y, all float32. With `rounded` x is rounded to
/// int8; `kept` has the addresses of values (batch, in) and scales (batch) that receive that.
#[pyfunction(name = "_bridge_product")]
#[pyo3(signature = (weight, rounded, batch, operands, kept))]
pub fn product(
    py: Python<'_>,
    weight: &RBETensor,
    rounded: bool,
    batch: usize,
    operands: (usize, usize, usize),
    kept: Option<(usize, usize)>,
) -> PyResult<()> {
    let w = weight.inner.packed(OP).or_raise()?;
    let (elements, (x, bias, y)) = (batch * w.cols(), operands);
    // SAFETY: `rbe.torch` passes addresses of contiguous tensors of these sizes; results are new.
    let (x, bias, y) = unsafe { (read::<f32>(x, elements), optional::<f32>(bias, w.rows()), write::<f32>(y, batch * w.rows())) };
    run(py, batch, w, || match kept {
        _ if !rounded => kernel::forward(x, batch, w, bias, y),
        None => quantised::round_and_forward(x, batch, w, bias, y),
        Some((values, scales)) => {
            // SAFETY: as above.
            let (values, scales) = unsafe { (write::<i8>(values, elements), write::<f32>(scales, batch)) };
            quantised::quantise(x, values, scales);
            quantised::forward(Quantised { values, scales }, w, bias, y);
        }
    })
}

/// `dx (batch, in) = dy (batch, out) W` and the gradient `db (out)` of a bias, each where it has an address. `rounded` is that of the forward
/// pass.
#[pyfunction(name = "_bridge_dx")]
pub fn product_dx(py: Python<'_>, weight: &RBETensor, rounded: bool, batch: usize, dy: usize, dx: usize, db: usize) -> PyResult<()> {
    let w = weight.inner.packed(OP).or_raise()?;
    // SAFETY: `rbe.torch` passes addresses of contiguous tensors of these sizes; results are new.
    let dy = unsafe { read::<f32>(dy, batch * w.rows()) };
    run(py, batch, w, || {
        if dx != 0 {
            // SAFETY: as above.
            let dx = unsafe { write::<f32>(dx, batch * w.cols()) };
            if rounded {
                quantised::dx(dy, batch, w, dx);
            } else {
                kernel::dx(dy, batch, w, dx);
            }
        }
        if db != 0 {
            // SAFETY: as above.
            kernel::bias_gradient(dy, unsafe { write::<f32>(db, w.rows()) });
        }
    })
}

/// A tensor of torch's that is kept, and the address of its elements.
type Kept = (Py<PyAny>, usize);

fn array((owner, address): Kept, dtype: DType, shape: &[usize]) -> PyResult<Array> {
    let strides = [shape.get(1).map_or(1, |n| *n as isize), 1];
    shared(owner, address, dtype, shape, &strides[2 - shape.len()..])
}

/// The gradient of a weight by one product: of `dy (batch, out)` and x (batch, in), as float32 numbers, or where there are `scales (batch)` as
/// int8 numbers.
#[pyfunction(name = "_bridge_gradient")]
#[pyo3(signature = (weight, batch, x, dy, scales))]
pub fn product_gradient<'py>(
    py: Python<'py>,
    weight: &RBETensor,
    batch: usize,
    x: Kept,
    dy: Kept,
    scales: Option<Kept>,
) -> PyResult<Bound<'py, PackedGradient>> {
    let w = weight.inner.packed(OP).or_raise()?;
    let dy = array(dy, DType::F32, &[batch, w.rows()])?;
    let cache = match scales {
        Some(scales) => {
            let factor =
                Factor::Rounded { values: array(x, DType::U8, &[batch, w.cols()])?, scales: array(scales, DType::F32, &[batch])?, dy };
            run(py, batch, w, || GradientCache::of_rounded(w, factor))?
        }
        None => GradientCache::new(w, Factor::Product { x: array(x, DType::F32, &[batch, w.cols()])?, dy }),
    };
    of_class(py, PackedGradient { cache }, &GRADIENTS)
}

/// The gradient of a packed weight by that of the dense one, `g (out, in)`, float32.
#[pyfunction(name = "_bridge_cotangent")]
pub fn cotangent<'py>(py: Python<'py>, weight: &RBETensor, g: &RBETensor) -> PyResult<Bound<'py, PackedGradient>> {
    let w = weight.inner.packed(OP).or_raise()?;
    let g = g.inner.array(OP).or_raise()?;
    if g.dtype() != DType::F32 || g.numel() != w.rows() * w.cols() {
        return Err(raise(RbeError::shape(OP, format!("float32 of shape {:?}", w.shape()), format!("{} {:?}", g.dtype(), g.shape()))));
    }
    let cache = enter_as(py, OP, || Ok(GradientCache::of_cotangent(w, g)))?;
    of_class(py, PackedGradient { cache }, &GRADIENTS)
}

/// Adds a gradient to that of a packed tensor.
#[pyfunction(name = "_accumulate")]
pub fn accumulate(py: Python<'_>, weight: &RBETensor, gradient: &PackedGradient) -> PyResult<()> {
    enter_as(py, "backward", || {
        let sum = match weight.inner.grad() {
            Some(Gradient::Packed(mut sum)) => {
                weight.inner.set_grad(None)?; // so that it can grow where it is
                sum.append(gradient.cache.clone())?;
                sum
            }
            _ => gradient.cache.clone(),
        };
        weight.inner.set_grad(Some(Gradient::Packed(sum)))
    })
}
