"""`rbe.torch.RBELinear` beside rbe's own layer, whose bits it must give, and beside torch's dense layer."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import rbe

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from rbe.torch import HybridOptimizer, PackedLayer, RBELinear, pack_, unpack  # noqa: E402

F = torch.nn.functional


def to_rbe(t):
    return rbe.tensor(t.detach().numpy())


def twin(layer):
    """rbe's own layer with the weights of a torch one."""
    own = rbe.RBELinear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    packed = rbe.RBETensor.encode(layer.packed.to_dense(), layer.packed.scale)
    packed._copy_packed(layer.packed)
    own.weight = rbe.nn.Parameter(packed)
    if layer.bias is not None:
        own.bias = rbe.nn.Parameter(to_rbe(layer.bias))
    return own


def network():
    return torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.LayerNorm(128), torch.nn.ReLU(), torch.nn.Linear(128, 10))


def problem():
    g = torch.Generator().manual_seed(5)
    return torch.randn(96, 64, generator=g), torch.randint(0, 10, (96,), generator=g)


def train(model, optimizer, steps):
    x, y = problem()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)
    rbe.manual_seed(0)


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("shape", [(3,), (2, 5), (40,), (0,), (300,)])
def test_results_and_gradients_are_those_of_rbe_to_the_bit(shape, precision):
    with rbe.config.using(packed_matmul_precision=precision):
        layer = RBELinear(70, 20)
        own = twin(layer)
        x, dy = torch.randn(*shape, 70, requires_grad=True), torch.randn(*shape, 20)
        a = rbe.tensor(x.detach().numpy(), requires_grad=True)
        y, want = layer(x), own(a)
        assert np.array_equal(y.detach().numpy(), want.numpy() if not want.requires_grad else want.detach().numpy())
        y.backward(dy)
        want.backward(to_rbe(dy))
        assert np.array_equal(x.grad.numpy(), a.grad.numpy())
        assert np.array_equal(layer.bias.grad.numpy(), own.bias.grad.numpy())
        for name in ("hi", "lo", "levels"):
            found, expected = (getattr(w.grad, name) for w in (layer.packed, own.weight))
            assert np.array_equal(found, expected), name


