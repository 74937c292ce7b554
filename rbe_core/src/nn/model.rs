//! Models: layers one after another.

use crate::error::Result;
use crate::tape::RBETensor;

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
/// let model = RBEModel::new().add_layer(RBELinear::new(768, 3072)?).add_layer(Relu).add_layer(RBELinear::new(3072, 768)?);
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
    #[must_use]
    pub fn add_layer(mut self, layer: impl Layer + 'static) -> RBEModel {
        self.layers.push(Box::new(layer));
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

    /// Training or evaluation.
    pub fn set_training(&mut self, training: bool) {
        self.layers.iter_mut().for_each(|layer| layer.set_training(training));
    }
}
