//! Layers.

use super::model::Layer;
use crate::array::Array;
use crate::disk;
use crate::dtype::DType;
use crate::error::{RbeError, Result};
use crate::memory;
use crate::op::Running;
use crate::packed::{CYCLE_BITS, Cycle, Family, PackedTensor};
use crate::random;
use crate::tape::RBETensor;

fn uniform(shape: &[usize], bound: f32) -> Result<RBETensor> {
    let fill = |out: &mut [f32]| {
        random::stream().uniform(out);
        out.iter_mut().for_each(|v| *v = (2.0 * *v - 1.0) * bound);
    };
    memory::guard("uniform", || RBETensor::from_array(Array::build(shape, fill)).requiring_grad())
}

fn check(op: &'static str, inputs: usize, outputs: usize) -> Result<f32> {
    if inputs == 0 || outputs == 0 {
        return Err(RbeError::shape(op, "positive sizes", format!("{inputs} and {outputs}")));
    }
    Ok(1.0 / (inputs as f32).sqrt())
}

/// `y = x Wᵀ + b` with a packed weight.
pub struct RBELinear {
    weight: RBETensor,
    bias: RBETensor,
    code: Code,
    inputs: usize,
}

/// What the bits of a packed weight's blocks mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Each of 64 bits chooses between the block's two levels.
    Levels,
    /// Eleven bits are a cycle state, which generates the block's 64 weights: [`RBETensor::cycle_linear`]. It trains worse.
    Cycle,
}

impl RBELinear {
    /// Layer of `inputs` to `outputs` features, with random bits and levels ±1 / sqrt(inputs).
    ///
    /// # Errors
    /// `Shape` for a size of 0.
    pub fn new(inputs: usize, outputs: usize) -> Result<RBELinear> {
        RBELinear::with_code(inputs, outputs, Code::Levels)
    }

    /// As [`RBELinear::new`] with blocks of a code.
    ///
    /// # Errors
    /// `Shape` for a size of 0.
    pub fn with_code(inputs: usize, outputs: usize, code: Code) -> Result<RBELinear> {
        let bound = check("RBELinear", inputs, outputs)?;
        let weight = memory::guard("RBELinear", || match code {
            Code::Levels => PackedTensor::initial(&[outputs, inputs], None, random::stream),
            Code::Cycle => PackedTensor::initial_cycles([outputs, inputs], random::stream),
        })?;
        Ok(RBELinear { weight: RBETensor::from_packed(weight, true), bias: uniform(&[outputs], bound)?, code, inputs })
    }

    /// The packed weight: (outputs, inputs), or (outputs · blocks of a row, 11) with cycle states.
    pub fn weight(&self) -> &RBETensor {
        &self.weight
    }
}

impl Layer for RBELinear {
    fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        match self.code {
            Code::Levels => x.packed_linear(&self.weight, Some(&self.bias)),
            Code::Cycle if x.shape().last() != Some(&self.inputs) => {
                Err(RbeError::shape("RBELinear", format!("x (…, {})", self.inputs), format!("{:?}", x.shape())))
            }
            Code::Cycle => x.cycle_linear(&self.weight, Some(&self.bias)),
        }
    }

    fn parameters(&self) -> Vec<RBETensor> {
        vec![self.weight.clone(), self.bias.clone()]
    }
}

/// `y = x Wᵀ + b` with a dense weight.
pub struct Linear {
    weight: RBETensor,
    bias: RBETensor,
}

impl Linear {
    /// Layer of `inputs` to `outputs` features, uniform within ±1 / sqrt(inputs).
    ///
    /// # Errors
    /// `Shape` for a size of 0.
    pub fn new(inputs: usize, outputs: usize) -> Result<Linear> {
        let bound = check("Linear", inputs, outputs)?;
        Ok(Linear { weight: uniform(&[outputs, inputs], bound)?, bias: uniform(&[outputs], bound)? })
    }
}

impl Layer for Linear {
    fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        x.linear(&self.weight, Some(&self.bias))
    }

    fn parameters(&self) -> Vec<RBETensor> {
        vec![self.weight.clone(), self.bias.clone()]
    }
}

/// `max(x, 0)`.
pub struct Relu;

impl Layer for Relu {
    fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        x.relu()
    }
}

/// A trainable activation `d · g(ω x + θ)`, one block for all features.
pub struct RBEActivation {
    weight: RBETensor,
}

impl RBEActivation {
    /// tanh with ω = 1, d = 1, θ = 0.
    ///
    /// # Errors
    /// None for this family; the signature is that of [`RBEActivation::with`].
    pub fn new() -> Result<RBEActivation> {
        RBEActivation::with(1, Family::Tanh)
    }

    /// `features` blocks (1 is shared by all features) of a family with phase 0, ω = 1, d = 1, θ = 0.
    ///
    /// # Errors
    /// `Shape` for no feature.
    pub fn with(features: usize, family: Family) -> Result<RBEActivation> {
        let z = disk::exp_at_origin([1.0, 0.0]).map(|v| v as f32);
        let weight = memory::guard("RBEActivation", || {
            let (hi, lo) = (memory::filled(Cycle::initial(family).bits(), features), memory::collect((0..features).flat_map(|_| z)));
            PackedTensor::new(&[features, CYCLE_BITS], &hi, &lo, Some(1.0))
        })?;
        Ok(RBEActivation { weight: RBETensor::from_packed(weight, true) })
    }
}

impl Layer for RBEActivation {
    fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        x.packed_activation(&self.weight)
    }

    fn parameters(&self) -> Vec<RBETensor> {
        vec![self.weight.clone()]
    }
}

/// Batch normalisation of (N, C).
pub struct BatchNorm1d {
    weight: RBETensor,
    bias: RBETensor,
    mean: Array,
    var: Array,
    training: bool,
}

impl BatchNorm1d {
    /// Layer of `features` channels, eps 1e-5, momentum 0.1.
    ///
    /// # Errors
    /// `Shape` for no feature.
    pub fn new(features: usize) -> Result<BatchNorm1d> {
        check("BatchNorm1d", features, features)?;
        let full = |v: f64| Array::full(DType::F32, &[features], v);
        Ok(BatchNorm1d {
            weight: RBETensor::from_array(full(1.0)).requiring_grad()?,
            bias: RBETensor::from_array(full(0.0)).requiring_grad()?,
            mean: full(0.0),
            var: full(1.0),
            training: true,
        })
    }
}

impl Layer for BatchNorm1d {
    fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        let running = Running { mean: self.mean.clone(), var: self.var.clone(), momentum: 0.1 };
        x.batch_norm(Some(running), Some(&self.weight), Some(&self.bias), self.training, 1e-5)
    }

    fn parameters(&self) -> Vec<RBETensor> {
        vec![self.weight.clone(), self.bias.clone()]
    }

    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}
