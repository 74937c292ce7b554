//! Exponentials, logarithms, logistic, tanh and the normal distribution: written once in plain Rust without branches, so that a
//! loop over them becomes vectors, and without fused multiply-add, so that all instruction sets give the same bits.

use super::by_isa::by_isa;
use super::lane_sum::fold;
use crate::dtype::Float;

/// Sums and the search for the largest run in this many lanes.
const LANES: usize = 32;

/// Elementary functions, in f32 by the functions below and in f64 by the standard library. The errors are those in f32.
pub trait Elementary: Float {
    /// `e^x` to 2 units in the last place; 0 where the result would be subnormal.
    fn fast_exp(self) -> Self;
    /// `ln x` to 1 unit in the last place.
    fn fast_ln(self) -> Self;
    /// `tanh x` to 7 units in the last place.
    fn fast_tanh(self) -> Self;
    /// `1 / (1 + e^-x)` to 3 units in the last place; 0 where the result would be nearly subnormal.
    fn fast_logistic(self) -> Self;
    /// Distribution function and density of the normal distribution, to `8 + x² / 2` units in the last place.
    fn fast_normal(self) -> (Self, Self);
}

#[inline(always)]
fn exp(x: f32) -> f32 {
    const LOW: f32 = -87.336_54; // ln of the smallest normal number
    const HIGH: f32 = 88.722_83;
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it leaves a whole number in the low bits
    let clamped = if x < LOW { LOW } else { x };
    let clamped = if clamped > HIGH { HIGH } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4 + n * 2.121_944_4e-4; // ln 2 in two parts (Cephes)
    let p = 1.987_569_2e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_65;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0; // in (0.7, 1.5): half of 2^128 is a number, so n = 128 is reached in two steps
    let y = f32::from_bits((y + y).to_bits().wrapping_add(shifted.to_bits().wrapping_sub(1) << 23));
    let y = if x < LOW { 0.0 } else { y };
    let y = if x > HIGH { f32::INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// With x = 2^n m, m in [√½, √2): `n ln 2` and a polynomial in m - 1 (Cephes).
#[inline(always)]
fn ln(x: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let subnormal = x < f32::MIN_POSITIVE;
    let bits = if subnormal { x * 8_388_608.0 } else { x }.to_bits();
    let n = bits.wrapping_sub(SQRT_HALF) as i32 >> 23;
    let f = f32::from_bits(bits.wrapping_sub((n << 23) as u32)) - 1.0;
    let n = n as f32 - if subnormal { 23.0 } else { 0.0 };
    let p = 7.037_683_6e-2;
    let p = p * f - 0.115_146_1;
    let p = p * f + 0.116_769_98;
    let p = p * f - 0.124_201_41;
    let p = p * f + 0.142_493_23;
    let p = p * f - 0.166_680_58;
    let p = p * f + 0.200_007_14;
    let p = p * f - 0.249_999_94;
    let p = p * f + 0.333_333_3;
    let s = f * f;
    let tail = f * s * p - n * 2.121_944_4e-4 - 0.5 * s;
    let y = f + tail + n * 0.693_359_4;
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x == f32::INFINITY { x } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

#[inline(always)]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Rational approximation in x² (Eigen's); x where x³ no longer counts.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    const END: f32 = 7.905_311;
    let c = if x > END { END } else { x };
    let c = if c < -END { -END } else { c };
    let s = c * c;
    let p = -2.760_768_5e-16;
    let p = p * s + 2.000_188e-13;
    let p = p * s - 8.604_672e-11;
    let p = p * s + 5.122_297e-8;
    let p = p * s + 1.485_722_4e-5;
    let p = p * s + 6.372_619e-4;
    let p = p * s + 4.893_524_6e-3;
    let q = 1.198_258_4e-6;
    let q = q * s + 1.185_347_1e-4;
    let q = q * s + 2.268_434_6e-3;
    let q = q * s + 4.893_525e-3;
    let y = if s < 1.6e-7 { x } else { c * p / q };
    let y = if x > 9.0 { 1.0 } else { y };
    if x < -9.0 { -1.0 } else { y }
}

/// The tail beyond z = |x| is `e^(-z²/2) t P(t)` with `t = 1 / (1 + 0.35 z)`; P is fitted to the scaled complementary error
/// function for the least relative error on [0, 14.5].
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let z = x.abs();
    let bell = exp(-0.5 * z * z);
    let t = 1.0 / (1.0 + 0.35 * z);
    let p = -2.915_788e-2;
    let p = p * t + 0.144_030_9;
    let p = p * t - 0.255_839;
    let p = p * t + 0.159_319_68;
    let p = p * t - 2.321_235_5e-2;
    let p = p * t + 0.105_552_5;
    let p = p * t + 0.119_821_29;
    let p = p * t + 0.139_863_52;
    let p = p * t + 0.139_621_3;
    let tail = bell * (t * p);
    (if x > 0.0 { 1.0 - tail } else { tail }, bell * 0.398_942_3)
}

impl Elementary for f32 {
    #[inline(always)]
    fn fast_exp(self) -> f32 {
        exp(self)
    }
    #[inline(always)]
    fn fast_ln(self) -> f32 {
        ln(self)
    }
    #[inline(always)]
    fn fast_tanh(self) -> f32 {
        tanh(self)
    }
    #[inline(always)]
    fn fast_logistic(self) -> f32 {
        logistic(self)
    }
    #[inline(always)]
    fn fast_normal(self) -> (f32, f32) {
        normal(self)
    }
}

impl Elementary for f64 {
    fn fast_exp(self) -> f64 {
        self.exp()
    }
    fn fast_ln(self) -> f64 {
        self.ln()
    }
    fn fast_tanh(self) -> f64 {
        self.tanh()
    }
    fn fast_logistic(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }
    fn fast_normal(self) -> (f64, f64) {
        let cdf = 0.5 * (1.0 + libm::erf(self * std::f64::consts::FRAC_1_SQRT_2));
        (cdf, 0.398_942_280_401_432_7 * (-0.5 * self * self).exp()) // 1/sqrt(2 pi)
    }
}

by_isa! {
    /// The largest element, minus infinity for none; NaN is passed over.
    pub fn largest[T: Elementary](row: &[T]) -> T {
        let mut lanes = [T::neg_infinity(); LANES];
        let (bulk, rest) = row.as_chunks::<LANES>();
        for chunk in bulk {
            for i in 0..LANES {
                lanes[i] = if chunk[i] > lanes[i] { chunk[i] } else { lanes[i] };
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane = if *x > *lane { *x } else { *lane };
        }
        fold(lanes, |a, b| if b > a { b } else { a })
    }
}

by_isa! {
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

by_isa! {
    /// `x <- 1 / (1 + e^-x)`.
    pub fn logistic_in_place[T: Elementary](row: &mut [T]) {
        for x in row {
            *x = x.fast_logistic();
        }
    }
}

by_isa! {
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

    /// Every 997th number, of both signs: all exponents, subnormal ones too.
    fn numbers() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(997).map(f32::from_bits).filter(|x| x.is_finite())
    }

    /// Largest error in units in the last place of the exact result, where that is a normal number, and the number where.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, bound: impl Fn(f32) -> f64) {
        for x in numbers() {
            let (got, want) = (f(x), exact(f64::from(x)));
            if want.abs() > f64::from(f32::MAX) || want.is_nan() {
                assert!(got.is_infinite() || got.is_nan() == want.is_nan(), "f({x}) = {got}, not {want}");
                continue;
            }
            let unit = f64::from(f32::EPSILON) * 2f64.powi((want.abs().max(f64::from(f32::MIN_POSITIVE))).log2().floor() as i32);
            // Below the normal numbers, the smallest of them.
            let allowed =
                if want.abs() < 4.0 * f64::from(f32::MIN_POSITIVE) { 4.0 * f64::from(f32::MIN_POSITIVE) } else { bound(x) * unit };
            assert!((f64::from(got) - want).abs() <= allowed, "f({x}) = {got}, not {want}: {} units", (f64::from(got) - want).abs() / unit);
        }
    }

    #[test]
    fn errors_are_within_the_stated_bounds() {
        worst(exp, f64::exp, |_| 2.0);
        worst(logistic, |x| 1.0 / (1.0 + (-x).exp()), |_| 3.0);
        worst(tanh, f64::tanh, |_| 7.0);
        worst(|x| ln(x.abs()), |x| x.abs().ln(), |_| 1.0);
        let bound = |x: f32| 8.0 + f64::from(x * x) / 2.0;
        worst(|x| normal(x).0, |x| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2), bound);
        worst(|x| normal(x).1, |x| (-0.5 * x * x).exp() * 0.398_942_280_401_432_7, bound);
    }

    #[test]
    fn the_ends_and_nan_stay_what_they_are() {
        const INF: f32 = f32::INFINITY;
        assert_eq!([-INF, INF, 89.0, -88.0].map(exp), [0.0, INF, INF, 0.0]);
        assert!(exp(88.72) > 3.3e38 && exp(88.72).is_finite());
        assert_eq!([0.0, -0.0, 1.0, INF].map(ln), [-INF, -INF, 0.0, INF]);
        assert!(ln(-1.0).is_nan() && ln(-INF).is_nan());
        assert_eq!([-INF, INF].map(tanh), [-1.0, 1.0]);
        assert_eq!([0.0, -0.0, 1e-40, -1e-40].map(|x| tanh(x).to_bits()), [0.0, -0.0, 1e-40, -1e-40].map(f32::to_bits));
        assert_eq!([-INF, INF, 0.0].map(logistic), [0.0, 1.0, 0.5]);
        assert_eq!([-INF, INF].map(normal), [(0.0, 0.0), (1.0, 0.0)]);
        assert!([exp, ln, tanh, logistic, |x| normal(x).0, |x| normal(x).1].iter().all(|f| f(f32::NAN).is_nan()));
        assert_eq!(largest::<f32>(&[]), -INF);
    }

    #[test]
    fn rows_agree_with_single_numbers() {
        // Whatever the instruction set; tests/rust/dense.rs compares the sets with each other.
        let x: Vec<f32> = numbers().step_by(31).collect();
        let (mut e, mut s, mut t) = (x.clone(), x.clone(), x.clone());
        exp_minus(&mut e, 3.0);
        logistic_in_place(&mut s);
        tanh_in_place(&mut t);
        for (i, x) in x.iter().enumerate() {
            let want = [exp(x - 3.0), logistic(*x), tanh(*x)].map(f32::to_bits);
            assert_eq!([e[i], s[i], t[i]].map(f32::to_bits), want, "{x}");
        }
        let numbers: Vec<f64> = (0..1003).map(|i| f64::from(i * 37 % 101)).collect();
        let sum = exp_minus(&mut numbers.clone(), 100.0);
        let want: f64 = numbers.iter().map(|v| (v - 100.0).exp()).sum();
        assert!((sum - want).abs() < 1e-12 * want);
        assert_eq!(largest(&numbers), 100.0);
    }
}
