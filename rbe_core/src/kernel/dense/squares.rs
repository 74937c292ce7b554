//! Sums of squares of any numbers, those beyond the range of single precision too.

use crate::dtype::Float;
use crate::parallel;

/// Numbers of one parallel piece.
const PIECE: usize = 1 << 14;
/// Sums of squares side by side: a single one would wait for itself.
const LANES: usize = 32;

/// Sum of the squares; none if a number is not finite.
pub fn sum_of_squares<T: Float>(values: &[T]) -> Option<f64> {
    let pieces = parallel::map(values.len().div_ceil(PIECE), |i| piece(&values[i * PIECE..((i + 1) * PIECE).min(values.len())]));
    // In float64 numbers may be finite and their squares not.
    pieces.into_iter().sum::<Option<f64>>().map(|sum| sum.min(f64::MAX))
}

fn piece<T: Float>(values: &[T]) -> Option<f64> {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut sums = [T::of(0.0); LANES];
    for chunk in whole {
        sums.iter_mut().zip(chunk).for_each(|(s, v)| *s += *v * *v);
    }
    let sum = sums.iter().map(|s| s.wide()).chain(rest.iter().map(|v| v.wide() * v.wide())).sum::<f64>();
    // A sum inside the range of single precision is that of finite numbers, and no square that counts has left the range.
    if (1e-24..1e38).contains(&sum) {
        return Some(sum);
    }
    values.iter().all(|v| v.is_finite()).then(|| values.iter().map(|v| v.wide() * v.wide()).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_squares_of_any_size() {
        for size in [0.0f32, 1e-45, 1e-30, 1e-19, 1e-3, 1.0, 1e10, 1e19, 3e38] {
            for n in [1, 31, 33, 20_000] {
                let want = n as f64 * f64::from(size) * f64::from(size);
                let got = sum_of_squares(&vec![size; n]).unwrap();
                assert!((got - want).abs() <= 1e-4 * want, "{size} {n}: {got} {want}");
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut values = vec![size; n];
                    values[n / 2] = bad;
                    assert_eq!(sum_of_squares(&values), None);
                }
            }
        }
        assert_eq!(sum_of_squares(&[1e300f64; 40]), Some(f64::MAX));
        assert_eq!(sum_of_squares::<f32>(&[]), Some(0.0));
    }
}
