//! Elementary functions of double precision, in the manner of `elementary_f32.rs`: no branches, so that a loop over them becomes vectors,
//! and fused multiply-add, so that all instruction sets give the same bits.
//!
//! The stated errors are the largest that `tests/python/test_elementary.py` allows against mpmath. Integers are kept in the low bits of
//! doubles, because AVX2 converts no integers of 64 bits.

use std::f64::consts::{LOG2_E, SQRT_2};

/// 1.5 · 2^52: adding it leaves an integer in the low bits.
pub(super) const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts; the first has 33 trailing zeros, so that its product with an exponent is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `max(x, low)`; NaN stays.
#[inline(always)]
fn at_least(x: f64, low: f64) -> f64 {
    if x < low { low } else { x }
}

/// `min(x, high)`; NaN stays.
#[inline(always)]
fn at_most(x: f64, high: f64) -> f64 {
    if x > high { high } else { x }
}

/// Polynomial in x, highest power first.
#[inline(always)]
pub(super) fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut p = coefficients[0];
    for c in &coefficients[1..] {
        p = p.mul_add(x, *c);
    }
    p
}

/// 2^n for an integer n in [-1022, 1023].
#[inline(always)]
fn two_to(n: f64) -> f64 {
    f64::from_bits(((n + ROUND).to_bits() << 52).wrapping_add(1.0f64.to_bits()))
}

/// The integer n and `e^r - 1` such that x = n ln 2 + r with |r| <= ln 2 / 2.
#[inline(always)]
fn reduced(x: f64) -> (f64, f64) {
    let n = x.mul_add(LOG2_E, ROUND) - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let coefficients = [
        2.092_688_752_315_926e-9,
        2.511_222_003_857_61e-8,
        2.755_723_356_320_900_5e-7,
        2.755_723_430_167_184e-6,
        2.480_158_737_346_179_4e-5,
        1.984_126_989_698_299_3e-4,
        1.388_888_888_885_861_8e-3,
        8.333_333_333_316_775e-3,
        4.166_666_666_666_673e-2,
        0.166_666_666_666_666_82,
        0.5,
    ];
    (n, (r * r).mul_add(polynomial(r, coefficients), r))
}

/// `e^x` to 1 unit in the last place; subnormal results too.
#[inline(always)]
pub(in crate::kernel) fn exp(x: f64) -> f64 {
    let (n, p) = reduced(at_most(at_least(x, -746.0), 710.0));
    let half = n.mul_add(0.5, ROUND) - ROUND; // 2^n may be no normal number, but the powers of both halves are
    (1.0 + p) * two_to(half) * two_to(n - half)
}

/// `e^x - 1` to 2 units in the last place: with x = n ln 2 + r, `2^n (e^r - 1) + (2^n - 1)`.
#[inline(always)]
pub(in crate::kernel) fn exp_m1(x: f64) -> f64 {
    let (n, p) = reduced(at_most(at_least(x, -40.0), 710.0));
    let half = two_to(n - 1.0); // 2^1024 is not a number
    let y = p.mul_add(half, -(0.5 - half));
    if x.abs() < 1e-30 { x } else { y + y }
}

/// `n ln 2 + ln(1 + f)` for 1 + f in [√½, √2]: with s = f / (2 + f), ln(1 + f) is 2 artanh s; coefficients of fdlibm.
#[inline(always)]
fn ln_of_parts(n: f64, f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let coefficients = [
        0.147_981_986_051_165_86,
        0.153_138_376_992_093_73,
        0.181_835_721_616_180_5,
        0.222_221_984_321_497_84,
        0.285_714_287_436_623_9,
        0.399_999_999_994_094_2,
        0.666_666_666_666_673_5,
    ];
    let half = 0.5 * f * f;
    let rest = s.mul_add(z.mul_add(polynomial(z, coefficients), half), n * LN_2_LOW);
    n.mul_add(LN_2_HIGH, -((half - rest) - f))
}

/// The bits of 2^n, n less the bias, such that a number of these bits is 2^n m with m in [√½, √2).
#[inline(always)]
fn exponent(bits: u64) -> u64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    bits.wrapping_sub(SQRT_HALF) & 0xfff0_0000_0000_0000
}

/// n of [`exponent`].
#[inline(always)]
fn whole(exponent: u64) -> f64 {
    f64::from((exponent >> 32) as u32 as i32 >> 20)
}

/// `ln x` to 1 unit in the last place.
#[inline(always)]
pub(in crate::kernel) fn ln(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let bits = if subnormal { x * 18_014_398_509_481_984.0 } else { x }.to_bits(); // 2^54
    let e = exponent(bits);
    let n = whole(e) - if subnormal { 54.0 } else { 0.0 };
    let y = ln_of_parts(n, f64::from_bits(bits.wrapping_sub(e)) - 1.0);
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x < 0.0 { f64::NAN } else { y }
}

