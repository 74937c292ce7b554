//! Kernels for AVX2 with FMA.

mod step;

pub(super) use step::{accumulate_row, charge_row, points};
