"""Packed layers in torch's ways to run, copy, save and train models."""

import functools
import gc
import weakref

import pytest
import rbe
from rbe import errors

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from rbe.torch import HybridOptimizer, RBEConv2d, RBEEmbedding, RBELinear, pack_  # noqa: E402

nn, F = torch.nn, torch.nn.functional


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)
    torch._dynamo.reset()


def network():
    return nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 10))


def loss_of(model, x):
    return model(x).square().mean()


def flips_of(layer):
    return layer.packed.grad.hi


# Gradients


def test_gradients_add_up_until_they_are_dropped():
    layer, x = RBELinear(64, 8), torch.randn(4, 64)
    loss_of(layer, x).backward()
    once, bias = flips_of(layer).copy(), layer.bias.grad.clone()
    loss_of(layer, x).backward()
    torch.testing.assert_close(torch.from_numpy(flips_of(layer)), torch.from_numpy(2 * once))
    torch.testing.assert_close(layer.bias.grad, 2 * bias)
    layer.zero_grad()  # of the module, which knows parameters only
    loss_of(layer, x).backward()
    assert (flips_of(layer) == once).all()
    HybridOptimizer(layer).zero_grad()
    assert layer.packed.grad is None
    assert layer.handle.grad is None


def test_micro_batches_give_the_gradient_of_the_batch():
    with rbe.config.using(packed_matmul_precision="float32"):
        layer, x = RBELinear(64, 8), torch.randn(6, 64)
        layer(x).square().sum().backward()
        whole = torch.from_numpy(flips_of(layer).copy())
        layer.zero_grad()
        for part in x.split(2):
            layer(part).square().sum().backward()
        torch.testing.assert_close(torch.from_numpy(flips_of(layer)), whole, rtol=1e-4, atol=1e-4)


def test_a_gradient_of_other_tensors_leaves_the_weight_alone():
    layer, x = RBELinear(64, 8), torch.randn(4, 64, requires_grad=True)
    (dx,) = torch.autograd.grad(loss_of(layer, x), x)
    assert dx.abs().max() > 0
    assert layer.packed.grad is None
    loss_of(layer, x).backward()
    alone = flips_of(layer).copy()
    layer.zero_grad()
    torch.autograd.grad(loss_of(layer, x), x)
    loss_of(layer, x).backward()
    assert (flips_of(layer) == alone).all()


def test_a_layer_that_is_used_twice_gets_both_gradients():
    with rbe.config.using(packed_matmul_precision="float32"):
        layer, x, dy = RBELinear(64, 64), torch.randn(4, 64), torch.randn(4, 64)
        dense = layer.dense()
        for m in (layer, dense):
            m(m(x)).backward(dy)
        from test_torch_bridge_layers import levels_of

        levels_of(layer, dense.weight.grad)


def test_a_frozen_weight_has_no_gradient_and_is_not_trained():
    model = pack_(network())
    for p in model[0].parameters():
        p.requires_grad_(False)
    optimizer, x = HybridOptimizer(model), torch.randn(4, 64)
    before = [m.blocks.clone() for m in (model[0], model[2])]
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(model, x).backward()
        optimizer.step()
    assert model[0].packed.grad is None
    assert torch.equal(model[0].blocks, before[0])
    assert not torch.equal(model[2].blocks, before[1])


def test_backward_after_the_weight_has_changed_is_refused():
    layer, x = RBELinear(64, 8), torch.randn(4, 64)
    optimizer = HybridOptimizer(layer)
    loss = loss_of(layer, x)
    loss_of(layer, x).backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_dense_weight_passes_gradients_on():
    with rbe.config.using(packed_matmul_precision="float32"):
        layer, x = RBELinear(64, 8), torch.randn(4, 64)
        loss_of(layer, x).backward()
        want = torch.from_numpy(flips_of(layer).copy())
        layer.zero_grad()
        F.linear(x, layer.weight, layer.bias).square().mean().backward()
        torch.testing.assert_close(torch.from_numpy(flips_of(layer)), want, rtol=1e-4, atol=1e-6)