@pytest.mark.usefixtures("float32_products")
def test_results_and_gradients_are_those_of_a_dense_layer():
    layer = RBELinear(130, 33)
    dense = layer.dense()
    x, dy = torch.randn(17, 130), torch.randn(17, 33)
    results = []
    for m in (layer, dense):
        a = x.clone().requires_grad_()
        y = m(a)
        y.backward(dy)
        results.append((y.detach(), a.grad, m.bias.grad))
    for found, want in zip(*results, strict=True):
        torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-5)
    # The gradient of a level is the sum of those of its weights.
    bits = layer.packed.hi
    g = dense.weight.grad.numpy()
    for b in (0, 1):
        mask = np.stack([(bits[:, k // 64] >> np.uint64(k % 64)) & np.uint64(1) == b for k in range(130)], axis=1)
        sums = np.stack([(g * mask)[:, 64 * j : 64 * j + 64].sum(1) for j in range(3)], axis=1)
        np.testing.assert_allclose(layer.packed.grad.levels[..., b], sums, rtol=1e-4, atol=1e-4)


def test_gradcheck_of_input_and_bias_in_float64():
    layer = RBELinear(70, 5).double()
    x = torch.randn(3, 70, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradcheck(lambda x, b: F.linear(x, layer._dense(torch.float64), b), (x, bias))
    want = x @ torch.from_numpy(layer.packed.to_dense("float64").numpy()).T + layer.bias
    torch.testing.assert_close(layer(x), want, rtol=1e-12, atol=1e-12)


def test_gradcheck_of_the_levels():
    # A loss linear in the weight, whose derivative by a point z of the disk is found by differences of the levels' formula in float64.
    layer = RBELinear(70, 3, bias=False).double()
    x, dy = torch.randn(4, 70, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    layer(x).backward(dy)
    hi = layer.packed.hi
    bits = np.stack([(hi[:, k // 64] >> np.uint64(k % 64)) & np.uint64(1) for k in range(70)], axis=1).astype(np.int64)
    bits, of = torch.from_numpy(bits), torch.arange(70) // 64

    def loss(z):
        r = z.norm(dim=-1, keepdim=True)
        v = layer.packed.scale * 2 * torch.atanh(r) * z / r  # (rows, blocks, 2)
        w = torch.where(bits == 1, v[:, of, 1], v[:, of, 0])
        return ((x @ w.T) * dy).sum()

    z = torch.from_numpy(layer.packed.lo.astype(np.float64)).requires_grad_()
    assert torch.autograd.gradcheck(loss, (z,))
    (want,) = torch.autograd.grad(loss(z), z)
    np.testing.assert_allclose(layer.packed.grad.lo, want.numpy(), rtol=1e-4, atol=1e-5)


def test_a_network_learns():
    model = pack_(network())
    optimizer = HybridOptimizer(model)
    losses = train(model, optimizer, 60)
    assert losses[-1] < 0.2 * losses[0]
    assert optimizer.flips > 0
    assert sum(isinstance(m, RBELinear) for m in model) == 2


def test_training_gives_the_bits_of_rbe():
    layer = RBELinear(70, 20, bias=False)
    own = twin(layer)
    ours = HybridOptimizer(layer, seed=3)
    theirs = rbe.optim.HybridOptimizer(own.parameters(), seed=3)
    for step in range(20):
        x, dy = torch.randn(16, 70, generator=torch.Generator().manual_seed(step)), torch.randn(16, 20)
        for optimizer in (ours, theirs):
            optimizer.zero_grad()
        layer(x).backward(dy)
        own(to_rbe(x)).backward(to_rbe(dy))
        ours.step()
        theirs.step()
    assert ours.flips == theirs.flips
    for name in ("hi", "lo"):
        assert np.array_equal(getattr(layer.packed, name), getattr(own.weight, name))


def test_dense_parameters_follow_torchs_adamw_to_the_bit():
    a, b = network(), network()
    b.load_state_dict(a.state_dict())
    ours = HybridOptimizer(a, lr=1e-3, betas=(0.8, 0.99), weight_decay=0.1)
    theirs = torch.optim.AdamW(b.parameters(), lr=1e-3, betas=(0.8, 0.99), weight_decay=0.1, fused=True)
    assert train(a, ours, 5) == train(b, theirs, 5)


def test_state_dicts_round_trip_and_training_continues_bit_for_bit(tmp_path):
    model = pack_(network())
    optimizer = HybridOptimizer(model, weight_decay=0.01)
    train(model, optimizer, 5)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt")
    assert not any("handle" in name for name in saved["model"])
    after = train(model, optimizer, 5)
    again = pack_(network())
    other = HybridOptimizer(again, weight_decay=0.01, seed=9)
    again.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    assert train(again, other, 5) == after
    for x, y in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(x, y)


def test_safetensors_hold_the_blocks_bit_for_bit(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    model, other = pack_(network()), pack_(network())
    safetensors.save_file(model.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(safetensors.load_file(tmp_path / "model.safetensors"))
    x, _ = problem()
    assert torch.equal(model(x), other(x))
    unaligned = safetensors.load_file(tmp_path / "model.safetensors")
    third = pack_(network())
    third.load_state_dict(unaligned, assign=True)
    assert torch.equal(model(x), third(x))


def test_blocks_that_training_never_leaves_are_refused_and_nothing_changes():
    model = pack_(network())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    damaged = {name: value.clone() for name, value in before.items()}
    damaged["0.blocks"][0, 0, 128:132] = torch.tensor([0, 0, 192, 127], dtype=torch.uint8)  # NaN as a coordinate
    with pytest.raises(RuntimeError, match="finite points"):
        model.load_state_dict(damaged)
    for name, value in model.state_dict().items():
        if name.startswith("0."):
            assert torch.equal(value, before[name])


def test_copies_and_pickles_are_models_of_their_own():
    model = pack_(network())
    x, _ = problem()
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(buffer, weights_only=False)]
    want = model(x).detach()
    for other in others:
        assert torch.equal(other(x), want)
        train(other, HybridOptimizer(other), 3)
        assert not torch.equal(other(x), want)
        assert torch.equal(model(x), want)


def test_unpacked_layers_compute_the_same_in_float32():
    model = pack_(network())
    x, _ = problem()
    dense = unpack(copy.deepcopy(model))
    assert not any(isinstance(m, PackedLayer) for m in dense.modules())
    with rbe.config.using(packed_matmul_precision="float32"):
        torch.testing.assert_close(dense(x), model(x), rtol=1e-4, atol=1e-4)
    encoded = pack_(copy.deepcopy(dense), init="encode")
    with rbe.config.using(packed_matmul_precision="float32"):
        torch.testing.assert_close(encoded(x), model(x), rtol=1e-3, atol=1e-3)


def without_torch(code):
    """Run `code` in a process that has no torch."""
    block = "import sys\nsys.modules['torch'] = None\n"
    return subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True, check=False)


def test_rbe_does_not_import_torch_and_says_what_is_missing():
    found = subprocess.run(
        [sys.executable, "-c", "import rbe, sys; print('torch' in sys.modules)"], capture_output=True, text=True
    )
    assert found.stdout.strip() == "False"
    missing = without_torch("import rbe\ntry:\n    rbe.torch\nexcept ImportError as e:\n    print(e)")
    assert "the package torch" in missing.stdout, missing.stderr


def test_a_weight_of_another_scale_is_loaded_and_trained_on():
    model = pack_(network())
    optimizer = HybridOptimizer(model)
    train(model, optimizer, 2)
    larger = network()
    with torch.no_grad():
        larger[0].weight *= 100
    other = pack_(larger, init="encode")
    assert other[0].packed.scale != model[0].packed.scale
    model.load_state_dict(other.state_dict())
    optimizer.load_state_dict(HybridOptimizer(other).state_dict())
    assert model[0].packed.scale == other[0].packed.scale
    assert train(model, optimizer, 5) == train(other, HybridOptimizer(other), 5)
