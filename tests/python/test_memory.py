"""What training holds, measured by the pool's counters."""

import gc

import pytest
import rbe


@pytest.mark.parametrize(("inputs", "outputs"), [(2048, 2048), (1500, 2500)])
def test_weights_and_their_state_take_at_most_1_6_bytes_each(inputs, outputs):
    gc.collect()
    before = rbe.memory.pool_stats()["in_use_bytes"]
    layer = rbe.nn.RBELinear(inputs, outputs, bias=False)
    optimizer = rbe.optim.HybridOptimizer(layer.parameters(), in_backward=True)
    for _ in range(3):
        optimizer.step_with_autodiff((layer(rbe.randn(4, inputs)) ** 2).mean())
    held = rbe.memory.pool_stats()["in_use_bytes"] - before
    # A quarter of a byte is the weight; a state that the pool did not know of would make this test blind.
    assert 1.25 <= held / (inputs * outputs) <= 1.6
    del layer, optimizer
    gc.collect()
    assert rbe.memory.pool_stats()["in_use_bytes"] == before


def test_a_step_after_the_gradients_needs_no_more_than_the_state_and_the_batch():
    inputs, batch = 2048, 4
    layer = rbe.nn.RBELinear(inputs, inputs, bias=False)
    optimizer = rbe.optim.HybridOptimizer(layer.parameters(), in_backward=True)
    run = lambda: optimizer.step_with_autodiff((layer(rbe.randn(batch, inputs)) ** 2).mean())  # noqa: E731
    run()
    gc.collect()
    rbe.memory.reset_stats()
    held = rbe.memory.pool_stats()["in_use_bytes"]
    run()
    # No array of one float a weight is ever made: gradients stay factors.
    assert rbe.memory.pool_stats()["peak_bytes"] - held < inputs * inputs
