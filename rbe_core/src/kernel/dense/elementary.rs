//! Exponentials, logarithms, circular functions, powers and the normal distribution of both precisions, and rows of them.

use super::lane_sum::{filled_up, fold};
use super::{elementary_f32, elementary_f64};
use crate::dtype::Float;
use crate::isa::multiversion;

/// Sums and the search for the largest run in this many lanes.
const LANES: usize = 32;

/// Where sines and cosines of single precision end: beyond it multiples of π/2 need more digits.
pub const CIRCLE_END: f64 = 281_474_976_710_656.0; // 2^48

/// Elementary functions: in f32 those of `elementary_f32.rs`, with the errors stated here; in f64 those of `elementary_f64.rs`, with smaller
/// errors and subnormal results, except that sines, cosines and powers are the standard library's.
pub trait Elementary: Float {
    /// `e^x` to 2 units in the last place; 0 where the result would be subnormal.
    fn fast_exp(self) -> Self;
    /// `e^x - 1` to 3 units in the last place.
    fn fast_exp_m1(self) -> Self;
    /// `ln x` to 1 unit in the last place.
    fn fast_ln(self) -> Self;
    /// `ln(1 + x)` to 2 units in the last place.
    fn fast_ln_1p(self) -> Self;
    /// `tanh x` to 5 units in the last place.
    fn fast_tanh(self) -> Self;
    /// `1 / (1 + e^-x)` to 3 units in the last place; 0 where the result would be nearly subnormal.
    fn fast_logistic(self) -> Self;
    /// The error function, to 1 unit in the last place.
    fn fast_erf(self) -> Self;
    /// 1 less the error function, to 1 unit in the last place.
    fn fast_erfc(self) -> Self;
    /// Distribution function of the normal distribution, to `8 + 2 x²` units in the last place up to |x| = 6, to 1e-9 beyond. For
    /// NaN any number: a multiple of x is NaN then.
    fn normal_cdf(self) -> Self;
    /// Density of the normal distribution, to `4 + x²` units in the last place. For NaN any number.
    fn normal_density(self) -> Self;
    /// `sin x` to 2 units in the last place, for |x| below [`CIRCLE_END`].
    fn fast_sin(self) -> Self;
    /// `cos x` to 2 units in the last place, for |x| below [`CIRCLE_END`].
    fn fast_cos(self) -> Self;
    /// `x^p` to 1 unit in the last place.
    fn fast_pow(self, p: Self) -> Self;
    /// The nearest integer, the even one of two.
    fn to_nearest(self) -> Self;
}

/// Implements [`Elementary`] by functions of one number, and of two for powers.
macro_rules! elementary {
    ($float:ty: $($name:ident $function:expr),*; $power:expr) => {
        impl Elementary for $float {
            $(#[inline(always)]
            fn $name(self) -> $float {
                ($function)(self)
            })*
            #[inline(always)]
            fn fast_pow(self, p: $float) -> $float {
                ($power)(self, p)
            }
        }
    };
}

elementary! { f32:
    fast_exp elementary_f32::exp, fast_exp_m1 elementary_f32::exp_m1, fast_ln elementary_f32::ln, fast_ln_1p elementary_f32::ln_1p,
    fast_tanh elementary_f32::tanh, fast_logistic elementary_f32::logistic,
    fast_erf |x: f32| elementary_f64::erf(f64::from(x)) as f32, fast_erfc |x: f32| elementary_f64::erfc(f64::from(x)) as f32, normal_cdf elementary_f32::normal_cdf,
    normal_density elementary_f32::normal_density, fast_sin elementary_f32::sin, fast_cos elementary_f32::cos,
    to_nearest f32::round_ties_even; elementary_f32::pow
}

elementary! { f64:
    fast_exp elementary_f64::exp, fast_exp_m1 elementary_f64::exp_m1, fast_ln elementary_f64::ln, fast_ln_1p elementary_f64::ln_1p,
    fast_tanh elementary_f64::tanh, fast_logistic elementary_f64::logistic, fast_erf elementary_f64::erf, fast_erfc elementary_f64::erfc,
    normal_cdf elementary_f64::normal_cdf, normal_density elementary_f64::normal_density,
    fast_sin f64::sin, fast_cos f64::cos, to_nearest f64::round_ties_even; f64::powf
}

multiversion! {
    /// The largest element, minus infinity for none; NaN is passed over.
    pub fn largest[T: Elementary](row: &[T]) -> T {
        let mut lanes = [T::neg_infinity(); LANES];
        let (bulk, rest) = row.as_chunks::<LANES>();
        for chunk in bulk {
            for i in 0..LANES {
                lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
            }
        }
        if !rest.is_empty() {
            let last: [T; LANES] = filled_up(rest, T::neg_infinity());
            for i in 0..LANES {
                lanes[i] = if last[i] > lanes[i] { last[i] } else { lanes[i] };
            }
        }
        fold(lanes, |a, b| if b > a { b } else { a })
    }
}

multiversion! {
    /// `x <- e^(x - shift)`; the sum of the results.
    pub fn exp_minus[T: Elementary](row: &mut [T], shift: T) -> T {
        let mut lanes = [T::zero(); LANES];
        let (bulk, rest) = row.as_chunks_mut::<LANES>();
        for chunk in bulk {
            for i in 0..LANES {
                chunk[i] = (chunk[i] - shift).fast_exp();
                lanes[i] += chunk[i];
            }
        }
        for (x, lane) in rest.iter_mut().zip(&mut lanes) {
            *x = (*x - shift).fast_exp();
            *lane += *x;
        }
        fold(lanes, |a, b| a + b)
    }
}

multiversion! {
    /// `x <- 1 / (1 + e^-x)`.
    pub fn logistic_in_place[T: Elementary](row: &mut [T]) {
        for x in row {
            *x = x.fast_logistic();
        }
    }
}

multiversion! {
    /// `x <- tanh x`.
    pub fn tanh_in_place[T: Elementary](row: &mut [T]) {
        for x in row {
            *x = x.fast_tanh();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_agree_with_single_numbers() {
        // Whatever the instruction set; rbe_core/tests/dense.rs compares the sets with each other.
        let x: Vec<f32> = (0..=u32::MAX).step_by(30_907).map(f32::from_bits).filter(|x| x.is_finite()).collect();
        let (mut e, mut s, mut t) = (x.clone(), x.clone(), x.clone());
        exp_minus(&mut e, 3.0);
        logistic_in_place(&mut s);
        tanh_in_place(&mut t);
        for (i, x) in x.iter().enumerate() {
            let want = [(x - 3.0).fast_exp(), x.fast_logistic(), x.fast_tanh()].map(f32::to_bits);
            assert_eq!([e[i], s[i], t[i]].map(f32::to_bits), want, "{x}");
        }
        let numbers: Vec<f64> = (0..1003).map(|i| f64::from(i * 37 % 101)).collect();
        let sum = exp_minus(&mut numbers.clone(), 100.0);
        let want: f64 = numbers.iter().map(|v| (v - 100.0).exp()).sum();
        assert!((sum - want).abs() < 1e-12 * want);
        assert_eq!(largest(&numbers), 100.0);
        assert_eq!(largest::<f32>(&[]), f32::NEG_INFINITY);
    }
}