def test_second_derivatives_are_refused():
    layer, x = RBELinear(64, 8), torch.randn(4, 64, requires_grad=True)
    (dx,) = torch.autograd.grad(loss_of(layer, x), x, create_graph=True)
    with pytest.raises(RuntimeError):
        dx.sum().backward()


def test_layers_are_freed():
    layer = RBELinear(64, 8)
    loss_of(layer, torch.randn(4, 64)).backward()
    view, blocks = weakref.ref(layer.packed), weakref.ref(layer.blocks)
    del layer
    gc.collect()
    assert view() is None
    assert blocks() is None


# Modules


def test_hooks_no_grad_and_inference_mode():
    layer, x, seen = RBELinear(64, 8), torch.randn(4, 64, requires_grad=True), []
    layer.register_forward_hook(lambda m, a, y: seen.append(tuple(y.shape)))
    layer.register_full_backward_hook(lambda m, dx, dy: seen.append(tuple(dx[0].shape)))
    y = layer(x)
    y.sum().backward()
    assert seen == [(4, 8), (4, 64)]
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert not layer(x).requires_grad
            assert torch.equal(layer(x), y)


def test_autocast_computes_in_float32():
    model = nn.Sequential(nn.Linear(64, 64), RBELinear(64, 64))
    x = torch.randn(4, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        middle = model[0](x)
        y = model(x)
    assert (middle.dtype, y.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(y, model[1](middle.float()))
    y.sum().backward()
    assert model[0].weight.grad.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_conversions_keep_the_blocks(dtype):
    model = pack_(nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.Linear(96, 10)))
    before = model[0].blocks.clone()
    model.to(dtype)
    assert torch.equal(model[0].blocks, before)
    assert (model[0].bias.dtype, model[0].scale.dtype, model[0].handle.dtype) == (dtype, torch.float32, torch.float32)
    x = torch.randn(4, 64, dtype=dtype, requires_grad=True)
    y = model(x)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype, model[0].bias.grad.dtype) == (dtype,) * 3
    assert model[0].packed.grad is not None


def test_other_devices_are_refused():
    model = pack_(network())
    for device in ("meta", "cuda"):
        with pytest.raises((errors.DeviceError, RuntimeError, AssertionError)) as info:
            model.to(device)
        assert device == "cuda" or "CPU" in str(info.value)
    assert model.to("cpu")(torch.randn(2, 64)).shape == (2, 10)


def test_what_does_not_fit_is_refused():
    layer, table, conv = RBELinear(64, 8), RBEEmbedding(10, 64), RBEConv2d(3, 8, 3)
    for call, error in (
        (lambda: layer(torch.randn(4, 63)), rbe.ShapeError),
        (lambda: layer(torch.tensor(1.0)), rbe.ShapeError),
        (lambda: layer(torch.ones(4, 64, dtype=torch.int64)), rbe.DTypeError),
        (lambda: table(torch.ones(4)), rbe.DTypeError),
        (lambda: table(torch.tensor([10])), rbe.OutOfRangeError),
        (lambda: conv(torch.randn(2, 4, 8, 8)), rbe.ShapeError),
        (lambda: RBELinear(0, 8), rbe.ShapeError),
        (lambda: RBEEmbedding(10, 64, 10), rbe.OutOfRangeError),
        (lambda: pack_(nn.ReLU()), rbe.TensorError),
        (lambda: pack_(network(), init="zeros"), rbe.TensorError),
        (lambda: pack_(network(), skip=[3]), rbe.DTypeError),
        (lambda: pack_("model"), rbe.DTypeError),
        (lambda: pack_(nn.Embedding(5, 8, max_norm=1.0)), rbe.TensorError),
        (lambda: HybridOptimizer(layer, lr=0.0), rbe.TensorError),
        (lambda: HybridOptimizer(layer, lr_hi=-1.0), rbe.TensorError),
        (lambda: HybridOptimizer(layer, seed=-1), rbe.TensorError),
        (lambda: HybridOptimizer(layer, on_nonfinite="ignore"), rbe.TensorError),
    ):
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_gives_the_same_gradients(reentrant):
    from torch.utils.checkpoint import checkpoint

    layer, x = RBELinear(64, 8), torch.randn(4, 64, requires_grad=True)
    loss_of(layer, x).backward()
    want = flips_of(layer).copy(), x.grad.clone()
    layer.zero_grad()
    x.grad = None
    checkpoint(functools.partial(loss_of, layer), x, use_reentrant=reentrant).backward()
    assert (flips_of(layer) == want[0]).all()
    assert torch.equal(x.grad, want[1])


