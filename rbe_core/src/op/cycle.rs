//! Products with weights of which a block generates 64 from the 11-bit cycle state in its bits.

use crate::array::Array;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::packed::{BITS, CYCLE_BITS, Cycle, Family};
use crate::tape::RBETensor;

const OP: &str = "cycle_linear";

/// Positions of the weights of a block, from -1 to 1, for `units` blocks: (64, units).
fn positions(units: usize, dtype: DType) -> Result<RBETensor> {
    let at: [f64; BITS] = std::array::from_fn(|k| (2.0 * k as f64 - 63.0) / 63.0);
    memory::guard(OP, || Ok(RBETensor::from_array(Array::from_slice(&at, &[BITS, 1])?.broadcast_to(&[BITS, units])?.cast(dtype))))
}

/// Fails unless all states are of functions that are bounded on the positions' scale: circular, tanh and log.
fn check_states(hi: &[u64]) -> Result<()> {
    let grows = |hi: &&u64| Cycle::from_bits(**hi).is_some_and(|c| matches!(c.family, Family::Hyperbolic | Family::Exp));
    match hi.iter().find(grows) {
        Some(hi) => Err(RbeError::value(OP, "states of the families circular, tanh and log", format!("{hi:#x}"))),
        None => Ok(()),
    }
}

/// Columns and rows of the weight of `units` blocks for an input.
fn sizes(x: &RBETensor, units: usize) -> Result<[usize; 2]> {
    let cols = x.shape().last().copied().filter(|cols| *cols > 0);
    let Some(cols) = cols.filter(|cols| units > 0 && units.is_multiple_of(cols.div_ceil(BITS))) else {
        return Err(RbeError::shape(
            OP,
            format!("x (…, in) of whose blocks of 64 inputs {units} is a multiple"),
            format!("{:?}", x.shape()),
        ));
    };
    Ok([units / cols.div_ceil(BITS), cols])
}

/// `x Wᵀ + b` with the values (64, units) of all blocks times `scale` for W.
fn product(x: &RBETensor, values: &RBETensor, [rows, cols]: [usize; 2], scale: f64, bias: Option<&RBETensor>) -> Result<RBETensor> {
    let rows_of_blocks = values.transpose(0, 1)?.reshape(&[rows as isize, -1])?;
    let scale = RBETensor::from_array(Array::full(values.dtype(), &[], scale));
    x.linear(&rows_of_blocks.narrow(1, 0, cols)?.mul(&scale)?, bias)
}

impl RBETensor {
    /// `x Wᵀ + b` of x (…, in) with weights that cycle states generate: weight k of a block is `scale · d · g(ω u + θ)` at the position
    /// `u = (2k - 63) / 63`, with the function of [`RBETensor::packed_activation`] and the scale of the packed tensor. Its rows are the
    /// blocks of W, row by row: (out · ceil(in / 64), 11). W is generated in x's floating type for each call. Its functions are circular, tanh and log; an
    /// optimiser makes no flip into one that grows, because a weight of e^12 times the usual size ends training.
    ///
    /// # Errors
    /// `Shape` if lengths do not fit; `Value` for a state that is invalid or of another family, or a point outside `1e-3 <= |z| <= 1 - 1e-3`; `DType` for a dense weight
    /// or a packed x.
    pub fn cycle_linear(&self, weight: &RBETensor, bias: Option<&RBETensor>) -> Result<RBETensor> {
        let w = weight.packed(OP)?;
        let x = self.array(OP)?;
        if w.cols() != CYCLE_BITS {
            return Err(RbeError::shape(OP, format!("a packed weight (blocks, {CYCLE_BITS})"), format!("{:?}", w.shape())));
        }
        memory::guard(OP, || check_states(&w.hi()))?;
        let (sizes, dtype) = (sizes(self, w.rows())?, if x.dtype() == DType::F64 { DType::F64 } else { DType::F32 });
        product(self, &positions(w.rows(), dtype)?.packed_activation_of_weights(weight)?, sizes, f64::from(w.scale()), bias)
    }

    /// As [`RBETensor::cycle_linear`] with the states `hi` and the points z (blocks, 2), which are an ordinary input.
    ///
    /// # Errors
    /// As [`RBETensor::cycle_linear`]; `Value` for a scale that is not finite and positive.
    pub fn cycle_linear_of(&self, hi: &[u64], z: &RBETensor, scale: f64, bias: Option<&RBETensor>) -> Result<RBETensor> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(RbeError::value(OP, "a finite scale > 0", scale));
        }
        check_states(hi)?;
        let sizes = sizes(self, hi.len())?;
        let dtype = if z.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        product(self, &positions(hi.len(), dtype)?.rbe_activation(hi, z)?, sizes, scale, bias)
    }
}
