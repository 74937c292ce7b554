//! A chain of operations as an object, with checkpoints under a byte budget.

use std::borrow::Cow;
use std::sync::Arc;

use super::checkpoint::{Moment, Stretch, checkpoint_holding, seal};
use super::custom::{AutoDifferentiable, Operation};
use super::held::Held;
use super::mode::is_grad_enabled;
use super::tensor::RBETensor;
use crate::array::Array;
use crate::error::{RbeError, Result};

/// Bytes of values that [`CheckpointStrategy::Adaptive`] keeps.
const DEFAULT_BUDGET: usize = 64 << 20;

/// Which values between operations are dropped after forward and computed again in backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointStrategy {
    /// None.
    None,
    /// All but one in so many.
    Every(usize),
    /// As few as keep the values held, in forward and in backward, within a budget. While all fit, all are kept. Then
    /// stretches of about half the budget, but of no fewer than `sqrt(n)` of `n` operations, are dropped and computed again
    /// one at a time. Of each its first value is kept: with values of one size, less than `2 sqrt(n)` of them cannot be had.
    Within {
        /// Bytes of values that may be held.
        budget_bytes: usize,
    },
    /// As `Within` a budget of 64 MiB.
    Adaptive,
}

impl CheckpointStrategy {
    /// Bytes of values that may be held, where the strategy has such a budget.
    fn budget(self) -> Option<usize> {
        match self {
            CheckpointStrategy::Within { budget_bytes } => Some(budget_bytes),
            CheckpointStrategy::Adaptive => Some(DEFAULT_BUDGET),
            CheckpointStrategy::None | CheckpointStrategy::Every(_) => None,
        }
    }
}

/// One operation of a graph: a function of a tensor, which may use parameters of its own.
pub type Step = Arc<dyn Fn(&RBETensor) -> Result<RBETensor> + Send + Sync>;

/// Operations that are run one after another on an input.
///
/// ```
/// use rbe_core::{CheckpointStrategy, ComputationGraph, RBETensor, array};
/// # fn main() -> rbe_core::Result<()> {
/// let mut graph = ComputationGraph::new();
/// graph.register_operation("square", |input, grad| match grad {
///     None => Ok(array::map(input, |v: f32| v * v)),                                // forward
///     Some(grad) => array::zip("square", input, grad, |v: f32, g: f32| 2.0 * v * g), // backward
/// });
/// graph.enable_checkpointing(CheckpointStrategy::Adaptive);
/// assert_eq!(graph.execute(&RBETensor::new(&[3.0f32], &[1])?)?.item()?, 9.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ComputationGraph {
    steps: Vec<(Step, Option<Held>)>,
    strategy: CheckpointStrategy,
}

impl Default for ComputationGraph {
    fn default() -> Self {
        ComputationGraph::new()
    }
}

fn chain(steps: &[(Step, Option<Held>)]) -> Stretch {
    let held = steps.iter().filter_map(|(_, held)| held.clone()).collect();
    let steps: Vec<Step> = steps.iter().map(|(step, _)| step.clone()).collect();
    Stretch { run: Arc::new(move |x| steps.iter().try_fold(x[0].clone(), |x, step| step(&x))), held }
}

fn bytes(x: &RBETensor) -> usize {
    x.numel() * x.dtype().size()
}

impl ComputationGraph {
    /// A graph without operations.
    pub fn new() -> ComputationGraph {
        ComputationGraph { steps: Vec::new(), strategy: CheckpointStrategy::None }
    }

    /// Appends an operation of one function: `function(input, None)` returns the result, and `function(input, Some(upstream))` the
    /// gradient of the input, given that of the result.
    pub fn register_operation(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        function: impl Fn(&Array, Option<&Array>) -> Result<Array> + Send + Sync + 'static,
    ) -> &mut ComputationGraph {
        let function = Arc::new(function);
        let forward = function.clone();
        self.register_differentiable(Operation::new(
            name,
            Arc::new(move |x| forward(x[0], None)),
            Arc::new(move |dy, _, x| Ok(vec![Some(function(x[0], Some(dy))?)])),
        ))
    }

    /// Appends an operation that has functions of its own for both passes.
    pub fn register_differentiable(&mut self, operation: impl AutoDifferentiable) -> &mut ComputationGraph {
        let operation = operation.register_backward();
        self.register(Arc::new(move |x| operation.apply(&[x])))
    }

    /// Appends a function of a tensor, made of recorded operations.
    pub fn register(&mut self, step: Step) -> &mut ComputationGraph {
        self.register_holding(step, None)
    }

    /// As [`ComputationGraph::register`]; `held` is the object of another language that `step` holds.
    pub fn register_holding(&mut self, step: Step, held: Option<Held>) -> &mut ComputationGraph {
        self.steps.push((step, held));
        self
    }

    /// Trades memory for time in backward.
    pub fn enable_checkpointing(&mut self, strategy: CheckpointStrategy) -> &mut ComputationGraph {
        self.strategy = strategy;
        self
    }

