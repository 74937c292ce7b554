//! Settings of the process: threads, instruction set, pool.

use std::collections::HashMap;

use pyo3::prelude::*;
use rbe_core::GradientPool;
use rbe_core::op::MatmulPrecision;
use rbe_core::{RbeError, parallel};

use crate::error::OrRaise;

/// Reads `RBE_NUM_THREADS`, `RBE_ISA` and `RBE_PACKED_MATMUL_PRECISION`.
pub fn start() -> PyResult<()> {
    MatmulPrecision::init().or_raise()?;
    rbe_core::isa::init().or_raise()?;
    parallel::init().or_raise()
}

/// Makes kernels use `n` threads.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.set_num_threads(2)
#[pyfunction]
pub fn set_num_threads(n: isize) -> PyResult<()> {
    let n = usize::try_from(n)
        .map_err(|_| crate::error::raise(RbeError::config("set_num_threads", format!("1 to {}", parallel::MAX_THREADS), n)))?;
    parallel::set_num_threads(n).or_raise()
}

/// Number of threads that kernels use.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.get_num_threads() >= 1
/// True
#[pyfunction]
pub fn get_num_threads() -> usize {
    parallel::num_threads()
}

/// The instruction set in use: "scalar", "avx2", "avx512" or "amx", on ARM "scalar" or "neon".
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.isa() in ("scalar", "avx2", "avx512", "amx", "neon")
/// True
#[pyfunction]
pub fn isa() -> &'static str {
    rbe_core::isa::current().name()
}

/// Makes kernels use an instruction set; without a name the best of the machine.
#[pyfunction]
#[pyo3(signature = (name = None))]
pub fn set_isa(name: Option<&str>) -> PyResult<()> {
    rbe_core::isa::set_isa(name).or_raise()
}

/// In what products of float32 inputs with packed weights are computed, unless a layer has a `precision` of its own: "int8", the
/// default, or "float32".
///
/// Examples
/// --------
/// >>> import rbe
/// >>> with rbe.config.using(packed_matmul_precision="float32"):
/// ...     rbe.get_packed_matmul_precision()
/// 'float32'
#[pyfunction]
pub fn get_packed_matmul_precision() -> &'static str {
    MatmulPrecision::of_process().name()
}

/// Sets in what products of float32 inputs with packed weights are computed: "int8", the default, or "float32".
///
/// With "int8" each sample of the input is rounded to int8 with a scale of its own, and backward is the gradient of that, with the
/// upstream gradient rounded stochastically. float64 inputs stay float64. A block with the setting:
/// `rbe.config.using(packed_matmul_precision="float32")`; a layer: `layer.precision = "float32"`; the environment variable:
/// RBE_PACKED_MATMUL_PRECISION.
///
/// Raises
/// ------
/// ConfigError
///     For another name.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> before = rbe.get_packed_matmul_precision()
/// >>> rbe.set_packed_matmul_precision("float32")
/// >>> rbe.set_packed_matmul_precision(before)
#[pyfunction]
pub fn set_packed_matmul_precision(precision: &str) -> PyResult<()> {
    MatmulPrecision::named("set_packed_matmul_precision", precision).or_raise()?.set();
    Ok(())
}

/// Sets the precision of this thread, which takes precedence over that of the process unless it is None, and returns the one before.
#[pyfunction]
#[pyo3(signature = (precision))]
pub fn replace_precision_of_thread(precision: Option<&str>) -> PyResult<Option<&'static str>> {
    let precision = precision.map(|name| MatmulPrecision::named("precision", name)).transpose().or_raise()?;
    Ok(MatmulPrecision::replace_of_thread(precision).map(MatmulPrecision::name))
}

/// Counters of the buffer pool.
#[pyfunction]
pub fn pool_stats() -> HashMap<&'static str, u64> {
    let s = GradientPool::global().stats();
    HashMap::from([
        ("hits", s.hits),
        ("misses", s.misses),
        ("in_use_bytes", s.in_use_bytes),
        ("peak_bytes", s.peak_bytes),
        ("cached_bytes", s.cached_bytes),
    ])
}

/// Sets the pool's hits and misses to zero and its peak to the bytes in use.
#[pyfunction]
pub fn pool_reset() {
    GradientPool::global().reset_stats();
}

/// Returns the pool's free buffers to the system.
#[pyfunction]
pub fn pool_clear() {
    GradientPool::global().clear();
}

/// Raises the error of the variant `name`, for the test that every variant has a Python class.
#[pyfunction(name = "_raise_error")]
pub fn raise_error(name: &str) -> PyResult<()> {
    let make: fn(&'static str, &'static str, &'static str) -> RbeError = match name {
        "Shape" => |a, b, c| RbeError::shape(a, b, c),
        "DType" => |a, b, c| RbeError::dtype(a, b, c),
        "NonFinite" => |a, b, c| RbeError::non_finite(a, b, c),
        "Value" => |a, b, c| RbeError::value(a, b, c),
        "Index" => |a, b, c| RbeError::index(a, b, c),
        "Graph" => |a, b, c| RbeError::graph(a, b, c),
        "Device" => |a, b, c| RbeError::device(a, b, c),
        "Format" => |a, b, c| RbeError::format(a, b, c),
        "Memory" => |a, b, c| RbeError::memory(a, b, c),
        "Config" => |a, b, c| RbeError::config(a, b, c),
        _ => return Ok(()),
    };
    Err(make("operation", "this", "that")).or_raise()
}
