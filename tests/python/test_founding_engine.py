"""The names of the document that describes the engine, where Python has them."""

import numpy as np
import rbe
from inputs import Inputs


def test_a_gradient_has_the_three_parts_by_both_names():
    draw = Inputs(1)
    layer = rbe.RBELinear(70, 5)
    layer(draw.tensor(4, 70, dtype=np.float32)).square().sum().backward()
    gradient = layer.weight.grad
    assert isinstance(gradient, rbe.RBEGradient)
    np.testing.assert_array_equal(gradient.hi_gradients, gradient.hi)
    np.testing.assert_array_equal(gradient.lo_gradients, gradient.lo)
    np.testing.assert_array_equal(gradient.interactions, gradient.interaction)
    assert gradient.hi.any()
    assert gradient.interactions.shape == (5, 2, 64, 2)


def test_the_product_of_two_packed_tensors_has_gradients_for_both():
    draw, rows, cols = Inputs(2), 4, 70
    a, b = (rbe.nn.Parameter(rbe.RBETensor.encode(draw.tensor(n, cols, dtype=np.float32))) for n in (rows, 6))
    up = draw.array(rows, 6, dtype=np.float32)
    with rbe.config.using(packed_matmul_precision="float32"):
        y = a.packed_matmul(b)
        y.backward(rbe.tensor(up))
    x, w = (t.to_dense().numpy().astype(np.float64) for t in (a, b))
    np.testing.assert_allclose(y.detach().numpy(), x @ w.T, rtol=1e-4, atol=1e-4)
    for t, dense, g in ((a, x, up @ w), (b, w, up.T @ x)):
        found = t.grad.hi.reshape(len(dense), -1)[:, :cols]
        for first in range(0, cols, 64):
            block = dense[:, first : first + 64]
            low, high = block.min(axis=1, keepdims=True), block.max(axis=1, keepdims=True)
            want = g[:, first : first + 64] * np.where(block == low, high - low, low - high)
            np.testing.assert_allclose(found[:, first : first + 64], want, rtol=1e-4, atol=1e-3)


def test_a_node_is_what_a_tensor_was_made_by():
    y = rbe.ones(2, requires_grad=True) * 3
    assert isinstance(y.grad_fn, rbe.autograd.Node)
    assert y.grad_fn.name() == "mul"
