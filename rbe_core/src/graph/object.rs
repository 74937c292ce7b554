//! A chain of operations as an object, with checkpoints under a byte budget.

use std::borrow::Cow;

use super::custom::{Backward, Forward, Operation, checkpoint};
use crate::error::{RbeError, Result};
use crate::tensor::RBETensor;

/// Which values between operations are dropped after forward and computed again in backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointStrategy {
    /// None.
    None,
    /// All but one in so many.
    Every(usize),
    /// Those after the first that would exceed a budget.
    Adaptive {
        /// Bytes of values that may be held.
        budget_bytes: usize,
    },
}

/// Operations that are run one after another on an input.
#[derive(Clone)]
pub struct ComputationGraph {
    operations: Vec<Operation>,
    strategy: CheckpointStrategy,
}

impl Default for ComputationGraph {
    fn default() -> Self {
        ComputationGraph::new()
    }
}

fn chain(operations: Vec<Operation>) -> impl Fn(&[RBETensor]) -> Result<RBETensor> + Send + Sync + 'static {
    move |x| operations.iter().try_fold(x[0].clone(), |x, op| op.apply(&[&x]))
}

impl ComputationGraph {
    /// A graph without operations.
    pub fn new() -> ComputationGraph {
        ComputationGraph { operations: Vec::new(), strategy: CheckpointStrategy::None }
    }

    /// Appends an operation of two functions.
    #[must_use]
    pub fn register_operation(mut self, name: impl Into<Cow<'static, str>>, forward: Forward, backward: Backward) -> ComputationGraph {
        self.operations.push(Operation::new(name, forward, backward));
        self
    }

    /// Trades memory for time in backward.
    #[must_use]
    pub fn enable_checkpointing(mut self, strategy: CheckpointStrategy) -> ComputationGraph {
        self.strategy = strategy;
        self
    }

    /// Runs the operations on `input`.
    ///
    /// # Errors
    /// `Graph` without operations; `Value` for `Every(0)`; those of the operations.
    pub fn execute(&self, input: &RBETensor) -> Result<RBETensor> {
        if self.operations.is_empty() {
            return Err(RbeError::graph("execute", "at least one registered operation", "none"));
        }
        match self.strategy {
            CheckpointStrategy::None => chain(self.operations.clone())(std::slice::from_ref(input)),
            CheckpointStrategy::Every(0) => Err(RbeError::value("execute", "Every(n) with n >= 1", 0)),
            CheckpointStrategy::Every(n) => {
                self.operations.chunks(n).try_fold(input.clone(), |x, part| checkpoint(chain(part.to_vec()), &[&x]))
            }
            CheckpointStrategy::Adaptive { budget_bytes } => {
                let (mut x, mut held) = (input.clone(), 0);
                for (i, op) in self.operations.iter().enumerate() {
                    held += x.numel() * x.dtype().size();
                    if held > budget_bytes {
                        return checkpoint(chain(self.operations[i..].to_vec()), &[&x]);
                    }
                    x = op.apply(&[&x])?;
                }
                Ok(x)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::array::{map, zip};
    use crate::graph::Gradient;

    #[test]
    fn every_strategy_gives_the_same_gradient() {
        let sine: (Forward, Backward) = (
            Arc::new(|x| Ok(map(x[0], |v: f64| v.sin()))),
            Arc::new(|dy, _, x| Ok(vec![Some(zip("sine", dy, x[0], |d: f64, v: f64| d * v.cos())?)])),
        );
        let n = 1000;
        let graph = (0..12).fold(ComputationGraph::new(), |g, _| g.register_operation("sine", sine.0.clone(), sine.1.clone()));
        let run = |strategy| {
            let x = RBETensor::new(&vec![0.7; n], &[n]).unwrap().requiring_grad().unwrap();
            let y = graph.clone().enable_checkpointing(strategy).execute(&x).unwrap();
            y.sum(None, false).unwrap().backward().unwrap();
            match x.grad() {
                Some(Gradient::Dense(g)) => g.to_vec::<f64>().unwrap(),
                _ => panic!(),
            }
        };
        let plain = run(CheckpointStrategy::None);
        for strategy in [
            CheckpointStrategy::Every(3),
            CheckpointStrategy::Adaptive { budget_bytes: 3 * 8 * n },
            CheckpointStrategy::Adaptive { budget_bytes: 0 },
        ] {
            assert_eq!(run(strategy), plain, "{strategy:?}");
        }
        assert!(matches!(ComputationGraph::new().execute(&RBETensor::new(&[1.0], &[1]).unwrap()), Err(RbeError::Graph(_))));
    }
}
