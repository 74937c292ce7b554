"""Recurrent layers against NumPy, packed ones against dense ones of the same weights, packed tables, errors."""

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.autograd import gradcheck
from reference import flip_gradient

KINDS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(name, extra, x, h, c):
    """The next state from the products of inputs and state."""
    a = h[1] if isinstance(h, tuple) else None
    before = h[0] if isinstance(h, tuple) else h
    if name == "RNN":
        total = x + a
        return (np.maximum(total, 0) if extra else np.tanh(total)), c
    parts = np.split(x, 4 if name == "LSTM" else 3, -1)
    own = np.split(a, len(parts), -1)
    if name == "LSTM":
        i, f, g, o = (p + q for p, q in zip(parts, own, strict=True))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    r, z = sigmoid(parts[0] + own[0]), sigmoid(parts[1] + own[1])
    n = np.tanh(parts[2] + r * own[2])
    return (1 - z) * n + z * before, c


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "extra"), KINDS)
def test_states_are_those_of_the_definition(name, extra, dtype):
    rng = Inputs()
    layer = getattr(nn, name)(4, 20, bidirectional=True, **extra, dtype=dtype)
    x = rng.array(6, 3, 4)
    out, _ = layer(rbe.tensor(x, dtype=dtype))
    own = {k: v.detach().numpy().astype(np.float64) for k, v in layer.state_dict().items()}
    for k, suffix in enumerate(("_l0", "_l0_reverse")):
        h = c = np.zeros((3, 20))
        for t in range(6)[:: -1 if k else 1]:
            products = x[t] @ own["weight_ih" + suffix].T + own["bias_ih" + suffix]
            h, c = step(name, extra, products, (h, h @ own["weight_hh" + suffix].T + own["bias_hh" + suffix]), c)
            got = out.detach().numpy()[t, :, 20 * k : 20 * (k + 1)]
            np.testing.assert_allclose(got, h, atol=2e-6 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(("name", "extra"), KINDS)
@pytest.mark.usefixtures("float32_products")
def test_packed_layers_are_dense_layers_of_their_weights(name, extra):
    rbe.manual_seed(0)
    packed = getattr(nn, "RBE" + name)(70, 40, num_layers=2, bidirectional=True, batch_first=True, **extra)
    dense = getattr(nn, name)(70, 40, num_layers=2, bidirectional=True, batch_first=True, **extra)
    dense.load_state_dict({k: v.to_dense() if v.is_packed else v for k, v in packed.state_dict().items()})
    x = rbe.randn(3, 5, 70)
    outs, inputs = [], []
    for layer in (packed, dense):
        inputs.append(x.detach().clone().requires_grad_())
        out, _ = layer(inputs[-1])
        (out * out).sum().backward()
        outs.append(out.detach().numpy())
    np.testing.assert_allclose(outs[0], outs[1], atol=1e-5)
    np.testing.assert_allclose(inputs[0].grad.numpy(), inputs[1].grad.numpy(), atol=1e-4, rtol=1e-4)
    for (key, p), q in zip(packed.named_parameters(), dense.named_parameters(), strict=True):
        want = q[1].grad.numpy()
        if not p.is_packed:
            np.testing.assert_allclose(p.grad.numpy(), want, atol=1e-4, rtol=1e-4, err_msg=key)
            continue
        flip = flip_gradient(p, want)
        np.testing.assert_allclose(p.grad.hi, flip, atol=1e-4 * np.abs(flip).max(), err_msg=key)


@pytest.mark.parametrize(("precision", "state"), [("float32", 4 * 64), ("int8", 64 + 4)])  # bytes of a state
@pytest.mark.parametrize("name", ["RBERNN", "RBELSTM", "RBEGRU"])
def test_a_weight_used_at_every_step_holds_one_factor(name, precision, state):
    layer = getattr(nn, name)(64, 64)
    layer.precision = precision
    sizes = []
    for steps in (1, 16):
        layer.zero_grad()
        layer(rbe.randn(steps, 2, 64))[0].sum().backward()
        sizes.append(layer.weight_hh_l0.grad.nbytes)
    rows = layer.weight_hh_l0.shape[0]
    assert sizes == [2 * (state + 4 * rows), 32 * (state + 4 * rows)]


def test_bits_do_not_depend_on_threads():
    x = Inputs().array(4, 64, 96, dtype=np.float32)
    before, found = rbe.get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            rbe.set_num_threads(threads)
            rbe.manual_seed(0)
            layer, t = nn.LSTM(96, 160), rbe.tensor(x, requires_grad=True)
            y = layer(t)[0]
            (y * y).sum().backward()
            found.append([y.detach().numpy().copy(), t.grad.numpy().copy(), layer.weight_hh_l0.grad.numpy().copy()])
    finally:
        rbe.set_num_threads(before)
    for other in found[1:]:
        assert all((a == b).all() for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("steps", [1, 4])
def test_gradients_of_projected_states(steps):
    rbe.manual_seed(0)
    layer = nn.LSTM(3, 5, bidirectional=True, proj_size=2, dtype="float64")
    names, own = zip(*layer.named_parameters(), strict=True)
    inputs = [rbe.randn(*shape, dtype="float64", requires_grad=True) for shape in ((steps, 2, 3), (2, 2, 2), (2, 2, 5))]

    def run(x, h, c, *parameters):
        layer._parameters.update(zip(names, parameters, strict=True))
        out, (last, cells) = layer(x, (h, c))
        return rbe.cat([t.reshape(-1) for t in (out, last, cells)])

    assert gradcheck(run, [*inputs, *own])


def test_dropout_is_between_layers_in_training():
    x = rbe.randn(5, 3, 8)
    one, two = nn.GRU(8, 16, dropout=0.5), nn.GRU(8, 16, num_layers=2, dropout=0.5)
    assert (one(x)[0].detach().numpy() == one(x)[0].detach().numpy()).all()
    assert (two(x)[0].detach().numpy() != two(x)[0].detach().numpy()).any()
    two.eval()
    assert (two(x)[0].detach().numpy() == two(x)[0].detach().numpy()).all()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nn.LSTM(0, 4), rbe.ShapeError),
        (lambda: nn.RNN(4, 4, nonlinearity="sine"), rbe.TensorError),
        (lambda: nn.GRU(4, 4, dropout=2.0), rbe.TensorError),
        (lambda: nn.GRU(4, 4, num_layers=0), rbe.ShapeError),
        (lambda: nn.LSTM(4, 8)(rbe.zeros(5, 3, 5)), rbe.ShapeError),
        (lambda: nn.LSTM(4, 8, proj_size=8), rbe.TensorError),
        (lambda: nn.LSTM(4, 8, proj_size=-1), rbe.TensorError),
        (lambda: nn.GRU(4, 8, proj_size=2), rbe.TensorError),
        (lambda: nn.RBELSTM(4, 8, proj_size=2), rbe.TensorError),
        (lambda: nn.LSTM(4, 8, proj_size=2)(rbe.zeros(5, 3, 4), (rbe.zeros(1, 3, 8), rbe.zeros(1, 3, 8))), rbe.ShapeError),
        (lambda: nn.LSTM(4, 8)(rbe.zeros(0, 3, 4)), rbe.ShapeError),
        (lambda: nn.LSTM(4, 8)(rbe.zeros(5, 3, 4), rbe.zeros(1, 3, 8)), rbe.ShapeError),
        (lambda: nn.GRU(4, 8)(rbe.zeros(5, 3, 4), rbe.zeros(1, 2, 8)), rbe.ShapeError),
        (lambda: nn.GRUCell(4, 8)(rbe.zeros(5, 3, 4)), rbe.ShapeError),
        (lambda: nn.RBEEmbedding(0, 8), rbe.ShapeError),
        (lambda: nn.RBEEmbedding(4, 8, padding_idx=4), rbe.OutOfRangeError),
        (lambda: nn.RBEEmbedding(4, 8)(rbe.tensor([4])), rbe.OutOfRangeError),
        (lambda: nn.RBEEmbedding(4, 8)(rbe.tensor([0.5])), rbe.DTypeError),
    ],
)
def test_bad_input_is_a_typed_error(call, error):
    with pytest.raises(error):
        call()