    /// Runs the operations on `input`.
    ///
    /// # Errors
    /// `Graph` without operations; `Value` for `Every(0)`; those of the operations.
    pub fn execute(&self, input: &RBETensor) -> Result<RBETensor> {
        if self.steps.is_empty() {
            return Err(RbeError::graph("execute", "at least one registered operation", "none"));
        }
        match (self.strategy, self.strategy.budget()) {
            (CheckpointStrategy::Every(0), _) => Err(RbeError::value("execute", "Every(n) with n >= 1", 0)),
            (CheckpointStrategy::Every(n), _) => self.steps.chunks(n).try_fold(input.clone(), |x, part| {
                let Stretch { run, held } = chain(part);
                checkpoint_holding(move |x| run(x), held, &[&x])
            }),
            (_, Some(budget)) if is_grad_enabled() => self.execute_within(input, budget),
            _ => (chain(&self.steps).run)(std::slice::from_ref(input)),
        }
    }

    fn execute_within(&self, input: &RBETensor, budget: usize) -> Result<RBETensor> {
        let (mut values, mut moments, mut first) = (vec![input.clone()], Vec::new(), 0);
        let mut open = bytes(input); // of `values`, which are on the tape as they are
        let fewest = self.steps.len().isqrt();
        for (i, (step, _)) in self.steps.iter().enumerate() {
            moments.push(Moment::now()?);
            let y = step(&values[i - first])?;
            open += bytes(&y);
            let (bound, parts) = if first == 0 { (budget, 2) } else { (budget / 2, 1) };
            let full = open + bytes(&y) > bound; // the next value is likely to be as large
            values.push(y);
            let full = full && values.len() > parts * fewest;
            if full && i + 1 < self.steps.len() {
                let base = self.seal_values(first, &values, &moments, parts)?;
                open = bytes(&base);
                values = vec![base];
                moments.clear();
                first = i + 1;
            }
        }
        Ok(values.swap_remove(values.len() - 1))
    }

    /// Seals the operations from `first` on, whose input and results are `values`, in one or two stretches of about the same size.
    fn seal_values(&self, first: usize, values: &[RBETensor], moments: &[Moment], parts: usize) -> Result<RBETensor> {
        let last = values.len() - 1;
        let half = values[1..].iter().map(bytes).sum::<usize>().div_ceil(2);
        let mut cut = last;
        if parts == 2 && last > 1 {
            let mut sum = 0;
            cut = values[1..last].iter().take_while(|v| (sum + bytes(v) <= half).then(|| sum += bytes(v)).is_some()).count().max(1);
        }
        let mut base = values[0].clone();
        for (from, to) in [(0, cut), (cut, last)].into_iter().filter(|(from, to)| from < to) {
            let stretch = chain(&self.steps[first + from..first + to]);
            base = seal(stretch, &[&values[from]], &values[to], &[&base], moments[from])?;
        }
        Ok(base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{map, zip};
    use crate::gradient::Gradient;

    fn sines(operations: usize) -> ComputationGraph {
        let mut graph = ComputationGraph::new();
        for _ in 0..operations {
            graph.register_operation("sine", |x, dy| match dy {
                None => Ok(map(x, |v: f64| v.sin())),
                Some(dy) => zip("sine", dy, x, |d: f64, v: f64| d * v.cos()),
            });
        }
        graph
    }

    fn gradient(graph: &ComputationGraph, n: usize, strategy: CheckpointStrategy) -> Vec<f64> {
        let x = RBETensor::new(&vec![0.7; n], &[n]).unwrap().requiring_grad().unwrap();
        let y = graph.clone().enable_checkpointing(strategy).execute(&x).unwrap();
        y.sum(None, false).unwrap().backward().unwrap();
        match x.grad() {
            Some(Gradient::Dense(g)) => g.to_vec::<f64>().unwrap(),
            _ => panic!(),
        }
    }

    #[test]
    fn every_strategy_gives_the_same_gradient() {
        for operations in [1, 2, 12] {
            let (graph, n) = (sines(operations), 1000);
            let plain = gradient(&graph, n, CheckpointStrategy::None);
            let budgets = [0, 1, 2, 3, 4, 7, 11, 12, 13, 100].map(|values| CheckpointStrategy::Within { budget_bytes: values * 8 * n });
            for strategy in
                [CheckpointStrategy::Every(1), CheckpointStrategy::Every(3), CheckpointStrategy::Adaptive].into_iter().chain(budgets)
            {
                assert_eq!(gradient(&graph, n, strategy), plain, "{operations} {strategy:?}");
            }
        }
        assert!(matches!(ComputationGraph::new().execute(&RBETensor::new(&[1.0], &[1]).unwrap()), Err(RbeError::Graph(_))));
        assert!(matches!(
            sines(1).enable_checkpointing(CheckpointStrategy::Every(0)).execute(&RBETensor::new(&[1.0], &[1]).unwrap()),
            Err(RbeError::Value(_))
        ));
    }
}