def test_shared_memory_moves_the_weight():
    model = pack_(network())
    optimizer, x = HybridOptimizer(model), torch.randn(4, 64)
    y = model(x)
    model.share_memory()
    assert torch.equal(model(x), y)
    loss_of(model, x).backward()
    optimizer.step()
    assert not torch.equal(model(x), y)


# Operators


def test_operators_pass_torchs_own_checks():
    layer, table, conv = RBELinear(70, 8), RBEEmbedding(10, 64), RBEConv2d(3, 8, 3, padding=1)
    x = torch.randn(4, 70, requires_grad=True)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    for op, args in (
        (torch.ops.rbe.packed_linear.default, (x, layer.blocks, layer.scale, layer.handle, layer.bias, layer.shape, True)),
        (torch.ops.rbe.packed_linear.default, (x, layer.blocks, layer.scale, layer.handle, None, layer.shape, False)),
        (torch.ops.rbe.packed_dense.default, (layer.blocks, layer.scale, layer.handle, layer.shape, torch.float64)),
        (
            torch.ops.rbe.packed_embedding.default,
            (torch.tensor([1, 2]), table.blocks, table.scale, table.handle, table.shape, -1),
        ),
        (
            torch.ops.rbe.packed_conv.default,
            (
                *(torch.randn(2, 3, 6, 6), conv.blocks, conv.scale, conv.handle, conv.bias, conv.shape),
                *([2, 1], [1, 1, 0, 1], [1, 1], 1),
            ),
        ),
    ):
        torch.library.opcheck(op, args, test_utils=tests)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.conv, self.head = nn.Embedding(12, 64), nn.Conv1d(64, 32, 3, padding=1), nn.Linear(32, 12)

    def forward(self, index):
        x = F.gelu(self.conv(self.table(index).transpose(1, 2)))
        return self.head(x.transpose(1, 2))


@pytest.mark.parametrize("backend", ["aot_eager", "eager"])
def test_a_compiled_model_trains_to_the_same_bits(backend):
    index = torch.randint(0, 12, (4, 7))
    results = []
    for compiled in (False, True):
        torch.manual_seed(1)
        rbe.manual_seed(1)
        model = pack_(Mixed())
        run = torch.compile(model, backend=backend, fullgraph=True) if compiled else model
        optimizer = HybridOptimizer(model)
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(run(index).flatten(0, 1), index.flatten()).backward()
            optimizer.step()
        results.append(model.state_dict())
    for name, value in results[0].items():
        if value.dtype == torch.uint8:
            assert torch.equal(value, results[1][name]), name
        else:
            torch.testing.assert_close(value, results[1][name])


def test_a_compiled_layer_that_is_used_twice_gets_both_gradients():
    layer, x = RBELinear(64, 8), torch.randn(4, 64)

    def twice(x):
        return layer(x).sum() + layer(x).sum()

    twice(x).backward()
    want = flips_of(layer).copy()
    layer.zero_grad()
    torch.compile(twice, backend="aot_eager")(x).backward()
    torch.testing.assert_close(torch.from_numpy(flips_of(layer)), torch.from_numpy(want))


def test_an_exported_program_computes_the_same(tmp_path):
    model, index = pack_(Mixed()).eval(), torch.randint(0, 12, (4, 7))
    with torch.no_grad():
        want = model(index)
    program = torch.export.export(model, (index,))
    torch.export.save(program, tmp_path / "model.pt2")
    for found in (program, torch.export.load(tmp_path / "model.pt2")):
        assert torch.equal(found.module()(index), want)
    assert any("packed_linear" in str(node.target) for node in program.graph.nodes)