@pytest.mark.parametrize("count", [3, 200])
def test_a_packed_table_gives_its_rows_and_their_gradient(count):
    table = nn.RBEEmbedding(50, 70, padding_idx=2)
    index = Inputs().integers(0, 50, (2, count))
    index[0, 0] = 2
    dense = table.weight.to_dense().detach().numpy()
    out = table(rbe.tensor(index))
    np.testing.assert_array_equal(out.detach().numpy(), dense[index])
    up = Inputs(1).array(out.shape, dtype=np.float32)
    out.backward(rbe.tensor(up))
    want = np.zeros((50, 70), np.float32)
    np.add.at(want, index[index != 2], up[index != 2])
    np.testing.assert_allclose(table.weight.grad.hi, flip_gradient(table.weight, want), atol=1e-4)
    assert table.weight.grad.nbytes <= 4 * 70 * (50 + 70)


def test_a_table_may_be_the_weight_of_a_layer_too():
    table, x, index = nn.RBEEmbedding(10, 64), rbe.randn(5, 64), rbe.tensor([3, 3, 9, 0, 1])
    found = []
    for uses in ((True, False), (False, True), (True, True)):
        table.zero_grad()
        rows = table(index) if uses[0] else rbe.zeros(5, 64)
        (rows.sum() + (x.packed_matmul(table.weight).sum() if uses[1] else 0)).backward()
        found.append((table.weight.grad.hi, table.weight.grad.lo))
    for one, other, both_uses in zip(*found, strict=True):
        np.testing.assert_allclose(one + other, both_uses, atol=1e-4)


def test_packed_layers_learn_to_remember():
    rbe.manual_seed(0)
    table, layer, out = nn.RBEEmbedding(8, 64), nn.RBEGRU(64, 64, batch_first=True), nn.Linear(64, 8)
    model = nn.ModuleList([table, layer, out])
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    rng = Inputs()
    losses = []
    for _ in range(200):
        x = rng.integers(0, 8, (32, 5))
        states, _ = layer(table(rbe.tensor(x)))
        loss = nn.functional.cross_entropy(out(states[:, -1]), rbe.tensor(x[:, 1].copy()))
        optimizer.step_with_autodiff(loss)
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.5 < 1.8 < losses[0]
