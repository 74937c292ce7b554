//! Settings of the process (threads, instruction set, pool), and the entry of calls from Python.

use std::collections::HashMap;

use pyo3::prelude::*;
use rbe_core::GradientPool;
use rbe_core::op::MatmulPrecision;
use rbe_core::{RbeError, memory, parallel};

use crate::error::{OrRaise, carry};
use crate::fork::detach_for;

/// Smallest number of elements for which a call releases the GIL; smaller calls take less time than the release.
const LONG: usize = 1 << 12;

/// Operation in errors of memory that the core does not name.
pub const UNNAMED: &str = "allocate";

/// Runs `work` on tensors of `elements` elements, without the GIL if that pays, and converts its error.
pub fn enter<T: Send>(py: Python<'_>, elements: usize, work: impl FnOnce() -> rbe_core::Result<T> + Send) -> PyResult<T> {
    enter_for(py, UNNAMED, elements, work)
}

/// As [`enter`], with `op` as the name in errors of memory.
pub fn enter_for<T: Send>(py: Python<'_>, op: &str, elements: usize, work: impl FnOnce() -> rbe_core::Result<T> + Send) -> PyResult<T> {
    if elements < LONG { memory::guard(op, work) } else { detach_for(py, op, work) }.or_raise()
}

/// Number of elements of a shape, saturated; the core refuses shapes that are too large.
pub fn elements(shape: &[usize]) -> usize {
    memory::count(shape).unwrap_or(usize::MAX)
}

/// Runs `work`, which needs the GIL, for `op`; a refused allocation becomes a Python error.
pub fn within<T>(op: &str, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    memory::guard(op, || work().map_err(carry)).or_raise()
}

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

/// The instruction set in use: "scalar", "avx2", "avx512" or "amx".
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.isa() in ("scalar", "avx2", "avx512", "amx")
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

/// In what products of float32 inputs with packed weights are computed: "float32" or "int8".
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.get_packed_matmul_precision()
/// 'float32'
#[pyfunction]
pub fn get_packed_matmul_precision() -> &'static str {
    MatmulPrecision::current().name()
}

/// Sets in what products of float32 inputs with packed weights are computed, here by linear layers: "float32" or "int8".
///
/// With "int8" each sample of the input is rounded to int8 with a scale of its own, and backward is the gradient of that, with the
/// upstream gradient rounded stochastically. float64 inputs stay float64. A block with the setting:
/// `rbe.config.using(packed_matmul_precision="int8")`; the environment variable: RBE_PACKED_MATMUL_PRECISION.
///
/// Raises
/// ------
/// ConfigError
///     For another name.
///
/// Examples
/// --------
/// >>> import rbe
/// >>> rbe.set_packed_matmul_precision("int8")
/// >>> rbe.set_packed_matmul_precision("float32")
#[pyfunction]
pub fn set_packed_matmul_precision(precision: &str) -> PyResult<()> {
    MatmulPrecision::named("set_packed_matmul_precision", precision).or_raise()?.set();
    Ok(())
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
