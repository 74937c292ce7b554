//! Floats of 16 bits to float32 and back: IEEE's half precision (float16), and the upper half of a float32 (bfloat16, "brain float").
//!
//! To float32 every value is exact. Back it is rounded to the nearest, and of two equally near to the one whose last bit is 0; what is too
//! large becomes infinite, and NaN stays NaN. The formulas have no branches, so that the compiler turns the loops into vector code.

use crate::isa::multiversion;

const INFINITE: u32 = 0x7f80_0000; // float32's infinity
const SIGN: u32 = 0x8000_0000;

/// The value of a half.
#[inline(always)]
fn wide(h: u16) -> f32 {
    let rest = u32::from(h & 0x7fff);
    // In the place of a float32's exponent a half's is too small by 112; a product by a power of two is exact for subnormals, too.
    let value = (f32::from_bits(rest << 13) * f32::from_bits((127 + 112) << 23)).to_bits();
    let value = if rest >= 0x7c00 { value | INFINITE } else { value };
    f32::from_bits(value | u32::from(h & 0x8000) << 16)
}

/// The half nearest to a number.
#[inline(always)]
fn narrow(v: f32) -> u16 {
    let bits = v.to_bits();
    let (sign, rest) = ((bits & SIGN) >> 16, bits & !SIGN);
    // From 2^16 on infinite; up to there a carry out of the fraction leads to the next exponent, and at last to infinity.
    let large = if rest > INFINITE { 0x7e00 } else { 0x7c00 };
    let normal = rest.wrapping_sub(112 << 23).wrapping_add(0xfff + (rest >> 13 & 1)) >> 13;
    // Below 2^-14 a half is a multiple of 2^-24, which is the last place of numbers from 0.5 to 1: the sum rounds.
    let small = (f32::from_bits(rest) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    let value = if rest >= 143 << 23 {
        large
    } else if rest < 113 << 23 {
        small
    } else {
        normal
    };
    (value | sign) as u16
}

/// The value of a bfloat16.
#[inline(always)]
fn brain_wide(h: u16) -> f32 {
    f32::from_bits(u32::from(h) << 16)
}

/// The bfloat16 nearest to a number.
#[inline(always)]
fn brain_narrow(v: f32) -> u16 {
    let bits = v.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let nan = bits >> 16 | 0x40; // a payload in the lower half must not be lost
    (if bits & !SIGN > INFINITE { nan } else { nearest }) as u16
}

/// A float32 next to `v` from which shorter floats round as from `v` itself: of the two around it, the one whose last bit is 1.
#[inline(always)]
pub(crate) fn to_odd(v: f64) -> f32 {
    let near = v as f32;
    if f64::from(near) == v || v.is_nan() {
        return near;
    }
    let beyond = u32::from(f64::from(near).abs() > v.abs());
    f32::from_bits((near.to_bits() - beyond) | 1)
}

macro_rules! conversions {
    ($($(#[doc = $doc:literal])* $name:ident $one:ident $from:ty, $to:ty;)*) => {$(
        multiversion! {
            $(#[doc = $doc])*
            pub(crate) fn $name(from: &[$from], to: &mut [$to]) where narrow(true) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = $one(*from));
            }
        }
    )*};
}

conversions! {
    /// The values of halves.
    widened wide u16, f32;
    /// The halves nearest to numbers.
    rounded narrow f32, u16;
    /// The values of bfloat16 numbers.
    brain_widened brain_wide u16, f32;
    /// The bfloat16 numbers nearest to numbers.
    brain_rounded brain_narrow f32, u16;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a float with `places` bits after the leading one and exponents from `least`, by its fields.
    fn by_fields(h: u16, places: u32, least: i32) -> f64 {
        let (exponent, fraction) = (i32::from((h & 0x7fff) >> places), f64::from(h & ((1 << places) - 1)));
        let (top, unit) = ((1 << (15 - places)) - 1, 2f64.powi(-(places as i32)));
        let sign = if h >> 15 == 1 { -1.0 } else { 1.0 };
        match exponent {
            0 => sign * fraction * unit * 2f64.powi(least),
            e if e == top && fraction == 0.0 => sign * f64::INFINITY,
            e if e == top => f64::NAN,
            e => sign * (1.0 + fraction * unit) * 2f64.powi(least + e - 1),
        }
    }

    #[test]
    fn all_halves_have_the_value_of_their_fields_and_come_back() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let (mut values, mut back) = (vec![0.0; all.len()], vec![0; all.len()]);
        type Case = (fn(&[u16], &mut [f32]), fn(&[f32], &mut [u16]), u32, i32);
        let cases: [Case; 2] = [(widened, rounded, 10, -14), (brain_widened, brain_rounded, 7, -126)];
        for (wide, narrow, places, least) in cases {
            wide(&all, &mut values);
            narrow(&values, &mut back);
            for (h, (v, again)) in all.iter().zip(values.iter().zip(&back)) {
                let want = by_fields(*h, places, least);
                assert!(f64::from(*v).to_bits() == want.to_bits() || v.is_nan() && want.is_nan(), "{h:#x}: {v} for {want}");
                let is_nan = by_fields(*again, places, least).is_nan();
                assert!(again == h || v.is_nan() && is_nan && again >> 15 == h >> 15, "{h:#x} came back as {again:#x}");
            }
        }
    }

    /// Between two neighbours: what is below the middle goes to the lower, above to the upper, the middle to the even one.
    #[test]
    fn numbers_between_halves_go_to_the_nearest_and_ties_to_even() {
        for (wide, narrow, top) in [(wide as fn(u16) -> f32, narrow as fn(f32) -> u16, 0x7c00u16), (brain_wide, brain_narrow, 0x7f80)] {
            for low in 0..top {
                // After the largest number comes what would be the next, were there no infinity.
                let (a, high) = (f64::from(wide(low)), low + 1);
                let b = if high == top { 2.0 * a - f64::from(wide(low - 1)) } else { f64::from(wide(high)) };
                let middle = f64::midpoint(a, b);
                let even = if low % 2 == 0 { low } else { high };
                let around = |v: f64, step: f64| f64::from_bits(v.to_bits().wrapping_add_signed(step as i64));
                for sign in [1.0, -1.0] {
                    let bit = if sign < 0.0 { 0x8000 } else { 0 };
                    let tried = [(middle, even), (around(middle, -1.0), low), (around(middle, 1.0), high)];
                    for (v, want) in tried {
                        assert_eq!(narrow(to_odd(sign * v)), want | bit, "{v:e} between {a:e} and {b:e}");
                    }
                    let exact = middle as f32; // half of a last place more than the shorter float has: float32 holds it, but below its least
                    if f64::from(exact) == middle {
                        assert_eq!(narrow(sign as f32 * exact), even | bit, "{middle:e}");
                        let (below, above) = (f32::from_bits(exact.to_bits() - 1), f32::from_bits(exact.to_bits() + 1));
                        assert_eq!((narrow(below), narrow(above)), (low, high), "around {middle:e}");
                    }
                }
            }
            assert_eq!(narrow(f32::MAX), top);
            assert_eq!(narrow(to_odd(f64::MAX)), top);
            assert_eq!(narrow(to_odd(-f64::INFINITY)), top | 0x8000);
            assert_eq!(narrow(to_odd(f64::from_bits(1))), 0);
            assert!(wide(narrow(f32::from_bits(0x7f80_0001))).is_nan() && wide(narrow(to_odd(f64::NAN))).is_nan());
        }
    }
}
