"""The examples of the documents that describe a native backend of plain functions, and layers over operations."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import layers, ops
from rbe.ops import require

RNG = Inputs()
A, B, BIAS = RNG.array(5, 4), RNG.array(4, 3), RNG.array(3)


def numeric(f, x, up):
    """Return the gradient of `(f(x) * up).sum()` by central differences."""
    found = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = x.copy()
            moved[at] += step
            ends.append((f(moved) * up).sum())
        found[at] = (ends[0] - ends[1]) / 2e-6
    return found


def test_functions_of_arrays():
    import rbe.ops as backend_cpp

    np.testing.assert_allclose(backend_cpp.matrix_multiply(A, B), A @ B, rtol=1e-14)
    np.testing.assert_array_equal(backend_cpp.matrix_add(A, A), A + A)


def test_lists_are_computed_in_double_precision():
    assert ops.matrix_multiply([[1.0, 2.0]], [[3.0], [4.0]]).dtype == np.float64
    assert ops.gemm([[1.0, 2.0]], A[:2]).dtype == np.float64
    assert ops.softmax([0.0, 1.0]).dtype == np.float64


def test_a_recurrent_layer_returns_outputs_and_nodes():
    for steps in (1, 2, 3, 7):
        inputs, weight, recurrent, bias = RNG.array(steps, 2, 4), RNG.array(3, 4), RNG.array(3, 3), RNG.array(3)
        outputs, node_list = ops.rnn_layer(inputs, weight, recurrent, bias, activation="tanh")
        assert outputs.shape == (steps, 2, 3)
        assert len(node_list) == steps
        assert [node.name() for node in node_list] == ["tanh"] * steps
        tensors = [rbe.tensor(x, requires_grad=True) for x in (inputs, weight, recurrent, bias)]
        outputs, node_list = ops.rnn_layer(*tensors)
        assert [node.name() for node in node_list[:]] == ["tanh"] * steps
        assert isinstance(outputs, rbe.RBETensor)
        dx, dw, dr, db = ops.rnn_layer.backward(np.ones((steps, 2, 3)), inputs, weight, recurrent, bias)
        outputs.sum().backward()
        for found, tensor in zip((dx, dw, dr, db), tensors, strict=True):
            if tensor.grad is None:  # of the recurrent weight, which a single step does not use
                assert found is None
            else:
                np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-12, atol=1e-14)


SQUARE = {
    "multiply": np.multiply,
    "add": np.add,
    "subtract": np.subtract,
    "divide": np.divide,
    "maximum": np.maximum,
}
SINGLE = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh, "exp": np.exp, "sin": np.sin, "sum": np.sum}


@pytest.mark.parametrize("name", SQUARE)
def test_gradients_of_elementwise_operations_by_name(name):
    x, w, up = RNG.array(3, 4), RNG.array(3, 4) + 5, RNG.array(3, 4)
    output = SQUARE[name](x, w)
    dx, dw = ops.calculate_gradient(name, x, w, output, up)
    np.testing.assert_allclose(dx, numeric(lambda v: SQUARE[name](v, w), x, up), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(dw, numeric(lambda v: SQUARE[name](x, v), w, up), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", SINGLE)
def test_gradients_of_functions_of_one_operand_by_name(name):
    x = RNG.array(3, 4)
    output = SINGLE[name](x)
    up = RNG.array(*np.shape(output)) if np.ndim(output) else np.array(0.7)
    dx, nothing = ops.calculate_gradient(name, x, None, output, up)
    np.testing.assert_allclose(dx, numeric(SINGLE[name], x, up), rtol=1e-6, atol=1e-7)
    assert nothing is None


def test_gradients_of_operations_of_several_operands_by_name():
    x, w, r, b, up = RNG.array(4, 2, 3), RNG.array(5, 3), RNG.array(5, 5), RNG.array(5), RNG.array(4, 2, 5)
    dx, others = ops.calculate_gradient("rnn_layer", x, (w, r, b), None, up)
    assert [g.shape for g in others] == [(5, 3), (5, 5), (5,)]
    want = ops.backward(ops.rnn_layer, up, x, w, r, b)
    for found, expected in zip((dx, *others), want, strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(rbe.TensorError, match="multiply"):
        ops.calculate_gradient("convolve", A, B, None, A)


def test_operations_by_name_with_forward_and_backward():
    gemm = require("gemm")
    assert gemm is ops.gemm
    y = gemm.forward(A, B, BIAS, act="relu", with_bias=True)
    np.testing.assert_allclose(y, np.maximum(A @ B + BIAS, 0), rtol=1e-13)
    up = RNG.array(5, 3)
    da, db, dbias = gemm.backward(up, A, B, BIAS, act="relu")
    masked = up * (y > 0)
    np.testing.assert_allclose(da, masked @ B.T, rtol=1e-12)
    np.testing.assert_allclose(db, A.T @ masked, rtol=1e-12)
    np.testing.assert_allclose(dbias, masked.sum(0), rtol=1e-12)
    np.testing.assert_array_equal(gemm(A, B, BIAS, with_bias=False), A @ B)
    with pytest.raises(rbe.TensorError, match="require"):
        require("convolve")


@pytest.mark.parametrize("name", ops.__all__)
def test_every_operation_has_forward_and_backward(name):
    value = getattr(ops, name)
    if name in ("backward", "calculate_gradient", "require") or isinstance(value, type):
        return
    assert require(name) is value
    assert all(callable(getattr(value, part)) for part in ("forward", "backward", "forward_ex"))


def test_results_are_written_into_a_given_output():
    y = np.full((5, 3), 7.0)
    assert ops.gemm.forward_ex(A, B, BIAS, y, act="tanh") is y
    np.testing.assert_array_equal(y, ops.gemm(A, B, BIAS, "tanh"))
    columns = np.zeros((3, 5)).T  # not row-major
    assert ops.gemm.forward_ex(A, B, columns) is columns
    np.testing.assert_array_equal(columns, ops.gemm(A, B))
    square = RNG.array(4, 4)
    want = square @ square
    ops.gemm.forward_ex(square, square, square)  # over an operand
    np.testing.assert_allclose(square, want, rtol=1e-13)
    t = rbe.zeros(5, 3, dtype="float64")
    assert ops.gemm.forward_ex(rbe.tensor(A), rbe.tensor(B), t) is t
    rbe.testing.assert_close(t, A @ B)
    p = np.zeros(4)
    ops.softmax.forward_ex(A[0], p)
    np.testing.assert_array_equal(p, ops.softmax(A[0]))


@pytest.mark.parametrize(
    ("output", "error"),
    [(np.zeros((3, 5)), rbe.ShapeError), (np.zeros((5, 3), np.float32), rbe.DTypeError), ("text", rbe.DTypeError)],
)
def test_an_output_that_does_not_fit_is_refused_and_unchanged(output, error):
    with pytest.raises(error, match="gemm"):
        ops.gemm.forward_ex(A, B, output)
    assert not np.any(output != 0) or output == "text"


@pytest.mark.parametrize("act", ["relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "none"])
def test_activations_of_products(act):
    product = rbe.tensor(A @ B + BIAS)
    want = product if act == "none" else getattr(rbe.nn.functional, act)(product)
    np.testing.assert_allclose(ops.gemm(A, B, BIAS, act=act), want.numpy(), rtol=1e-12)
    with pytest.raises(rbe.TensorError, match="activation or act"):
        ops.gemm(A, B, BIAS, act, act=act)


def test_attributes_of_convolution_and_pooling():
    x, w = RNG.array(2, 3, 8, 8), RNG.array(4, 3, 3, 3)
    attrs = ops.Conv2DAttrs(stride=2, padding=1)
    want = ops.conv2d(x, w, None, 2, 1)
    np.testing.assert_array_equal(ops.conv2d.forward(x, w, None, attrs), want)
    np.testing.assert_array_equal(ops.conv2d(x, w, attrs=attrs, act="none"), want)
    assert [g.shape for g in ops.conv2d.backward(want, x, w, attrs=attrs)] == [x.shape, w.shape]
    np.testing.assert_array_equal(ops.pool2d(x, ops.Pool2DAttrs(2, mode="avg")), ops.pool2d(x, 2, mode="mean"))


def test_helpers_for_operands_and_outputs():
    from rbe.ops.common import as_tensor_2d, as_tensor_4d, make_empty_output, make_tensor_2d, make_tensor_4d

    shared, copied = as_tensor_2d(A), make_tensor_2d(A)
    assert np.shares_memory(shared.numpy(), A)
    assert not np.shares_memory(copied.numpy(), A)
    np.testing.assert_array_equal(copied.numpy(), A)
    images = RNG.array(2, 3, 4, 4)
    assert np.shares_memory(as_tensor_4d(images).numpy(), images)
    np.testing.assert_array_equal(make_tensor_4d(images).numpy(), images)
    y = make_empty_output((5, 3), rbe.float64)
    assert ops.gemm.forward_ex(shared, as_tensor_2d(B), y) is y
    np.testing.assert_allclose(y.numpy(), A @ B, rtol=1e-13)
    for function, given in ((as_tensor_2d, images), (make_tensor_4d, A), (make_tensor_2d, [1.0]), (as_tensor_4d, 3.0)):
        with pytest.raises(rbe.ShapeError, match=function.__name__):
            function(given)


# Layers


def test_a_dense_layer_is_built_by_its_first_input():
    layer = layers.Dense(16, activation="relu", initializer="he", use_native_bwd=True)
    assert not layer.built
    y = layer(rbe.tensor(RNG.array(8, 5)).float())
    assert layer.built
    assert (y.shape, layer.weight.shape, layer.bias.shape) == ((8, 16), (16, 5), (16,))
    assert (y >= 0).all()
    other = layers.Dense(3, use_bias=False)
    other.build((None, 5))
    assert [p.shape for p in other.parameters()] == [(3, 5)]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: layers.Dense(3, activation="tanh"), (4, 5)),
        (lambda: layers.Conv2D(2, 3, ops.Conv2DAttrs(padding=1), activation="tanh"), (2, 3, 4, 5)),
        (lambda: layers.Pool2D(2), (2, 3, 4, 6)),
        (lambda: layers.Pool2D(2, mode="avg"), (2, 3, 4, 6)),
    ],
)
def test_backward_of_a_layer_is_the_gradient(layer, shape):
    layer, x = layer(), RNG.array(*shape)
    layer.build(shape)
    layer.double()
    y = layer(x)
    up = RNG.array(*y.shape)
    dx = layer.backward(up)
    with rbe.no_grad():
        np.testing.assert_allclose(dx.numpy(), numeric(lambda v: layer(v).numpy(), x, up), rtol=1e-6, atol=1e-7)
        for p in layer.parameters():

            def of(value, p=p):
                before = p.numpy().copy() if not p.requires_grad else p.detach().numpy().copy()
                p.detach()[:] = rbe.tensor(value)
                result = layer(x).numpy()
                p.detach()[:] = rbe.tensor(before)
                return result

            np.testing.assert_allclose(p.grad.numpy(), numeric(of, p.detach().numpy().copy(), up), rtol=1e-6, atol=1e-7)
    with pytest.raises(rbe.GraphError, match="a call of the layer"):
        layer.backward(up)


def test_a_network_of_layers_by_their_backward_and_by_the_tape():
    rbe.manual_seed(0)
    x, target = rbe.randn(8, 6), rbe.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    stack = [layers.Dense(10, activation="relu"), layers.Dense(3)]
    loss = layers.SoftmaxCrossEntropy()
    h = x
    for layer in stack:
        h = layer(h)
    value = loss(h, target)
    d = loss.backward()
    for layer in reversed(stack):
        d = layer.backward(d)
    assert d.shape == x.shape
    by_layer = [p.grad.clone() for layer in stack for p in layer.parameters()]
    model = rbe.nn.Sequential(stack)
    model.zero_grad()
    again = rbe.nn.functional.cross_entropy(model(x), target)
    again.backward()
    assert rbe.equal(again, value)
    for found, p in zip(by_layer, model.parameters(), strict=True):
        rbe.testing.assert_close(found, p.grad)


def test_layers_train():
    rbe.manual_seed(0)
    x = rbe.randn(64, 4)
    target = (x[:, 0] > 0).long()
    model, loss = rbe.nn.Sequential([layers.Dense(16, "relu"), layers.Dense(2)]), layers.SoftmaxCrossEntropy()
    model(x)
    optimizer = rbe.optim.Adam(model.parameters(), lr=0.01)
    first = None
    for _ in range(50):
        optimizer.zero_grad()
        value = loss(model(x), target)
        value.backward()
        optimizer.step()
        first = value.item() if first is None else first
    assert value.item() < 0.3 * first


def test_a_layer_of_ones_own():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.W = self.add_weight((input_shape[-1],), "ones")
            super().build(input_shape)

        def call(self, x):
            return x * self.W

    layer = Scale()
    assert layer(np.array([2.0, 3.0], np.float32)).tolist() == [2, 3]
    assert layer.backward(rbe.ones(2)).tolist() == [1, 1]
    assert layer.W.grad.tolist() == [2, 3]
    with pytest.raises(rbe.MissingMethodError, match="call"):
        layers.Layer()(rbe.ones(2))


def test_arguments_of_layers_that_make_no_sense():
    for make in (lambda: layers.Dense(3, initializer="best"), lambda: layers.Dense(3, use_native_bwd=False)):
        with pytest.raises(rbe.TensorError, match="Dense"):
            make()
    for make in (lambda: layers.Dense(0), lambda: layers.Conv2D(0, 3), lambda: layers.Conv2D(2, 3)(rbe.ones(3, 4))):
        with pytest.raises(rbe.ShapeError):
            make()


def test_a_graph_whose_checkpoints_adapt():
    graph = rbe.ComputationGraph()
    graph.register_operation("double", lambda x: x * 2.0)
    graph.register_operation("sine", lambda x: x.sin())
    graph.enable_checkpointing("adaptive")
    x = rbe.tensor([0.5], requires_grad=True)
    graph.execute(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos(1.0), rtol=1e-6)
    with pytest.raises(rbe.TensorError, match="budget_bytes"):
        graph.enable_checkpointing("adaptive", budget_bytes=-1)
