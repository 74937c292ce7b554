//! Kernels for AMX, the tile registers beside AVX-512: products of 16 x 64 by 64 x 16 bytes, or of half as many bfloat16
//! numbers, in one instruction.

mod dx;
mod gemm;
mod products;
mod rounded;
mod set_sums;
mod tiles;

pub(in crate::kernel) use super::avx512::{accumulate_row, charge_row, flips, points};
pub(in crate::kernel) use dx::dx;
pub(in crate::kernel) use gemm::{COLUMNS as GEMM_COLUMNS, PANEL as GEMM_PANEL, gemm};
pub(in crate::kernel) use products::{forward, level_gradient};
pub(in crate::kernel) use rounded::{add_excess, measure, quad, scaled, sums};
