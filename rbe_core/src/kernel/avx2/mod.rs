//! Kernels for AVX2 with FMA.

mod step;

pub(super) use step::{charge_row, points};
