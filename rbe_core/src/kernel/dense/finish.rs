//! What follows a product in the same call: a bias is added to its rows, and a function applied, while they are in the cache.

use super::elementary::Elementary;
use crate::isa::multiversion;
use crate::parallel;

/// A function that is applied to a product, with the bits of the operation of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `x · Φ(x)` with the normal distribution function Φ.
    Gelu,
    /// `x · sigmoid(x)`.
    Silu,
}

impl Activation {
    /// The function of a name.
    pub fn by_name(name: &str) -> Option<Activation> {
        Some(match name {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            "sigmoid" => Activation::Sigmoid,
            "gelu" => Activation::Gelu,
            "silu" => Activation::Silu,
            _ => return None,
        })
    }
}

/// Elements that a thread takes at a time.
const PIECE: usize = 1 << 15;

/// `rows <- f(rows + bias)`, each row as long as the bias.
///
/// # Panics
/// If the rows are not of the length of the bias.
pub fn finish<T: Elementary>(rows: &mut [T], bias: Option<&[T]>, activation: Option<Activation>) {
    let width = bias.map_or(rows.len(), <[T]>::len).max(1);
    assert!(bias.is_none() || rows.len().is_multiple_of(width), "finish: rows as long as the bias");
    if bias.is_none() && activation.is_none() || rows.is_empty() {
        return;
    }
    let piece = if bias.is_some() { (PIECE / width).max(1) * width } else { PIECE };
    if rows.len() <= piece {
        return of_rows(rows, bias.unwrap_or(&[]), activation);
    }
    parallel::for_each_piece(rows, piece, |_, rows| of_rows(rows, bias.unwrap_or(&[]), activation));
}

/// `rows <- f(other + rows)`: numbers are added in place of a bias.
///
/// # Panics
/// If there are fewer of them than elements.
pub fn finish_sum<T: Elementary>(rows: &mut [T], other: &[T], activation: Option<Activation>) {
    of_rows(rows, &other[..rows.len()], activation);
}

/// `out = alpha x + y`, rounded after the product too, or `alpha x`.
///
/// # Panics
/// If `x` or `y` has fewer elements than `out`.
pub fn scaled_sum<T: Elementary>(alpha: T, x: &[T], y: Option<&[T]>, out: &mut [T]) {
    if out.len() <= PIECE {
        return scaled(alpha, x, y, out);
    }
    parallel::for_each_piece(out, PIECE, |i, out| {
        let part = |v: &'_ [T]| i * PIECE..(i * PIECE + out.len()).min(v.len());
        scaled(alpha, &x[part(x)], y.map(|y| &y[part(y)]), out);
    });
}

multiversion! {
    fn scaled[T: Elementary](alpha: T, x: &[T], y: Option<&[T]>, out: &mut [T]) {
        let x = &x[..out.len()];
        match y {
            Some(y) => {
                let y = &y[..out.len()];
                for i in 0..out.len() {
                    out[i] = x[i] * alpha + y[i];
                }
            }
            None => {
                for i in 0..out.len() {
                    out[i] = x[i] * alpha;
                }
            }
        }
    }
}

multiversion! {
    fn of_rows[T: Elementary](rows: &mut [T], bias: &[T], activation: Option<Activation>) {
        macro_rules! each {
            ($x:ident => $value:expr) => {
                if bias.is_empty() {
                    for o in rows.iter_mut() {
                        let $x = *o;
                        *o = $value;
                    }
                } else {
                    for row in rows.chunks_exact_mut(bias.len()) {
                        for (o, b) in row.iter_mut().zip(bias) {
                            let $x = *o + *b;
                            *o = $value;
                        }
                    }
                }
            };
        }
        match activation {
            None if bias.is_empty() => {}
            None => {
                for row in rows.chunks_exact_mut(bias.len()) {
                    for (o, b) in row.iter_mut().zip(bias) {
                        *o += *b;
                    }
                }
            }
            Some(Activation::Relu) => each!(x => if x > T::zero() || x.is_nan() { x } else { T::zero() }),
            Some(Activation::Tanh) => each!(x => x.fast_tanh()),
            Some(Activation::Sigmoid) => each!(x => x.fast_logistic()),
            Some(Activation::Gelu) => each!(x => x * x.normal_cdf()),
            Some(Activation::Silu) => each!(x => x * x.fast_logistic()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, set_isa};
    use crate::tape::RBETensor;

    #[test]
    fn results_have_the_bits_of_the_operations() {
        type Of = fn(&RBETensor) -> crate::Result<RBETensor>;
        let all: [(&str, Of); 5] = [
            ("relu", RBETensor::relu),
            ("tanh", RBETensor::tanh),
            ("sigmoid", RBETensor::sigmoid),
            ("gelu", RBETensor::gelu),
            ("silu", RBETensor::silu),
        ];
        for isa in Isa::for_tests() {
            set_isa(Some(isa.name())).unwrap();
            for (n, width) in [(1, 1), (3, 37), (200, 300)] {
                let x: Vec<f32> = (0..n * width).map(|i| (i as f32 * 0.37).sin() * 5.0).collect();
                let bias: Vec<f32> = (0..width).map(|i| (i as f32 * 0.71).cos()).collect();
                for (name, of) in all {
                    let tensor = |v: &[f32], shape: &[usize]| RBETensor::from_array(crate::array::Array::from_slice(v, shape).unwrap());
                    let want = of(&tensor(&x, &[n, width]).add(&tensor(&bias, &[width])).unwrap()).unwrap();
                    let mut found = x.clone();
                    finish(&mut found, Some(&bias), Activation::by_name(name));
                    assert!(found == want.array("test").unwrap().to_vec::<f32>().unwrap(), "{name} {n} {width} {}", isa.name());
                }
            }
        }
        set_isa(None).unwrap();
    }

    #[test]
    fn nothing_is_done_without_bias_and_function_and_no_rows_are_no_error() {
        let mut rows = vec![1.0f64, -1.0];
        finish(&mut rows, None, None);
        assert_eq!(rows, [1.0, -1.0]);
        finish_sum(&mut rows, &[1.0, 2.0, 3.0], Some(Activation::Relu));
        assert_eq!(rows, [2.0, 1.0]);
        finish::<f64>(&mut [], Some(&[1.0]), None);
        assert_eq!(Activation::by_name("cosine"), None);
    }

    #[test]
    fn scaled_sums_are_rounded_twice() {
        for n in [0, 1, 100, 3 * PIECE + 5] {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let y: Vec<f32> = (0..n).map(|i| (i as f32 * 0.71).cos()).collect();
            let mut out = vec![0.0; n];
            scaled_sum(0.3, &x, Some(&y), &mut out);
            assert!(out.iter().zip(x.iter().zip(&y)).all(|(o, (x, y))| *o == 0.3 * x + y));
            scaled_sum(0.3, &x, None, &mut out);
            assert!(out.iter().zip(&x).all(|(o, x)| *o == 0.3 * x));
        }
    }
}
