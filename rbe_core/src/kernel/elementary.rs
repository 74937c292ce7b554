//! Exponentials, logistic and tanh of whole rows: written once in plain Rust without branches, compiled for every
//! instruction set. No fused multiply-add is used, so all sets give the same bits.

use super::isa::{Isa, isa};
use crate::dtype::Float;

/// Sums run in this many lanes, folded in order.
const LANES: usize = 16;

/// Row operations of attention and recurrent cells, in f32 by the functions below and in f64 by the standard library.
pub trait Elementary: Float {
    /// The largest element, minus infinity for none; NaN is passed over.
    fn largest(row: &[Self]) -> Self;
    /// `x <- e^(x - shift)`; the sum of the results.
    fn exp_minus(row: &mut [Self], shift: Self) -> Self;
    /// `x <- 1 / (1 + e^-x)`.
    fn logistic_in_place(row: &mut [Self]);
    /// `x <- tanh x`.
    fn tanh_in_place(row: &mut [Self]);
}

/// `e^x` to 2 units in the last place; 0 where the result would be subnormal, infinity above the largest number.
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

#[inline(always)]
fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Rational approximation in x² (Eigen's), to 4 units in the last place; ±1 beyond ±7.9.
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
    c * p / q
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], chunk[i]);
        }
    }
    lanes.iter().chain(chunks.remainder()).fold(f32::NEG_INFINITY, |a, b| larger(a, *b))
}

#[inline(always)]
fn exp_minus(row: &mut [f32], shift: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let mut chunks = row.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            chunk[i] = exp(chunk[i] - shift);
            lanes[i] += chunk[i];
        }
    }
    for (x, lane) in chunks.into_remainder().iter_mut().zip(&mut lanes) {
        *x = exp(*x - shift);
        *lane += *x;
    }
    lanes.iter().sum()
}

#[inline(always)]
fn each(row: &mut [f32], f: impl Fn(f32) -> f32) {
    row.iter_mut().for_each(|x| *x = f(*x));
}

/// Compiles a body for every instruction set and calls the one in use.
macro_rules! by_isa {
    (fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $body:block) => {
        fn $name($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $result)? $body
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn avx512($($argument: $type),*) $(-> $result)? $body
                match isa() {
                    // SAFETY: `isa` is one of this machine's.
                    Isa::Avx512 | Isa::Amx => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    Isa::Avx2 => return unsafe { avx2($($argument),*) },
                    Isa::Scalar => {}
                }
            }
            $body
        }
    };
}

impl Elementary for f32 {
    by_isa! { fn largest(row: &[f32]) -> f32 { largest(row) } }
    by_isa! { fn exp_minus(row: &mut [f32], shift: f32) -> f32 { exp_minus(row, shift) } }
    by_isa! { fn logistic_in_place(row: &mut [f32]) { each(row, logistic) } }
    by_isa! { fn tanh_in_place(row: &mut [f32]) { each(row, tanh) } }
}

impl Elementary for f64 {
    fn largest(row: &[f64]) -> f64 {
        row.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn exp_minus(row: &mut [f64], shift: f64) -> f64 {
        row.iter_mut().for_each(|x| *x = (*x - shift).exp());
        row.iter().sum()
    }

    fn logistic_in_place(row: &mut [f64]) {
        row.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
    }

    fn tanh_in_place(row: &mut [f64]) {
        row.iter_mut().for_each(|x| *x = x.tanh());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from -100 to 100, dense around 0.
    fn numbers() -> Vec<f32> {
        (-20_000..=20_000).map(|i| (i as f32 / 2000.0).powi(3) / 10.0).collect()
    }

    #[test]
    fn rows_agree_with_the_standard_library() {
        let x = numbers();
        let near = |got: f32, want: f64, relative: f64| {
            let tiny = f64::from(f32::MIN_POSITIVE);
            if want > f64::from(f32::MAX) {
                return got == f32::INFINITY;
            }
            (f64::from(got) - want).abs() <= relative * want.abs() + tiny
        };
        let (mut e, mut s, mut t) = (x.clone(), x.clone(), x.clone());
        let sum = f32::exp_minus(&mut e[..30_000], 1.5);
        f32::logistic_in_place(&mut s);
        f32::tanh_in_place(&mut t);
        for (i, x) in x.iter().enumerate() {
            let wide = f64::from(*x);
            if i < 30_000 {
                assert!(near(e[i], f64::from(x - 1.5).exp(), 3e-7), "exp({x} - 1.5) = {}", e[i]);
            }
            assert!(near(s[i], 1.0 / (1.0 + (-wide).exp()), 4e-7), "logistic({x}) = {}", s[i]);
            assert!(near(t[i], wide.tanh(), 4e-7), "tanh({x}) = {}", t[i]);
        }
        let want: f64 = x[..30_000].iter().map(|x| f64::from(x - 1.5).exp()).sum();
        assert!((f64::from(sum) - want).abs() < 1e-5 * want);
    }

    #[test]
    fn the_ends_and_nan_stay_what_they_are() {
        let mut e = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 88.72, 89.0, -88.0];
        f32::exp_minus(&mut e, 0.0);
        assert!(e[0] == 0.0 && e[1] == f32::INFINITY && e[2].is_nan(), "{e:?}");
        assert!(e[3] > 3.3e38 && e[3].is_finite() && e[4] == f32::INFINITY && e[5] == 0.0, "{e:?}");
        let mut t = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 0.0];
        f32::tanh_in_place(&mut t);
        assert!((t[0] + 1.0).abs() < 1e-6 && (t[1] - 1.0).abs() < 1e-6 && t[2].is_nan() && t[3] == 0.0, "{t:?}");
        let mut s = [f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
        f32::logistic_in_place(&mut s);
        assert!(s[0] == 0.0 && s[1] == 1.0 && s[2].is_nan());
        assert_eq!(f32::largest(&[]), f32::NEG_INFINITY);
        assert_eq!(f32::largest(&numbers()), 100.0);
    }
}
