//! Memory of checkpointed graphs, as the pool counts it: this process runs nothing else.

use rbe_core::tape::{CheckpointStrategy, ComputationGraph};
use rbe_core::{GradientPool, RBETensor, Result, array};

const VALUES: usize = 100_000;
const OPERATIONS: usize = 100;

/// Peak of the pool, in values, over forward and backward of a chain of operations.
fn peak(strategy: CheckpointStrategy) -> Result<f64> {
    let mut graph = ComputationGraph::new();
    for _ in 0..OPERATIONS {
        graph.register_operation("sine", |x, dy| match dy {
            None => Ok(array::map(x, |v: f64| v.sin())),
            Some(dy) => array::zip("sine", dy, x, |d: f64, v: f64| d * v.cos()),
        });
    }
    let x = RBETensor::new(&vec![0.7; VALUES], &[VALUES])?.requiring_grad()?;
    let pool = GradientPool::global();
    pool.reset_stats();
    let before = pool.stats().in_use_bytes;
    graph.enable_checkpointing(strategy).execute(&x)?.sum(None, false)?.backward()?;
    Ok((pool.stats().peak_bytes - before) as f64 / (8 * VALUES) as f64)
}

#[test]
fn a_budget_bounds_what_forward_and_backward_hold() -> Result<()> {
    // Besides the values: the gradients on their way in and out of an operation, and what a size class rounds up.
    let bound = |values: usize| (values as f64 + 4.0) * 1.25;
    let plain = peak(CheckpointStrategy::None)?;
    assert!(plain > OPERATIONS as f64, "{plain}");
    for values in [25, 40, 60] {
        let held = peak(CheckpointStrategy::Within { budget_bytes: values * 8 * VALUES })?;
        assert!(held <= bound(values), "{held} values for a budget of {values}");
    }
    assert!(peak(CheckpointStrategy::Every(10))? < 30.0);
    Ok(())
}
