//! Remainders of divisions, exact, and the quotients that belong to them.

use crate::dtype::Float;

/// Whether the quotient of `a` and `b` is so large, or so special, that [`near_fmod`] does not hold for it.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord)] // NaN is far, too
pub(crate) fn is_far<T: Float>(a: T, b: T) -> bool {
    let limit = T::one() / (T::epsilon() + T::epsilon()); // 2^22 or 2^51: a rounded quotient is less than 1/2 from the true one
    !((a / b).abs() < limit)
}

/// `a - b trunc(a / b)` without a rounding error, of the sign of `a`: C's `fmod`, unless [`is_far`]. Without a call, so that loops
/// of it become vectors.
#[inline(always)]
pub(crate) fn near_fmod<T: Float>(a: T, b: T) -> T {
    // The rounded quotient truncates to the true one or to one more; with either the difference is exact, for it is a multiple
    // of b's last place and no larger than b.
    let rest = (-(a / b).trunc()).mul_add(b, a);
    let beyond = rest != T::zero() && (rest < T::zero()) != (a < T::zero());
    let rest = if beyond { rest + b.abs().copysign(a) } else { rest };
    if a.abs() < b.abs() { a } else { rest.abs().copysign(a) }
}

/// The remainder of the sign of `b` that belongs to C's, as Python's `%`; a zero has the sign of `b`, too.
#[inline(always)]
pub(crate) fn of_divisors_sign<T: Float>(fmod: T, b: T) -> T {
    if fmod == T::zero() {
        T::zero().copysign(b)
    } else if (fmod < T::zero()) != (b < T::zero()) {
        fmod + b
    } else {
        fmod
    }
}

/// The floor of `a / b` that belongs to C's remainder: that of the true quotient, not of the rounded one.
#[inline(always)]
pub(crate) fn floor_quotient<T: Float>(a: T, b: T, fmod: T) -> T {
    let rounded = a / b;
    let quotient = (a - fmod) / b;
    let below = fmod != T::zero() && (fmod < T::zero()) != (b < T::zero());
    let quotient = if below { quotient - T::one() } else { quotient };
    let floor = quotient.floor();
    let nearest = if quotient - floor > T::of(0.5) { floor + T::one() } else { floor };
    if b == T::zero() {
        rounded
    } else if quotient == T::zero() {
        T::zero().copysign(rounded)
    } else {
        nearest
    }
}

/// `a / b` of integers, rounded down.
pub(crate) fn floor_division(a: i64, b: i64) -> i64 {
    let quotient = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient }
}

/// `a - b floor(a / b)` of integers.
pub(crate) fn floor_remainder(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
}

/// `base` to an integer power, of which the lowest 64 bits stay; of a negative power what is left of the fraction towards zero.
pub(crate) fn integer_power(base: i64, exponent: i64) -> i64 {
    if exponent < 0 {
        return match base {
            1 => 1,
            -1 if exponent % 2 == 0 => 1,
            -1 => -1,
            _ => 0,
        };
    }
    let (mut power, mut square, mut rest) = (1i64, base, exponent);
    while rest > 0 {
        if rest % 2 == 1 {
            power = power.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        rest /= 2;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Vec<f64> {
        let mut some =
            vec![0.0, -0.0, 1.0, -1.0, 0.1, 3.0, -7.0, 1e17, 1e-300, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        some.extend((1..200).map(|i| (f64::from(i) * 12.9898).sin() * 10f64.powi(i % 13 - 6)));
        some.extend((1..60).map(|i| f64::from(i) * 0.25));
        some
    }

    fn same<T: Float>(got: T, want: T) -> bool {
        got == want && got.is_sign_negative() == want.is_sign_negative() || got.is_nan() && want.is_nan()
    }

    fn check<T: Float>(numbers: &[T]) {
        for a in numbers {
            for b in numbers {
                if !is_far(*a, *b) {
                    assert!(same(near_fmod(*a, *b), *a % *b), "{a:?} % {b:?}: {:?}, not {:?}", near_fmod(*a, *b), *a % *b);
                }
            }
        }
    }

    #[test]
    fn near_remainders_are_exact() {
        check::<f64>(&numbers());
        check::<f32>(&numbers().into_iter().map(|v| v as f32).collect::<Vec<_>>());
        // Quotients that round up to the next integer.
        let steps: Vec<f32> = (1..3000u32).flat_map(|i| [f32::from_bits((i as f32 * 0.1).to_bits() - 1), i as f32 * 0.1]).collect();
        for a in &steps {
            assert!(same(near_fmod(*a, 0.1), *a % 0.1), "{a}");
        }
    }

    #[test]
    fn quotients_belong_to_remainders() {
        let floor = |a: f64, b: f64| floor_quotient(a, b, a % b);
        assert_eq!([floor(0.25, 0.001), floor(5.0, -f64::INFINITY), floor(-1.0, 0.1), floor(1.0, 0.1)], [249.0, -1.0, -10.0, 9.0]);
        assert_eq!([floor(1.0, 0.0), floor(-7.0, 2.0), floor(6.0, 2.0)], [f64::INFINITY, -4.0, 3.0]);
        assert_eq!([of_divisors_sign(5.0, f64::INFINITY), of_divisors_sign(-1.0, 3.0), of_divisors_sign(1.0, -3.0)], [5.0, 2.0, -2.0]);
        for (a, b) in [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3), (-6, 3), (i64::MIN, -1), (0, 5)] {
            assert_eq!(floor_division(a, b).wrapping_mul(b).wrapping_add(floor_remainder(a, b)), a);
        }
        assert_eq!([integer_power(3, 20), integer_power(-2, 63), integer_power(0, 0)], [3_486_784_401, i64::MIN, 1]);
        assert_eq!([integer_power(2, -1), integer_power(-1, -3), integer_power(1, i64::MIN)], [0, -1, 1]);
    }
}
