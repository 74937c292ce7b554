//! Rows brought to mean 0 and variance 1, or to mean square 1, and the gradients of that.

use super::elementwise::each;
use super::lane_sum::{lane_sum, lane_sums};
use super::stream::Streaming;
use crate::dtype::Float;
use crate::isa::multiversion;

/// A row, its mean and the inverse of its deviation.
#[derive(Clone, Copy)]
pub struct Row<'a, T> {
    /// The elements.
    pub x: &'a [T],
    /// Their mean, or 0 where rows are not centred.
    pub mean: T,
    /// What distances from the mean are multiplied by.
    pub scale: T,
}

multiversion! {
    /// Mean of a row and `1 / √(variance + eps)`. What is left of the rounded mean in the distances from it is taken off them, so
    /// that a mean far from 0 costs no digits of the variance.
    pub fn statistics[T: Float](row: &[T], eps: f64) -> [f64; 2] {
        let count = row.len() as f64;
        let near = T::of(lane_sum!(x in row => x) / count);
        let [rest, squares] = lane_sums!(x in row => x - near, (x - near) * (x - near)).map(|sum| sum / count);
        let var = (squares - rest * rest).max(0.0);
        [near.wide() + rest, 1.0 / (var + eps).sqrt()]
    }
}

multiversion! {
    /// `1 / √(mean of the squares + eps)` of a row.
    pub fn inverse_root_mean_square[T: Float](row: &[T], eps: f64) -> f64 {
        1.0 / (lane_sum!(x in row => x * x) / row.len() as f64 + eps).sqrt()
    }
}

multiversion! {
    /// `out = (x - mean) scale`, then an affine map of weight and bias where there are any.
    pub(crate) fn normalise[T: Float](row: Row<'_, T>, weight: Option<&[T]>, bias: Option<&[T]>, out: &mut [T], non_temporal: Option<&Streaming>) {
        let Row { x: row, mean, scale } = row;
        match (weight, bias) {
            (Some(weight), Some(bias)) => each!(x in row, w in weight, b in bias => out, streaming non_temporal, ((x - mean) * scale).mul_add(w, b)),
            (Some(weight), None) => each!(x in row, w in weight => out, streaming non_temporal, ((x - mean) * scale) * w),
            (None, Some(bias)) => each!(x in row, b in bias => out, streaming non_temporal, (x - mean).mul_add(scale, b)),
            (None, None) => each!(x in row => out, streaming non_temporal, (x - mean) * scale),
        }
    }
}

multiversion! {
    /// Gradient of a row from `up`, that of the normalised row. Where rows are not `centred`, their mean is no part of the function.
    fn gradient[T: Float](row: Row<'_, T>, up: &[T], centred: bool, dx: &mut [T]) {
        let Row { x: row, mean, scale } = row;
        let sums = lane_sums!(d in up, x in row => d, d * ((x - mean) * scale));
        let [s, sx] = sums.map(|sum| T::of(sum / row.len() as f64));
        let s = if centred { s } else { T::of(0.0) };
        each!(d in up, x in row => dx, scale * (d - s - (x - mean) * scale * sx));
    }
}

multiversion! {
    /// As [`gradient`], from `dy`, where `up` is `dy` times the weight.
    fn weighted_gradient[T: Float](row: Row<'_, T>, dy: &[T], weight: &[T], centred: bool, dx: &mut [T]) {
        let Row { x: row, mean, scale } = row;
        let sums = lane_sums!(d in dy, x in row, w in weight => d * w, d * w * ((x - mean) * scale));
        let [s, sx] = sums.map(|sum| T::of(sum / row.len() as f64));
        let s = if centred { s } else { T::of(0.0) };
        each!(d in dy, x in row, w in weight => dx, scale * (d * w - s - (x - mean) * scale * sx));
    }
}

multiversion! {
    fn totals[T: Float](row: Row<'_, T>, dy: &[T], weight: &mut [T], bias: &mut [T]) {
        let Row { x: row, mean, scale } = row;
        for (((w, b), x), d) in weight.iter_mut().zip(bias).zip(row).zip(dy) {
            *w += *d * ((*x - mean) * scale);
            *b += *d;
        }
    }
}

/// Gradient `dx` of a row from `dy`; adds what the row gives to the gradients of weight and bias, where those are wanted.
pub fn backward<T: Float>(
    row: Row<'_, T>,
    dy: &[T],
    centred: bool,
    weight: Option<&[T]>,
    dx: &mut [T],
    affine: Option<(&mut [T], &mut [T])>,
) {
    match weight {
        Some(weight) => weighted_gradient(row, dy, weight, centred, dx),
        None => gradient(row, dy, centred, dx),
    }
    if let Some((weight, bias)) = affine {
        totals(row, dy, weight, bias);
    }
}
