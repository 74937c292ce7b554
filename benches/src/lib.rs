//! Shapes and inputs of the benchmarks.

use rbe_core::packed::PackedTensor;
use rbe_core::random::Generator;
use rbe_core::{DType, Result, array::Array};

/// Layers measured, inputs and outputs.
pub const LAYERS: [(usize, usize); 4] = [(256, 256), (768, 768), (768, 3072), (3072, 768)];

/// Batch sizes measured.
pub const BATCHES: [usize; 5] = [1, 8, 32, 128, 512];

/// A packed layer with one batch of inputs and upstream gradients.
pub struct Case {
    /// (outputs, inputs)
    pub weight: PackedTensor,
    /// Samples.
    pub batch: usize,
    /// (batch, inputs)
    pub x: Vec<f32>,
    /// (batch, outputs)
    pub dy: Vec<f32>,
}

impl Case {
    /// Normal inputs, random bits.
    ///
    /// # Errors
    /// `Shape` for a size of 0.
    pub fn new(inputs: usize, outputs: usize, batch: usize) -> Result<Case> {
        let mut generator = Generator::new(0);
        let weight = PackedTensor::random(&[outputs, inputs], None, generator.stream())?;
        let mut normal = |n: usize| {
            let mut out = vec![0.0f32; n];
            generator.stream().normal(&mut out);
            out
        };
        Ok(Case { weight, batch, x: normal(batch * inputs), dy: normal(batch * outputs) })
    }

    /// Multiplications and additions of one product.
    pub fn macs(&self) -> u64 {
        (self.weight.rows() * self.weight.cols() * self.batch) as u64
    }

    /// An f32 buffer of `n` zeros, of the pool.
    pub fn buffer(n: usize) -> Array {
        Array::zeros(DType::F32, &[n])
    }
}
