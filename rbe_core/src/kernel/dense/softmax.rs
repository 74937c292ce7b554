//! Softmax of rows, its logarithm, and their gradients.

use super::elementary::{Elementary, largest};
use super::elementwise::each;
use super::lane_sum::lane_sum;
use crate::isa::multiversion;

multiversion! {
    /// `Σ e^(x - shift)`.
    pub fn sum_exp[T: Elementary](row: &[T], shift: T) -> f64 {
        lane_sum!(x in row => (x - shift).fast_exp())
    }
}

multiversion! {
    /// `out = factor · e^(x - shift)`.
    pub fn scaled_exp[T: Elementary](row: &[T], shift: T, factor: T, out: &mut [T]) {
        each!(x in row => out, factor * (x - shift).fast_exp());
    }
}

multiversion! {
    /// `e^x / Σ e^x`.
    pub fn softmax[T: Elementary](row: &[T], out: &mut [T]) {
        scaled_exp(row, largest(row), T::one(), out);
        let factor = T::of(1.0 / lane_sum!(y in out => y));
        for o in out {
            *o = *o * factor;
        }
    }
}

multiversion! {
    /// `x - ln Σ e^x`.
    pub fn log_softmax[T: Elementary](row: &[T], out: &mut [T]) {
        let top = largest(row);
        let log = T::of(sum_exp(row, top).ln());
        each!(x in row => out, (x - top) - log);
    }
}

multiversion! {
    /// Gradient of [`softmax`] from its result `y`.
    pub fn softmax_backward[T: Elementary](y: &[T], dy: &[T], out: &mut [T]) {
        let mean = T::of(lane_sum!(y in y, d in dy => y * d));
        each!(y in y, d in dy => out, y * (d - mean));
    }
}

multiversion! {
    /// Gradient of [`log_softmax`] from its result `y`.
    pub fn log_softmax_backward[T: Elementary](y: &[T], dy: &[T], out: &mut [T]) {
        let total = T::of(lane_sum!(d in dy => d));
        each!(y in y, d in dy => out, d - y.fast_exp() * total);
    }
}
