//! Elementary functions of single precision: plain Rust without branches, so that a loop over them becomes vectors, and with fused
//! multiply-add, which rounds alike wherever it runs, so that all instruction sets give the same bits.
//!
//! The coefficients are fitted for the least largest error on the range that the reduction of the argument leaves, and rounded one
//! after the other, the rest fitted anew each time.

use std::f32::consts::{LN_2, LOG2_E};

use super::elementary_f64::{ROUND as ROUND_WIDE, polynomial as wide_polynomial};

/// 1.5 · 2^23: adding it leaves an integer in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln of the smallest normal number.
const LOWEST: f32 = -87.336_54;
/// ln of the largest number.
const HIGHEST: f32 = 88.722_83;

/// `max(x, low)`; NaN stays.
#[inline(always)]
fn at_least(x: f32, low: f32) -> f32 {
    if x < low { low } else { x }
}

/// `min(x, high)`; NaN stays.
#[inline(always)]
fn at_most(x: f32, high: f32) -> f32 {
    if x > high { high } else { x }
}

/// Polynomial in x, highest power first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut p = coefficients[0];
    for c in &coefficients[1..] {
        p = p.mul_add(x, *c);
    }
    p
}

/// `2^(n + r)` for |r| <= 1/2 and the integer n that `rounded` holds in its low bits.
#[inline(always)]
fn power_of_two(rounded: f32, r: f32) -> f32 {
    let p = polynomial(r, [1.532_646_3e-4, 1.339_080_6e-3, 9.618_506e-3, 5.550_36e-2, 0.240_226_48, LN_2, 1.0]);
    f32::from_bits(p.to_bits().wrapping_add(rounded.to_bits() << 23))
}

/// `e^x` to 2 units in the last place; 0 where the result would be subnormal.
#[inline(always)]
pub(in crate::kernel) fn exp(x: f32) -> f32 {
    let rounded = x.mul_add(LOG2_E, ROUND);
    let r = x.mul_add(1.925_963e-8, x.mul_add(LOG2_E, ROUND - rounded)); // log2 e in two parts
    let y = power_of_two(rounded, r);
    let y = if x < LOWEST { 0.0 } else { y };
    if x <= HIGHEST { y } else { x + f32::INFINITY }
}

/// `e^x - 1` to 3 units in the last place: with x = n ln 2 + r, `2^n (e^r - 1) + (2^n - 1)`.
#[inline(always)]
pub(in crate::kernel) fn exp_m1(x: f32) -> f32 {
    let x = at_most(at_least(x, -18.0), 89.0);
    let rounded = x.mul_add(LOG2_E, ROUND);
    let n = rounded - ROUND;
    // ln 2 in two parts, both positive: -0 stays.
    const LN_2_DOWN: f32 = f32::from_bits(LN_2.to_bits() - 1);
    let r = n.mul_add(-5.769_999e-8, n.mul_add(-LN_2_DOWN, x));
    let p = r * polynomial(r, [1.386_994_7e-3, 8.366_253e-3, 4.166_744_3e-2, 0.166_665_46, 0.499_999_97, 1.0]);
    let half = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0.5f32.to_bits())); // 2^128 is not a number
    let y = p.mul_add(half, -(0.5 - half));
    y + y
}

/// `n ln 2 + ln(1 + f)` for f in [-1/3, 1/3].
#[inline(always)]
fn ln_of_parts(n: f32, f: f32) -> f32 {
    let coefficients =
        [-0.128_776_91, 0.139_859_75, -0.121_877_5, 0.140_054_75, -0.166_802_08, 0.200_104_39, -0.249_998_05, 0.333_332_15, -0.5];
    n.mul_add(LN_2, polynomial(f, coefficients).mul_add(f * f, f))
}

/// The bits of 2^n, n less the bias, such that a number of these bits is 2^n m with m in [2/3, 4/3).
#[inline(always)]
fn exponent(bits: u32) -> u32 {
    const TWO_THIRDS: u32 = 0x3f2a_aaab;
    bits.wrapping_sub(TWO_THIRDS) & 0xff80_0000
}

/// n of [`exponent`].
#[inline(always)]
fn whole(exponent: u32) -> f32 {
    (exponent as i32 >> 23) as f32
}

