//! Special functions of single numbers, in double precision.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

/// The inverse of the error function; NaN beyond ±1.
///
/// A starting value by the rational functions of Giles ("Approximating the erfinv function", 2012), which has single precision where `y`
/// has it, then steps of Halley's method.
pub fn erf_inverse(y: f64) -> f64 {
    if y.abs() >= 1.0 || y.is_nan() {
        return if y.abs() == 1.0 { f64::INFINITY.copysign(y) } else { f64::NAN };
    }
    let w = -((1.0 - y) * (1.0 + y)).ln();
    let near = [
        2.810_226_36e-08,
        3.432_739_39e-07,
        -3.523_387_7e-06,
        -4.391_506_54e-06,
        0.000_218_580_87,
        -0.001_253_725_03,
        -0.004_177_681_64,
        0.246_640_727,
        1.501_409_41,
    ];
    let far = [
        -0.000_200_214_257,
        0.000_100_950_558,
        0.001_349_343_22,
        -0.003_673_428_44,
        0.005_739_507_73,
        -0.007_622_461_3,
        0.009_438_870_47,
        1.001_674_06,
        2.832_976_82,
    ];
    let polynomial = |c: &[f64], w: f64| c.iter().fold(0.0, |sum, c| sum * w + c);
    let size = y.abs();
    let mut x = size * if w < 5.0 { polynomial(&near, w - 2.5) } else { polynomial(&far, w.sqrt() - 3.0) };
    for _ in 0..if w < 16.0 { 2 } else { 5 } {
        // Near 1 the complement has the digits that the function itself has lost.
        let error = if size < 0.5 { libm::erf(x) - size } else { (1.0 - size) - libm::erfc(x) };
        let step = error / (FRAC_2_SQRT_PI * (-x * x).exp());
        x -= step / (1.0 + x * step);
    }
    x.copysign(y)
}

/// The derivative of `ln |Γ|`: NaN at the negative integers, infinite at 0.
pub fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY.copysign(-x);
    }
    if x < 0.0 {
        let whole = x.trunc();
        return if x == whole { f64::NAN } else { digamma(1.0 - x) - PI / (PI * (x - whole)).tan() };
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = [1.0 / 12.0, -691.0 / 32760.0, 1.0 / 132.0, -1.0 / 240.0, 1.0 / 252.0, -1.0 / 120.0, 1.0 / 12.0];
    sum + x.ln() - 0.5 / x - square * series.iter().fold(0.0, |sum, c| sum * square + c)
}

/// The second derivative of `ln |Γ|`.
pub fn trigamma(x: f64) -> f64 {
    if x < 0.5 {
        let sine = (PI * (x - x.trunc())).sin();
        return PI * PI / (sine * sine) - trigamma(1.0 - x);
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = [7.0 / 6.0, -691.0 / 2730.0, 5.0 / 66.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 1.0 / 6.0];
    sum + 1.0 / x + 0.5 * square + square / x * series.iter().fold(0.0, |sum, c| sum * square + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 2e-15 * expected.abs().max(1.0), "{got:e} is not {expected:e}");
    }

    #[test]
    fn the_inverse_of_the_error_function_is_exact_to_a_few_places() {
        for i in -9_999..10_000 {
            let y = f64::from(i) / 10_000.0;
            let error = (libm::erf(erf_inverse(y)) - y).abs();
            assert!(error <= 4.0 * f64::EPSILON * y.abs(), "{y}: {error:e}");
        }
        for k in 4..16 {
            let rest = 10f64.powi(-k);
            let y = 1.0 - rest;
            let found = libm::erfc(erf_inverse(y));
            assert!((found - (1.0 - y)).abs() <= 1e-13 * rest, "1 - {rest:e}: {found:e}");
            assert_eq!(erf_inverse(-y), -erf_inverse(y));
        }
        assert_eq!([1.0, -1.0, 0.0].map(erf_inverse), [f64::INFINITY, f64::NEG_INFINITY, 0.0]);
        assert!([1.5, -2.0, f64::NAN].map(erf_inverse).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn derivatives_of_the_logarithm_of_the_gamma_function_have_their_known_values() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        close(digamma(1.0), -EULER);
        close(digamma(2.0), 1.0 - EULER);
        close(digamma(0.5), -EULER - 2.0 * std::f64::consts::LN_2);
        close(digamma(-0.5), digamma(0.5) + 2.0);
        close(digamma(1e10), 10.0 * std::f64::consts::LN_10 - 5e-11);
        close(trigamma(1.0), PI * PI / 6.0);
        close(trigamma(0.5), PI * PI / 2.0);
        close(trigamma(-0.5), trigamma(0.5) + 4.0);
        assert_eq!([0.0, -0.0].map(digamma), [f64::NEG_INFINITY, f64::INFINITY]);
        assert!(digamma(-3.0).is_nan());
    }
}
