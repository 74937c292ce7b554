//! Models: layers one after another.

use crate::error::{RbeError, Result};
use crate::gradient::Gradient;
use crate::optim::HybridOptimizer;
use crate::tape::{BackwardOptions, RBETensor, grad};

/// Part of a model.
pub trait Layer: Send + Sync {
    /// The layer's result.
    ///
    /// # Errors
    /// Those of its operations.
    fn forward(&self, x: &RBETensor) -> Result<RBETensor>;

    /// Tensors to train.
    fn parameters(&self) -> Vec<RBETensor> {
        Vec::new()
    }

    /// Training or evaluation, where that makes a difference.
    fn set_training(&mut self, _training: bool) {}
}

/// Layers applied one after another.
///
/// ```
/// use rbe_core::nn::{RBELinear, RBEModel, Relu};
/// # fn main() -> rbe_core::Result<()> {
/// let mut model = RBEModel::new();
/// model.add_layer(RBELinear::new(768, 3072)?).add_layer(Relu).add_layer(RBELinear::new(3072, 768)?);
/// let x = rbe_core::RBETensor::new(&[0.5f32; 768], &[1, 768])?;
/// assert_eq!(model.forward(&x)?.shape(), [1, 768]);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct RBEModel {
    layers: Vec<Box<dyn Layer>>,
}

impl RBEModel {
    /// A model without layers, which returns its input.
    pub fn new() -> RBEModel {
        RBEModel::default()
    }

    /// Appends a layer.
    pub fn add_layer(&mut self, layer: impl Layer + 'static) -> &mut RBEModel {
        self.layers.push(Box::new(layer));
        self
    }

    /// The model with a layer appended.
    #[must_use]
    pub fn with_layer(mut self, layer: impl Layer + 'static) -> RBEModel {
        self.add_layer(layer);
        self
    }

    /// Result of the last layer.
    ///
    /// # Errors
    /// Those of the layers.
    pub fn forward(&self, x: &RBETensor) -> Result<RBETensor> {
        self.layers.iter().try_fold(x.clone(), |x, layer| layer.forward(&x))
    }

    /// Tensors to train, layer by layer.
    pub fn parameters(&self) -> Vec<RBETensor> {
        self.layers.iter().flat_map(|layer| layer.parameters()).collect()
    }

    /// Gradients of a loss with respect to the parameters, in their order; no parameter's own is touched.
    ///
    /// # Errors
    /// As [`grad`].
    pub fn compute_gradients(&self, loss: &RBETensor) -> Result<Vec<Option<Gradient>>> {
        let parameters = self.parameters();
        grad(&[loss], &parameters.iter().collect::<Vec<_>>(), &[None], BackwardOptions::default())
    }

    /// Gives every parameter its gradient of [`RBEModel::compute_gradients`], from which an optimiser steps.
    ///
    /// # Errors
    /// `Graph` for another number of gradients than parameters; those of [`RBETensor::set_grad`].
    pub fn apply_gradients(&self, gradients: Vec<Option<Gradient>>) -> Result<()> {
        let parameters = self.parameters();
        if gradients.len() != parameters.len() {
            return Err(RbeError::graph("apply_gradients", format!("{} gradients", parameters.len()), gradients.len()));
        }
        parameters.iter().zip(gradients).try_for_each(|(parameter, gradient)| parameter.set_grad(gradient))
    }

    /// Training or evaluation.
    pub fn set_training(&mut self, training: bool) {
        self.layers.iter_mut().for_each(|layer| layer.set_training(training));
    }
}

impl HybridOptimizer {
    /// `zero_grad`, the loss of `model`, its gradients, and a step. Returns the loss.
    ///
    /// # Errors
    /// Those of `loss`, backward and step.
    pub fn step_with_autodiff(&self, model: &mut RBEModel, loss: impl FnOnce(&mut RBEModel) -> Result<RBETensor>) -> Result<RBETensor> {
        let loss = loss(model)?;
        self.step_on(&loss)?;
        Ok(loss)
    }
}
