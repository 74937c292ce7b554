//! Rows brought to mean 0 and variance 1, and the gradient of that.

use super::by_isa::by_isa;
use super::lane_sum::lane_sum;
use crate::dtype::Float;

by_isa! {
    /// Mean of a row and `1 / √(variance + eps)`, accumulated in double precision.
    pub fn statistics[T: Float](row: &[T], eps: f64) -> [f64; 2] {
        let count = row.len() as f64;
        let mean = lane_sum!(x in row => x.wide()) / count;
        let var = lane_sum!(x in row => (x.wide() - mean) * (x.wide() - mean)) / count;
        [mean, 1.0 / (var + eps).sqrt()]
    }
}

by_isa! {
    /// `out = (x - mean) scale`, then an affine map of weight and bias where there are any.
    pub fn normalise[T: Float](row: &[T], mean: T, scale: T, weight: Option<&[T]>, bias: Option<&[T]>, out: &mut [T]) {
        for (o, x) in out.iter_mut().zip(row) {
            *o = (*x - mean) * scale;
        }
        if let Some(weight) = weight {
            for (o, w) in out.iter_mut().zip(weight) {
                *o = *o * *w;
            }
        }
        if let Some(bias) = bias {
            for (o, b) in out.iter_mut().zip(bias) {
                *o += *b;
            }
        }
    }
}

by_isa! {
    /// Gradient of a row from `up`, that of the normalised row, which `dx` holds at first.
    fn gradient[T: Float](row: &[T], mean: T, scale: T, dx: &mut [T]) {
        let count = row.len() as f64;
        let s = T::of(lane_sum!(up in dx => up.wide()) / count);
        let sx = T::of(lane_sum!(up in dx, x in row => (up * ((x - mean) * scale)).wide()) / count);
        for (o, x) in dx.iter_mut().zip(row) {
            *o = scale * (*o - s - (*x - mean) * scale * sx);
        }
    }
}

by_isa! {
    fn weighted[T: Float](dy: &[T], weight: &[T], out: &mut [T]) {
        for ((o, d), w) in out.iter_mut().zip(dy).zip(weight) {
            *o = *d * *w;
        }
    }
}

by_isa! {
    fn totals[T: Float](row: &[T], dy: &[T], mean: T, scale: T, weight: &mut [T], bias: &mut [T]) {
        for (((w, b), x), d) in weight.iter_mut().zip(bias).zip(row).zip(dy) {
            *w += *d * ((*x - mean) * scale);
            *b += *d;
        }
    }
}

/// Gradient `dx` of a row from `dy`; adds what the row gives to the gradients of weight and bias, where those are wanted.
pub fn backward<T: Float>(
    row: &[T],
    dy: &[T],
    [mean, scale]: [T; 2],
    weight: Option<&[T]>,
    dx: &mut [T],
    affine: Option<(&mut [T], &mut [T])>,
) {
    match weight {
        Some(weight) => weighted(dy, weight, dx),
        None => dx.copy_from_slice(dy),
    }
    gradient(row, mean, scale, dx);
    if let Some((weight, bias)) = affine {
        totals(row, dy, mean, scale, weight, bias);
    }
}