/// `ln(1 + x)` to 2 units in the last place: with 1 + x = 2^n m, f is `2^-n x + (2^-n - 1)`.
#[inline(always)]
pub(in crate::kernel) fn ln_1p(x: f64) -> f64 {
    let e = exponent((1.0 + x).to_bits());
    let four = f64::from_bits(4.0f64.to_bits().wrapping_sub(e)); // 2^(2-n): 2^-1024 is subnormal
    // Where n is not 0, x is no small number.
    let y = ln_of_parts(whole(e), f64::from_bits(x.to_bits().wrapping_sub(e)) + four.mul_add(0.25, -1.0));
    let y = if x.abs() < 1e-20 { x } else { y }; // -0
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == -1.0 { f64::NEG_INFINITY } else { y };
    if x < -1.0 { f64::NAN } else { y }
}

/// `1 / (1 + e^-x)` to 3 units in the last place; 0 where the result would be nearly subnormal.
#[inline(always)]
pub(in crate::kernel) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x` to 3 units in the last place: `-e / (2 + e)` with e = e^(-2|x|) - 1.
#[inline(always)]
pub(in crate::kernel) fn tanh(x: f64) -> f64 {
    let e = exp_m1(-2.0 * x.abs());
    (-e / (2.0 + e)).copysign(x)
}

/// `e^-q Q(t) / (1 + t)`, where Q is smooth, for q = t² / 2 in two parts: the chance that a normally distributed number is above t, for t in
/// [0, 39.5]. The exponential underflows before the end of that range.
#[inline(always)]
fn upper_tail(t: f64, q: f64, rest: f64) -> f64 {
    let coefficients = [
        7.618_890_365_905_165e-10,
        4.007_359_865_288_215e-9,
        3.518_345_739_885_862e-10,
        -3.200_829_653_668_055e-8,
        -2.190_828_741_459_457_5e-8,
        1.988_825_590_195_286_5e-7,
        1.246_351_559_407_618_6e-7,
        -1.309_967_950_433_074e-6,
        -6.889_778_076_996_533e-8,
        9.061_195_990_128_827e-6,
        -9.896_494_215_338_162e-6,
        -5.360_803_806_076_496e-5,
        1.823_342_090_821_521_5e-4,
        7.791_691_714_454_077e-6,
        -1.676_072_349_875_896e-3,
        6.522_000_656_127_449e-3,
        -1.517_041_540_239_452_5e-2,
        2.453_696_324_447_07e-2,
        -2.640_104_296_629_91e-2,
        1.000_235_238_520_466_6e-2,
        3.103_036_842_596_330_2e-2,
        -9.155_228_183_400_88e-2,
        0.461_515_829_850_037_75,
    ];
    let y = exp(-q);
    y.mul_add(-rest, y) * (polynomial((t - 5.0) / (t + 5.0), coefficients) / (1.0 + t))
}

/// As [`upper_tail`], from t alone.
#[inline(always)]
fn tail_beyond(t: f64) -> f64 {
    let q = 0.5 * t * t;
    upper_tail(t, q, (0.5 * t).mul_add(t, -q))
}

/// Distribution function of the normal distribution to 5 units in the last place.
#[inline(always)]
pub(in crate::kernel) fn normal_cdf(x: f64) -> f64 {
    let tail = tail_beyond(at_most(x.abs(), 39.5));
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// Density of the normal distribution to 3 units in the last place.
#[inline(always)]
pub(in crate::kernel) fn normal_density(x: f64) -> f64 {
    let t = at_most(x.abs(), 39.5);
    let q = 0.5 * t * t;
    let y = exp(-q);
    y.mul_add(-(0.5 * t).mul_add(t, -q), y) * 0.398_942_280_401_432_7 // 1/sqrt(2 pi)
}

/// Half of `1 - erf |x|`.
#[inline(always)]
fn half_complement(x: f64) -> f64 {
    let t = at_most(x.abs(), 27.9);
    let q = t * t;
    upper_tail(SQRT_2 * t, q, t.mul_add(t, -q))
}

/// The error function to 2 units in the last place.
#[inline(always)]
pub(in crate::kernel) fn erf(x: f64) -> f64 {
    let coefficients = [
        1.146_375_868_971_769_8e-8,
        -1.593_760_021_104_595e-7,
        1.643_038_823_426_104_5e-6,
        -1.492_417_663_837_048_5e-5,
        1.205_528_877_728_750_1e-4,
        -8.548_326_169_094_21e-4,
        5.223_977_615_122_376e-3,
        -2.686_617_064_440_249e-2,
        0.112_837_916_709_524_81,
        -0.376_126_389_031_837_15,
        std::f64::consts::FRAC_2_SQRT_PI,
    ];
    let near = x * polynomial(x * x, coefficients);
    let far = (-2.0f64).mul_add(half_complement(x), 1.0).copysign(x);
    if x.abs() < 0.75 { near } else { far }
}

/// `1 - erf x` to 5 units in the last place.
#[inline(always)]
pub(in crate::kernel) fn erfc(x: f64) -> f64 {
    let y = 2.0 * half_complement(x);
    if x > 0.0 { y } else { 2.0 - y }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of all exponents and both signs, subnormal ones too, and more of those that are neither tiny nor huge.
    fn numbers() -> impl Iterator<Item = f64> {
        let all = (0..400_000u64).map(|i| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).filter(|x| x.is_finite());
        all.chain((-400_000..400_000).map(|i| f64::from(i) * 1.1e-4)).chain((-400_000..400_000).map(|i| f64::from(i) * 1.9e-3))
    }

    /// Checks a function against another implementation, whose own error is at most one unit in the last place.
    fn agrees(name: &str, f: impl Fn(f64) -> f64, other: impl Fn(f64) -> f64, units: f64) {
        for x in numbers() {
            let (got, want) = (f(x), other(x));
            let unit = want.abs().next_up() - want.abs();
            let near = got == want || (got - want).abs() <= (units + 1.0) * unit || got.is_nan() && want.is_nan();
            assert!(near, "{name}({x:e}) = {got:e}, not {want:e}: {} units", (got - want).abs() / unit);
        }
    }

    #[test]
    fn functions_agree_with_other_implementations() {
        agrees("exp", exp, libm::exp, 1.0);
        agrees("exp_m1", exp_m1, libm::expm1, 2.0);
        agrees("ln", ln, libm::log, 1.0);
        agrees("ln_1p", ln_1p, libm::log1p, 2.0);
        agrees("tanh", tanh, libm::tanh, 3.0);
        agrees("erf", erf, libm::erf, 2.0);
        agrees("erfc", erfc, libm::erfc, 5.0);
    }

    #[test]
    fn the_ends_and_nan_stay_what_they_are() {
        const INF: f64 = f64::INFINITY;
        assert_eq!([-INF, INF, 709.79, -745.2, 0.0, -0.0].map(exp), [0.0, INF, INF, 0.0, 1.0, 1.0]);
        assert!(exp(709.782_712_893_383_9).is_finite() && exp(-745.13) == f64::from_bits(1));
        assert_eq!([-INF, INF, 709.79, -745.2].map(exp_m1), [-1.0, INF, INF, -1.0]);
        assert!(exp_m1(709.782_712_893_383_9).is_finite());
        assert_eq!([0.0, -0.0, 1.0, INF].map(ln), [-INF, -INF, 0.0, INF]);
        assert!(ln(-1.0).is_nan() && ln(-INF).is_nan() && ln_1p(-1.1).is_nan() && ln_1p(-INF).is_nan());
        assert_eq!([-1.0, INF].map(ln_1p), [-INF, INF]);
        assert!((ln_1p(f64::MAX) - 1024.0 * std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!([-INF, INF, 0.0].map(logistic), [0.0, 1.0, 0.5]);
        assert_eq!([-INF, INF, 0.0].map(normal_cdf), [0.0, 1.0, 0.5]);
        assert_eq!([-INF, INF].map(normal_density), [0.0, 0.0]);
        assert_eq!([-INF, INF, 0.0].map(erfc), [2.0, 0.0, 1.0]);
        for f in [tanh, erf] {
            assert_eq!([-INF, INF, 20.0].map(f), [-1.0, 1.0, 1.0]);
        }
        let small = [0.0, -0.0, 5e-324, -5e-324, 3e-308, -2e-200];
        for f in [tanh, ln_1p, exp_m1] {
            assert_eq!(small.map(|x| f(x).to_bits()), small.map(f64::to_bits));
        }
        assert_eq!([0.0, -0.0].map(|x| erf(x).to_bits()), [0.0, -0.0].map(f64::to_bits));
        let all = [exp, exp_m1, ln, ln_1p, tanh, logistic, erf, erfc];
        for payload in [0x7ff8_0000_0000_0000, 0x7ff8_0000_0000_0001, u64::MAX, 0x7ff0_0000_0000_0100] {
            assert!(all.iter().all(|f| f(f64::from_bits(payload)).is_nan()), "{payload:x}");
        }
    }
}
