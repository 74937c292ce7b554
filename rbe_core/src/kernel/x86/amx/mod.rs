//! Kernels for AMX, the tile registers beside AVX-512: products of 16 x 64 by 64 x 16 bytes, or of half as many bfloat16
//! numbers, in one instruction.

mod dx;
mod gemm;
mod int8;
mod products;
mod quantised;
mod quantised_dx;
mod quantised_forward;
mod set_sums;
mod tiles;

pub(in crate::kernel) use super::avx512::{
    accumulate_row, adam_step, charge_row, dot_of_windows, dx_of_windows, flips, forward_of_windows, lanes_of_windows, lanes_quantised,
    order_quantised, prepare_dx,
};
pub(in crate::kernel) use dx::dx;
pub(in crate::kernel) use gemm::{COLUMNS as GEMM_COLUMNS, PANEL as GEMM_PANEL, gemm};
pub(in crate::kernel) use int8::{add_excess, dot_u8_i8, measure, round_four, scaled};
pub(in crate::kernel) use products::{forward, level_gradient};
pub(in crate::kernel) use quantised::{dots_at_once, dx_quantised, forward_quantised};