/// `ln x` to 1 unit in the last place.
#[inline(always)]
pub(in crate::kernel) fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let bits = if subnormal { x * 8_388_608.0 } else { x }.to_bits();
    let e = exponent(bits);
    let n = whole(e) - if subnormal { 23.0 } else { 0.0 };
    let y = ln_of_parts(n, f32::from_bits(bits.wrapping_sub(e)) - 1.0);
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// `ln(1 + x)` to 2 units in the last place: with 1 + x = 2^n m, f is `2^-n x + (2^-n - 1)`.
#[inline(always)]
pub(in crate::kernel) fn ln_1p(x: f32) -> f32 {
    let e = exponent((1.0 + x).to_bits());
    let four = f32::from_bits(4.0f32.to_bits().wrapping_sub(e)); // 2^(2-n): 2^-128 is subnormal
    // Where n is not 0, x is no small number.
    let y = ln_of_parts(whole(e), f32::from_bits(x.to_bits().wrapping_sub(e)) + four.mul_add(0.25, -1.0));
    let y = if x.abs() < 1e-20 { x } else { y }; // -0
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == -1.0 { f32::NEG_INFINITY } else { y };
    if x < -1.0 { f32::NAN } else { y }
}

/// `1 / (1 + e^-x)` to 3 units in the last place; 0 where the result would be nearly subnormal.
#[inline(always)]
pub(in crate::kernel) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x` to 5 units in the last place: rational approximation in x² (Eigen's, divided by its constant, so that small x stay).
#[inline(always)]
pub(in crate::kernel) fn tanh(x: f32) -> f32 {
    const END: f32 = 8.8; // the approximation is above 1 here
    let c = at_most(at_least(x, -END), END);
    let s = c * c;
    let p = [-5.641_676e-14, 4.087_417_2e-11, -1.758_378_9e-8, 1.046_749_9e-5, 3.036_098_3e-3, 0.130_225_54, 1.0];
    let q = [2.448_661e-4, 2.422_276_3e-2, 0.463_558_38, 1.0];
    at_most(at_least(c * polynomial(s, p) / polynomial(s, q), -1.0), 1.0)
}

/// Distribution function of the normal distribution to `8 + 2 x²` units in the last place up to |x| = 6, to 1e-9 beyond: the tail
/// is a power of two whose exponent is a polynomial in |x|. For NaN any number.
#[inline(always)]
pub(in crate::kernel) fn normal_cdf(x: f32) -> f32 {
    let coefficients = [
        -1.692_640_3e-8,
        5.476_817_4e-7,
        -7.562_822e-6,
        5.620_228_7e-5,
        -2.084_354_5e-4,
        -1.508_2e-4,
        7.134_691e-3,
        -5.256_971_3e-2,
        -0.459_179_04,
        -1.151_108_7,
        -1.0,
    ];
    let tail = two_to(polynomial(x.abs(), coefficients));
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// Density of the normal distribution to `4 + x²` units in the last place. For NaN any number.
#[inline(always)]
pub(in crate::kernel) fn normal_density(x: f32) -> f32 {
    two_to((x * x).mul_add(-0.5 * LOG2_E, -1.325_748)) // log2 of sqrt(2 pi)
}

/// `2^q` for `q < 127`; what would be subnormal is below the smallest normal number.
#[inline(always)]
fn two_to(q: f32) -> f32 {
    let q = at_least(q, -127.0); // 2^-127 comes out as 0
    let rounded = q + ROUND;
    power_of_two(rounded, q - (rounded - ROUND))
}

/// Quadrant, and sine and cosine of what x is from its middle.
#[inline(always)]
fn circle(x: f32) -> (u32, f32, f32) {
    let x = f64::from(x);
    let rounded = x.mul_add(std::f64::consts::FRAC_2_PI, ROUND_WIDE);
    let n = rounded - ROUND_WIDE;
    let r = n.mul_add(-6.123_233_995_736_766e-17, n.mul_add(-std::f64::consts::FRAC_PI_2, x)) as f32; // π/2 in two parts
    let s = r * r;
    let sine = r * polynomial(s, [2.832_765_6e-6, -1.985_307_5e-4, 8.333_379e-3, -0.166_666_67, 1.0]);
    let cosine = polynomial(s, [2.443_256_4e-5, -1.388_731_1e-3, 4.166_664_6e-2, -0.5, 1.0]);
    (rounded.to_bits() as u32, sine, cosine)
}

/// One of the two by the quadrant, with its sign.
#[inline(always)]
fn by_quadrant(quadrant: u32, even: f32, odd: f32) -> f32 {
    let y = if quadrant & 1 == 0 { even } else { odd };
    f32::from_bits(y.to_bits() ^ (quadrant & 2) << 30)
}

/// `sin x` to 2 units in the last place for |x| below [`super::elementary::CIRCLE_END`].
#[inline(always)]
pub(in crate::kernel) fn sin(x: f32) -> f32 {
    let (quadrant, sine, cosine) = circle(x);
    by_quadrant(quadrant, sine, cosine)
}

/// `cos x` to 2 units in the last place for |x| below [`super::elementary::CIRCLE_END`].
#[inline(always)]
pub(in crate::kernel) fn cos(x: f32) -> f32 {
    let (quadrant, sine, cosine) = circle(x);
    by_quadrant(quadrant.wrapping_add(1), sine, cosine)
}

/// `x^p` to 1 unit in the last place, as C's `pow`: `2^(p log2 |x|)` in double precision, with the sign of an odd power.
#[inline(always)]
pub(in crate::kernel) fn pow(x: f32, p: f32) -> f32 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let size = x.abs();
    let bits = f64::from(size).to_bits(); // of a normal number, if not 0
    let e = bits.wrapping_sub(SQRT_HALF) & 0xfff0_0000_0000_0000;
    let m = f64::from_bits(bits.wrapping_sub(e));
    let n = f64::from((e >> 32) as u32 as i32 >> 20);
    let s = (m - 1.0) / (m + 1.0); // ln m = 2 artanh s
    let coefficients = [0.340_727_830_416_5, 0.411_672_839_570_7, 0.577_083_582_970_27, 0.961_796_673_352_65, 2.885_390_081_790_074];
    let log = wide_polynomial(s * s, coefficients).mul_add(s, n);
    let log = if size > 0.0 && size < f32::INFINITY { log } else { f64::from(size) }; // infinite or NaN
    let log = if size == 0.0 { f64::NEG_INFINITY } else { log };
    let q = f64::from(p) * log;
    let q = if q < -200.0 { -200.0 } else { q };
    let q = if q > 200.0 { 200.0 } else { q };
    let rounded = q + ROUND_WIDE;
    let coefficients = [
        1.535_336_187_989e-4,
        1.339_887_442_292_7e-3,
        9.618_437_357_855_6e-3,
        5.550_332_471_097_8e-2,
        0.240_226_479_136_26,
        0.693_147_202_855_08,
        1.0,
    ];
    let power = wide_polynomial(q - (rounded - ROUND_WIDE), coefficients);
    let y = f64::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 52)) as f32;
    let y = if q.is_nan() { f32::NAN } else { y };
    let y = if p == 0.0 || x == 1.0 || (size == 1.0 && p.is_infinite()) { 1.0 } else { y };
    // From 2^24 on all numbers are even.
    let (p, half) = (at_most(p.abs(), 16_777_216.0), at_most(p.abs(), 16_777_216.0) * 0.5);
    let is_whole = |v: f32| v == (v + 8_388_608.0) - 8_388_608.0 || v >= 8_388_608.0;
    let odd = is_whole(p) && !is_whole(half);
    let y = if x < 0.0 && !is_whole(p) && size < f32::INFINITY { f32::NAN } else { y };
    if x.is_sign_negative() && odd { -y } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 997th number, of both signs: all exponents, subnormal ones too.
    fn numbers() -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(997).map(f32::from_bits).filter(|x| x.is_finite())
    }

    /// Checks that errors are within a bound in units in the last place of the exact result; below the normal numbers, the smallest
    /// of them.
    fn check(x: f32, got: f32, want: f64, units: f64) {
        if want.abs() > f64::from(f32::MAX) || want.is_nan() {
            assert!(got.is_infinite() || got.is_nan() == want.is_nan(), "f({x}) = {got}, not {want}");
            return;
        }
        let smallest = f64::from(f32::MIN_POSITIVE);
        let unit = f64::from(f32::EPSILON) * 2f64.powi(want.abs().max(smallest).log2().floor() as i32);
        let allowed = if want.abs() < 4.0 * smallest { 4.0 * smallest } else { units * unit };
        let error = (f64::from(got) - want).abs();
        assert!(error <= allowed, "f({x:e}) = {got:e}, not {want:e}: {} units", error / unit);
    }

    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, units: f64) {
        numbers().for_each(|x| check(x, f(x), exact(f64::from(x)), units));
    }

    #[test]
    fn errors_are_within_the_stated_bounds() {
        worst(exp, f64::exp, 2.0);
        worst(exp_m1, f64::exp_m1, 3.0);
        worst(logistic, |x| 1.0 / (1.0 + (-x).exp()), 3.0);
        worst(tanh, f64::tanh, 5.0);
        worst(|x| ln(x.abs()), |x| x.abs().ln(), 1.0);
        worst(ln_1p, f64::ln_1p, 2.0);
        numbers().filter(|x| f64::from(x.abs()) < crate::kernel::dense::elementary::CIRCLE_END).for_each(|x| {
            check(x, sin(x), f64::from(x).sin(), 2.0);
            check(x, cos(x), f64::from(x).cos(), 2.0);
        });
    }

    #[test]
    fn the_normal_distribution_is_within_its_bounds() {
        for x in numbers() {
            let (wide, square) = (f64::from(x), f64::from(x * x));
            let cdf = 0.5 * libm::erfc(-wide * std::f64::consts::FRAC_1_SQRT_2);
            if x.abs() <= 6.0 {
                check(x, normal_cdf(x), cdf, 8.0 + 2.0 * square);
            } else {
                assert!((f64::from(normal_cdf(x)) - cdf).abs() <= 1e-9, "{x}");
            }
            check(x, normal_density(x), (-0.5 * wide * wide).exp() * 0.398_942_280_401_432_7, 4.0 + square);
        }
    }

    #[test]
    fn powers_are_those_of_double_precision() {
        let exponents = [0.0, -0.0, 0.5, -0.5, 1.0, 2.0, 3.0, -1.0, -3.0, 0.1, 7.25, 80.0, -37.0, 1e9, 16_777_216.0, 16_777_215.0];
        let exponents = exponents.into_iter().chain([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-30]);
        for p in exponents {
            for x in numbers().step_by(31).chain([0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]) {
                let want = f64::from(x).powf(f64::from(p));
                let got = pow(x, p);
                assert!(got.is_nan() == want.is_nan(), "{x}^{p} = {got}, not {want}");
                if !want.is_nan() {
                    let rounded = want as f32;
                    let near = [rounded, rounded.next_up(), rounded.next_down()];
                    assert!(near.iter().any(|v| v.to_bits() == got.to_bits()), "{x}^{p} = {got}, not {want}");
                }
            }
        }
    }

    #[test]
    fn the_ends_and_nan_stay_what_they_are() {
        const INF: f32 = f32::INFINITY;
        assert_eq!([-INF, INF, 89.0, -88.0].map(exp), [0.0, INF, INF, 0.0]);
        assert!(exp(88.72) > 3.3e38 && exp(88.72).is_finite() && exp_m1(88.72).is_finite());
        assert_eq!([-INF, INF, 89.0, -88.0].map(exp_m1), [-1.0, INF, INF, -1.0]);
        assert_eq!([0.0, -0.0, 1.0, INF].map(ln), [-INF, -INF, 0.0, INF]);
        assert!(ln(-1.0).is_nan() && ln(-INF).is_nan() && ln_1p(-1.1).is_nan() && ln_1p(-INF).is_nan());
        assert_eq!([-1.0, INF].map(ln_1p), [-INF, INF]);
        assert_eq!([-INF, INF].map(tanh), [-1.0, 1.0]);
        for f in [tanh, ln_1p, sin, exp_m1] {
            assert_eq!([0.0, -0.0, 1e-40, -1e-40].map(|x| f(x).to_bits()), [0.0, -0.0, 1e-40, -1e-40].map(f32::to_bits));
        }
        assert_eq!([-INF, INF, 0.0].map(logistic), [0.0, 1.0, 0.5]);
        assert_eq!([-INF, INF, 0.0].map(normal_cdf), [0.0, 1.0, 0.5]);
        assert_eq!([-INF, INF].map(normal_density), [0.0, 0.0]);
        let all = [exp, exp_m1, ln, ln_1p, tanh, logistic, sin, cos];
        for payload in [0x7fc0_0000, 0x7fc0_0001, 0xffff_ffff, 0x7f80_0100] {
            assert!(all.iter().all(|f| f(f32::from_bits(payload)).is_nan()), "{payload:x}");
        }
    }
}
