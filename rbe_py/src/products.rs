//! Products with weights, dense or packed, as methods of the tensor class.

use pyo3::prelude::*;

use crate::class::NewTensor;
use crate::gil::enter;
use crate::methods::unary;
use crate::tensor::RBETensor;

#[pymethods]
impl RBETensor {
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
        enter(py, || self.inner.linear(&weight.inner, bias)).map(NewTensor::from)
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
        enter(py, || self.inner.packed_linear(&weight.inner, bias)).map(NewTensor::from)
    }

    /// Return `x Wᵀ` of x (…, in) and a packed weight (out, in): (…, out), float32. x may be packed, too; both receive gradients.
    fn packed_matmul(&self, py: Python<'_>, w: &RBETensor) -> PyResult<NewTensor> {
        enter(py, || self.inner.packed_matmul(&w.inner)).map(NewTensor::from)
    }

    /// Return `d · g(ω x + θ)` of x (…, features), the function of every feature read from a packed tensor of cycle states.
    fn packed_activation(&self, py: Python<'_>, w: &RBETensor) -> PyResult<NewTensor> {
        unary(py, self, |t| t.packed_activation(&w.inner))
    }
}
