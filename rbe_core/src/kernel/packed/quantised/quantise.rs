//! Rounding of a product's inputs to int8, row by row.

use crate::isa::multiversion;
use crate::memory;
use crate::packed::Quantised;
use crate::parallel;

/// Numbers that one task rounds.
const PIECE: usize = 1 << 15;
/// 1.5 · 2^23: adding it rounds to an integer, whose last bytes are then those of the sum.
pub(super) const ROUNDING: f32 = 12_582_912.0;
/// Rows whose largest magnitude is below this are taken for zero: the inverse of their scale would be beyond single precision.
const SMALLEST: f32 = 1e-33;

/// Rounds `x (batch, cols)` to the nearest int8, ties to even: `values (batch, cols)` and `scales (batch)` as in [`Quantised`].
///
/// # Panics
/// If a slice has another length.
pub fn quantise(x: &[f32], values: &mut [i8], scales: &mut [f32]) {
    let (batch, len) = (scales.len(), x.len());
    assert!(values.len() == len && (batch == 0 && len == 0 || batch > 0 && len.is_multiple_of(batch)), "quantise: lengths");
    let cols = len / batch.max(1);
    if cols == 0 {
        return scales.fill(0.0);
    }
    let rows = (PIECE / cols).max(1);
    let pieces = values.chunks_mut(rows * cols).zip(scales.chunks_mut(rows)).zip(x.chunks(rows * cols));
    parallel::for_each_mut(&mut memory::collect(pieces), |_, ((values, scales), x)| quantise_rows(x, values, scales));
}

multiversion! {
    fn quantise_rows(x: &[f32], values: &mut [i8], scales: &mut [f32]) {
        let cols = x.len() / scales.len();
        for ((x, values), scale) in x.chunks_exact(cols).zip(values.chunks_exact_mut(cols)).zip(scales) {
            *scale = quantise_row(x, values);
        }
    }
}

/// The numbers that `x` stands for, into `out (batch, cols)`.
///
/// # Panics
/// If the length is another one.
pub fn restore(x: Quantised<'_>, out: &mut [f32]) {
    assert_eq!(out.len(), x.values.len(), "restore: lengths");
    let cols = (out.len() / x.batch().max(1)).max(1);
    let rows = (PIECE / cols).max(1);
    parallel::for_each_piece(out, rows * cols, |p, out| restore_rows(x.rows(p * rows..p * rows + out.len() / cols), out));
}

multiversion! {
    fn restore_rows(x: Quantised<'_>, out: &mut [f32]) {
        let cols = out.len() / x.scales.len();
        for ((out, values), scale) in out.chunks_exact_mut(cols).zip(x.values.chunks_exact(cols)).zip(x.scales) {
            for (out, value) in out.iter_mut().zip(values) {
                *out = scale * f32::from(*value);
            }
        }
    }
}

/// The scale of a row.
#[inline(always)]
fn quantise_row(x: &[f32], values: &mut [i8]) -> f32 {
    let (scale, inverse) = scale_of(largest(x), f32::from(Quantised::MOST));
    if inverse == 0.0 {
        values.fill(0);
        return scale;
    }
    for (value, v) in values.iter_mut().zip(x) {
        *value = (v * inverse + ROUNDING).to_bits() as i8;
    }
    scale
}

/// Largest magnitude; infinity or NaN if there is one.
#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    // Magnitudes are ordered as their bits are, with NaN above infinity.
    let mut most = 0i32;
    for v in x {
        most = most.max((v.to_bits() & 0x7fff_ffff).cast_signed());
    }
    f32::from_bits(most.cast_unsigned())
}

/// What an integer of a row stands for and what its numbers are multiplied by, if `most`, their largest magnitude, becomes the integer
/// `end`: `(0, 0)` for a row that is taken for zero, `(NaN, 0)` for one that is not finite.
#[inline(always)]
pub(super) fn scale_of(most: f32, end: f32) -> (f32, f32) {
    if !most.is_finite() {
        (f32::NAN, 0.0)
    } else if most < SMALLEST {
        (0.0, 0.0)
    } else {
        (most / end, end / most)
    }
}

multiversion! {
    /// Largest magnitude of a row; infinity or NaN if there is one.
    pub(super) fn largest_of(x: &[f32]) -> f32 {
        largest(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_nearest_and_reach_the_ends() {
        let x = [1.0f32, -2.0, 0.0, 0.5 / 63.5, 1.5 / 63.5, 2.5 / 63.5, 1.999_99, -0.001];
        let (mut values, mut scales) = ([99i8; 8], [f32::NAN; 1]);
        quantise(&x, &mut values, &mut scales);
        assert_eq!(scales, [2.0 / 127.0]);
        for (value, x) in values.iter().zip(x) {
            assert!((f64::from(*value) - f64::from(x) * 63.5).abs() <= 0.500_001, "{value} {x}");
        }
        assert_eq!((values[1], values[6], values[2]), (-127, 127, 0));
    }

    #[test]
    fn restored_numbers_are_products_of_values_and_scales() {
        for (batch, cols) in [(0, 5), (1, 1), (3, 70), (1000, 67)] {
            let values: Vec<i8> = (0..batch * cols).map(|i| ((i * 37) % 255) as i8).collect();
            let scales: Vec<f32> = (0..batch).map(|b| 0.5 + b as f32).collect();
            let mut out = vec![f32::NAN; values.len()];
            restore(Quantised { values: &values, scales: &scales }, &mut out);
            for (i, v) in out.iter().enumerate() {
                assert_eq!(*v, scales[i / cols] * f32::from(values[i]));
            }
        }
    }

    #[test]
    fn rows_that_are_not_finite_have_no_scale_and_tiny_ones_are_zero() {
        let x = [1.0, f32::NAN, 3.0, f32::NEG_INFINITY, 1e-38, 0.0, f32::MAX, -1.0];
        let (mut values, mut scales) = ([99i8; 8], [7.0f32; 4]);
        quantise(&x, &mut values, &mut scales);
        assert!(scales[0].is_nan() && scales[1].is_nan());
        assert_eq!((scales[2], scales[3]), (0.0, f32::MAX / 127.0));
        assert_eq!(values, [0, 0, 0, 0, 0, 0, 127, 0]);
    }
}
