//! The pool over a training loop.

mod common;

use common::network::{batch, loss, model};
use rbe_core::optim::{HybridOptimizer, Rates};
use rbe_core::{GradientPool, Result, parallel, random};

#[test]
fn the_second_step_allocates_no_buffer() -> Result<()> {
    // How many tasks want scratch memory at once depends on the scheduler; with one thread the count is exact.
    parallel::set_num_threads(1)?;
    random::manual_seed(0);
    let model = model()?;
    let optimizer = HybridOptimizer::new(model.parameters(), Rates::default())?;
    let data = batch(64)?;
    let step = || -> Result<()> {
        optimizer.zero_grad();
        loss(&model, &data)?.backward()?;
        optimizer.step()
    };
    step()?;
    let pool = GradientPool::global();
    pool.reset_stats();
    step()?;
    let stats = pool.stats();
    assert!(stats.hits > 0);
    assert_eq!(stats.misses, 0, "{stats:?}");

    let in_use = stats.in_use_bytes;
    for _ in 0..5 {
        step()?;
    }
    assert_eq!(pool.stats().in_use_bytes, in_use, "a step keeps buffers");
    pool.clear();
    assert_eq!(pool.stats().cached_bytes, 0);
    Ok(())
}
