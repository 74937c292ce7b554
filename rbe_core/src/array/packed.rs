//! Dense arrays to packed tensors, and back.

use super::Array;
use crate::dtype::{DType, Float};
use crate::error::Result;
use crate::memory;
use crate::packed::PackedTensor;

impl PackedTensor {
    /// The weights as a dense array of the logical shape.
    pub fn to_dense<T: Float>(&self) -> Array {
        Array::build(self.shape(), |out: &mut [T]| self.decode(out))
    }

    /// The packed tensor nearest to a dense array (out, …): for every block the two levels and the choice between them
    /// with the least squared error.
    ///
    /// `scale` defaults to `1 / sqrt(columns)`, or more where a block's levels would otherwise lie beyond the reach of the
    /// disk; with a given scale such levels are pulled back to it.
    ///
    /// # Errors
    /// `NonFinite` for NaN or infinity; `Shape` for fewer than two axes; `Value` for a scale that is not positive;
    /// `Memory` if the system refuses memory.
    pub fn encode(dense: &Array, scale: Option<f32>) -> Result<PackedTensor> {
        memory::guard("encode", || PackedTensor::nearest(&dense.cast(DType::F32).to_vec::<f32>()?, dense.shape(), scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RbeError;
    use crate::random::Generator;

    fn normal(rows: usize, cols: usize) -> Array {
        Array::build(&[rows, cols], |out: &mut [f32]| Generator::new(3).stream().normal(out))
    }

    fn error(a: &Array, w: &PackedTensor) -> f64 {
        let (a, b) = (a.to_vec::<f32>().unwrap(), w.to_dense::<f32>().to_vec::<f32>().unwrap());
        let square = |v: f32| f64::from(v) * f64::from(v);
        a.iter().zip(&b).map(|(a, b)| square(a - b)).sum::<f64>() / a.iter().map(|a| square(*a)).sum::<f64>()
    }

    #[test]
    fn a_gaussian_matrix_keeps_two_thirds_of_its_energy() {
        let a = normal(256, 256);
        let e = error(&a, &PackedTensor::encode(&a, None).unwrap());
        // 1 - 2/π = 0.363 for endless blocks; 0.342 for 64, by NumPy over all splits of 2048 to 6144 sorted Gaussian blocks.
        assert!((e - 0.342).abs() < 0.004, "{e}");
    }

    #[test]
    fn no_other_choice_of_bits_is_better() {
        let a = normal(4, 9);
        let w = PackedTensor::encode(&a, None).unwrap();
        let values = a.to_vec::<f32>().unwrap();
        for n in 0..4 {
            let row: Vec<f64> = values[n * 9..(n + 1) * 9].iter().map(|v| f64::from(*v)).collect();
            let cost = |bits: u32| -> f64 {
                (0..2)
                    .map(|side| {
                        let part: Vec<f64> = (0..9).filter(|k| bits >> k & 1 == side).map(|k| row[k]).collect();
                        let mean = part.iter().sum::<f64>() / part.len().max(1) as f64;
                        part.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
                    })
                    .sum()
            };
            let best = (0..512).map(cost).fold(f64::INFINITY, f64::min);
            assert!((cost(w.hi()[n] as u32) - best).abs() < 1e-9);
        }
    }

    #[test]
    fn two_level_matrices_survive_and_bad_ones_are_refused() {
        let w = PackedTensor::random(&[5, 70], None, Generator::new(1).stream()).unwrap();
        let again = PackedTensor::encode(&w.to_dense::<f32>(), Some(w.scale())).unwrap();
        let (a, b) = (w.to_dense::<f32>().to_vec::<f32>().unwrap(), again.to_dense::<f32>().to_vec::<f32>().unwrap());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6));
        let constant = Array::full(DType::F32, &[2, 64], 40.0);
        assert!(error(&constant, &PackedTensor::encode(&constant, None).unwrap()) < 1e-9);
        let nan = Array::full(DType::F32, &[2, 64], f64::NAN);
        assert!(matches!(PackedTensor::encode(&nan, None), Err(RbeError::NonFinite(_))));
    }
}
