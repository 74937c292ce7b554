//! The engine as one object: what is computed, the gradients of the last pass, and the order in which they were computed.

use super::backward::{BackwardOptions, grad};
use super::object::ComputationGraph;
use super::scheduler::BackwardScheduler;
use super::tensor::RBETensor;
use crate::error::{RbeError, Result};
use crate::gradient::Gradient;

/// A graph with its last backward pass.
///
/// ```
/// use std::sync::Arc;
/// use rbe_core::{RBEAutoDiff, RBETensor};
/// # fn main() -> rbe_core::Result<()> {
/// let x = RBETensor::new(&[3.0f32], &[1])?.requiring_grad()?;
/// let mut engine = RBEAutoDiff::new();
/// engine.computation_graph.register(Arc::new(|x: &RBETensor| x.mul(x)));
/// let y = engine.forward(&x)?;
/// engine.backward(&y.sum(None, false)?, &[&x])?;
/// assert_eq!(engine.gradient_cache.len(), 1);
/// assert_eq!(engine.backward_scheduler.as_ref().map(|s| s.len()), Some(2)); // the product and the sum
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct RBEAutoDiff {
    /// What [`RBEAutoDiff::forward`] runs.
    pub computation_graph: ComputationGraph,
    /// Gradients of the last pass, one for each of its targets; `None` for a target that the result does not depend on.
    pub gradient_cache: Vec<Option<Gradient>>,
    /// The operations of the last pass, in its order.
    pub backward_scheduler: Option<BackwardScheduler>,
}

impl RBEAutoDiff {
    /// An engine whose graph has no operation yet.
    pub fn new() -> RBEAutoDiff {
        RBEAutoDiff::default()
    }

    /// Runs the graph on `input`.
    ///
    /// # Errors
    /// Those of [`ComputationGraph::execute`].
    pub fn forward(&self, input: &RBETensor) -> Result<RBETensor> {
        self.computation_graph.execute(input)
    }

    /// Computes the gradients of a result of one number with respect to `targets`, and keeps them with the pass. No `.grad` is touched.
    ///
    /// # Errors
    /// As [`grad`]; the engine is as it was then.
    pub fn backward(&mut self, result: &RBETensor, targets: &[&RBETensor]) -> Result<()> {
        let schedule = BackwardScheduler::new(&[result])?;
        self.gradient_cache = grad(&[result], targets, &[None], BackwardOptions::default())?;
        self.backward_scheduler = Some(schedule);
        Ok(())
    }

    /// Gives each target the gradient that the last pass computed for it, instead of the one that it has.
    ///
    /// # Errors
    /// `Graph` for another number of targets than the pass had; those of [`RBETensor::set_grad`].
    pub fn apply(&self, targets: &[&RBETensor]) -> Result<()> {
        if targets.len() != self.gradient_cache.len() {
            return Err(RbeError::graph("apply", format!("{} targets", self.gradient_cache.len()), targets.len()));
        }
        targets.iter().zip(&self.gradient_cache).try_for_each(|(t, g)| t.set_grad(g.clone()))
    }
}
