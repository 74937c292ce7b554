"""Memory that grows with use: what is held after many rounds of one thing is what was held after a few."""

import numpy as np
import pytest
import rbe


def test_gradients_of_activations_are_folded():
    rbe.manual_seed(1)
    layer, batches = rbe.RBEActivation(24), [rbe.randn(40, 24) * (i + 1) for i in range(12)]

    def backward(i):
        (layer(batches[i]) * (0.1 * (i + 1))).sum().backward()

    single = []
    for i in range(len(batches)):
        layer.weight.grad = None
        backward(i)
        single.append(layer.weight.grad)
    layer.weight.grad = None
    held = []
    for i in range(len(batches)):
        backward(i)
        held.append(layer.weight.grad.nbytes)
    total = layer.weight.grad
    assert max(held[4:]) <= 2 * max(held[:4])
    for name in ("hi", "lo", "interaction"):
        wanted = sum(getattr(g, name).astype(np.float64) for g in single)
        np.testing.assert_allclose(
            getattr(total, name), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted[np.isfinite(wanted)]).max()
        )

    # Bounds on the norm, and the optimiser's checks, read what is folded.
    norm = np.sqrt(np.square(total.hi, where=np.isfinite(total.hi), out=np.zeros_like(total.hi)).sum(dtype=np.float64))
    assert np.isclose(rbe.nn.utils.clip_grad_norm_(layer.parameters(), float(norm) / 2).item(), norm, rtol=1e-4)
    np.testing.assert_allclose(layer.weight.grad.lo, total.lo / 2, rtol=1e-3, atol=1e-6)
    (layer(batches[0]) * float("inf")).sum().backward()
    optimizer = rbe.optim.HybridOptimizer(layer.parameters())
    before = layer.weight.lo
    with pytest.raises(rbe.NonFiniteError):
        optimizer.step()
    np.testing.assert_array_equal(layer.weight.lo, before)
