//! Operations on windows of the spatial axes: convolution and pooling.

use pyo3::prelude::*;
use rbe_core::op::Windows;

use crate::class::NewTensor;
use crate::error::OrRaise;
use crate::gil::enter;
use crate::methods::unary;
use crate::tensor::RBETensor;

type Sizes = Vec<usize>;
type Padding = Vec<(usize, usize)>;

/// The windows of x (N, C, …) as rows (N, windows, C · kernel).
#[pyfunction]
pub fn unfold(py: Python<'_>, x: &RBETensor, kernel: Sizes, stride: Sizes, padding: Padding, dilation: Sizes) -> PyResult<NewTensor> {
    let windows = Windows::new("unfold", &kernel, &stride, &padding, &dilation).or_raise()?;
    enter(py, || x.inner.unfold(&windows)).map(NewTensor::from)
}

/// Correlation of x (N, C, …) with filters (out, C / groups, …), dense or packed.
#[pyfunction]
#[pyo3(signature = (x, weight, bias, stride, padding, dilation, groups))]
#[allow(clippy::too_many_arguments)] // torch's signature
pub fn conv(
    py: Python<'_>,
    x: &RBETensor,
    weight: &RBETensor,
    bias: Option<&RBETensor>,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: usize,
) -> PyResult<NewTensor> {
    let kernel = weight.inner.shape().get(2..).unwrap_or(&[]);
    let windows = Windows::new("conv", kernel, &stride, &padding, &dilation).or_raise()?;
    let bias = bias.map(|t| &t.inner);
    enter(py, || x.inner.conv(&weight.inner, bias, &windows, groups)).map(NewTensor::from)
}

/// Transposed convolution of x (N, C, …) with filters (C, out / groups, …), dense or packed.
#[pyfunction]
#[pyo3(signature = (x, weight, bias, stride, padding, output_padding, dilation, groups))]
#[allow(clippy::too_many_arguments)] // torch's signature
pub fn conv_transpose(
    py: Python<'_>,
    x: &RBETensor,
    weight: &RBETensor,
    bias: Option<&RBETensor>,
    stride: Sizes,
    padding: Padding,
    output_padding: Sizes,
    dilation: Sizes,
    groups: usize,
) -> PyResult<NewTensor> {
    let kernel = weight.inner.shape().get(2..).unwrap_or(&[]);
    let windows = Windows::new("conv_transpose", kernel, &stride, &padding, &dilation).or_raise()?;
    let bias = bias.map(|t| &t.inner);
    enter(py, || x.inner.conv_transpose(&weight.inner, bias, &windows, &output_padding, groups)).map(NewTensor::from)
}

/// Largest element of every window.
#[pyfunction]
pub fn max_pool(
    py: Python<'_>,
    x: &RBETensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    ceil_mode: bool,
) -> PyResult<NewTensor> {
    let windows = Windows::new("max_pool", &kernel, &stride, &padding, &dilation).or_raise()?;
    unary(py, x, |x| x.max_pool(&windows, ceil_mode))
}

/// As `max_pool`, with the positions of the elements in their plane.
#[pyfunction]
pub fn max_pool_with_indices(
    py: Python<'_>,
    x: &RBETensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    ceil_mode: bool,
) -> PyResult<(NewTensor, NewTensor)> {
    let windows = Windows::new("max_pool", &kernel, &stride, &padding, &dilation).or_raise()?;
    let [values, places] = enter(py, || x.inner.max_pool_with_indices(&windows, ceil_mode))?;
    Ok((values.into(), places.into()))
}

/// Mean of every window.
#[pyfunction]
#[pyo3(signature = (x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override = None))]
#[allow(clippy::too_many_arguments)] // torch's signature
pub fn avg_pool(
    py: Python<'_>,
    x: &RBETensor,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: Option<i64>,
) -> PyResult<NewTensor> {
    let dilation = vec![1; kernel.len()];
    let windows = Windows::new("avg_pool", &kernel, &stride, &padding, &dilation).or_raise()?;
    unary(py, x, |x| x.avg_pool(&windows, ceil_mode, count_include_pad, divisor_override))
}

/// Means of even parts of the spatial axes.
#[pyfunction]
pub fn adaptive_avg_pool(py: Python<'_>, x: &RBETensor, parts: Vec<Option<usize>>) -> PyResult<NewTensor> {
    enter(py, || x.inner.adaptive_avg_pool(&parts)).map(NewTensor::from)
}
