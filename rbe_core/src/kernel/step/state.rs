//! What the optimiser keeps for a packed tensor.

use super::FULL_CHARGE;
use super::noise::{byte, stream};
use crate::array::Array;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::packed::{BITS, PackedTensor};

/// Optimiser state of one packed tensor: 1 byte a weight and 12 bytes a block, plus rows + columns numbers.
#[derive(Clone)]
pub struct State {
    /// Charge of every bit, int8 in `[0, 127]` stored as bytes: (rows, blocks * 64).
    pub charges: Array,
    /// Running mean of G² over each row (rows), f32, not bias-corrected.
    pub row_moment: Array,
    /// Running mean of G² over each column (cols), f32, not bias-corrected.
    pub col_moment: Array,
    /// First moment of the points' gradient, a tangent vector at each point: (rows, blocks, 2) f32.
    pub m: Array,
    /// Second moment of the points' gradient in the metric: (rows, blocks) f32.
    pub v: Array,
    /// Steps taken.
    pub step: u64,
}

impl State {
    /// Fresh state for `w`: charges uniform in `[0, 127]`, moments zero.
    pub fn new(w: &PackedTensor, seed: u64) -> State {
        let (rows, blocks) = (w.rows(), w.blocks());
        let stream = stream(seed, u64::MAX);
        let charges = Array::build(&[rows, blocks * BITS], |out: &mut [u8]| {
            for (i, c) in out.iter_mut().enumerate() {
                *c = byte(i / BITS, i % BITS, stream) / 2;
            }
        });
        State {
            charges,
            row_moment: Array::zeros(DType::F32, &[rows]),
            col_moment: Array::zeros(DType::F32, &[w.cols()]),
            m: Array::zeros(DType::F32, &[rows, blocks, 2]),
            v: Array::zeros(DType::F32, &[rows, blocks]),
            step: 0,
        }
    }

    /// The arrays by name; none of them depends on instruction set or thread count.
    pub fn arrays(&self) -> Vec<(&'static str, &Array)> {
        vec![
            ("charges", &self.charges),
            ("row_moment", &self.row_moment),
            ("col_moment", &self.col_moment),
            ("exp_avg", &self.m),
            ("exp_avg_sq", &self.v),
        ]
    }

    /// Replaces the arrays, given in the order of [`State::arrays`] and with their shapes and dtypes.
    ///
    /// # Errors
    /// `Value` for a charge above 127; `NonFinite` for a moment that is not finite. Nothing changes then.
    pub fn replace(&mut self, arrays: Vec<Array>, step: u64) -> Result<()> {
        const OP: &str = "load_state_dict";
        let [charges, row_moment, col_moment, m, v]: [Array; 5] =
            arrays.try_into().map_err(|a: Vec<Array>| RbeError::value(OP, "five arrays", a.len()))?;
        if let Some(bad) = charges.read::<u8>().iter().find(|c| f32::from(**c) > FULL_CHARGE) {
            return Err(RbeError::value(OP, "charges from 0 to 127", bad));
        }
        for a in [&row_moment, &col_moment, &m, &v] {
            if let Some(bad) = a.read::<f32>().iter().find(|v| !v.is_finite()) {
                return Err(RbeError::non_finite(OP, "finite moments", bad));
            }
        }
        *self = State { charges, row_moment, col_moment, m, v, step };
        Ok(())
    }

    /// Bytes held.
    pub fn nbytes(&self) -> usize {
        [&self.charges, &self.row_moment, &self.col_moment, &self.m, &self.v].iter().map(|a| a.nbytes()).sum()
    }
}
