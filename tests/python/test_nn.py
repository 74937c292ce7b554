import copy
import pickle

import numpy as np
import pytest
import rbe
from rbe import nn


def model():
    return nn.Sequential(
        nn.RBELinear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.RBEActivation(16), nn.Linear(16, 4)
    )


def test_names_and_counts():
    m = model()
    names = [n for n, _ in m.named_parameters()]
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "5.weight", "5.bias"]
    assert list(m.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
                                    "1.num_batches_tracked", "4.weight", "5.weight", "5.bias"]  # fmt: skip
    shared = nn.Linear(3, 3)
    assert len(list(nn.Sequential(shared, shared).parameters())) == 2
    assert "RBELinear(in_features=20" in repr(m)
    assert len(m[1:3]) == 2


def test_state_dict_round_trip_and_refusals():
    a, b = model(), model()
    a(rbe.randn(8, 20))
    assert b.load_state_dict(a.state_dict()) == ([], [])
    a.eval()
    b.eval()
    x = rbe.randn(5, 20)
    assert rbe.equal(a(x), b(x))
    before = b.state_dict()["5.weight"].clone()
    state = dict(model().state_dict())
    for change, error in [
        (lambda s: s.pop("5.bias"), rbe.TensorError),
        (lambda s: s.update(extra=rbe.zeros(1)), rbe.TensorError),
        (lambda s: s.update({"5.bias": rbe.zeros(3)}), rbe.ShapeError),
        (lambda s: s.update({"0.weight": rbe.zeros(16, 20)}), rbe.ShapeError),
    ]:
        broken = dict(state)
        change(broken)
        with pytest.raises(error, match="load_state_dict"):
            b.load_state_dict(broken)
        assert rbe.equal(b.state_dict()["5.weight"], before)
    missing, unexpected = b.load_state_dict({"5.bias": rbe.zeros(4), "other": rbe.zeros(1)}, strict=False)
    assert len(missing) == 9
    assert unexpected == ["other"]


def test_pickle_and_deepcopy_of_modules():
    m = model().eval()
    x = rbe.randn(3, 20)
    for other in (pickle.loads(pickle.dumps(m)), copy.deepcopy(m)):
        assert rbe.equal(m(x), other(x))
        assert other[0].weight is other[0]._parameters["weight"]
        assert isinstance(other[0].weight, nn.Parameter)
        other[5].weight.detach().zero_()
        assert not rbe.equal(m(x), other(x))


def test_modes_apply_hooks_and_dtype():
    m = model()
    m.eval()
    assert not any(x.training for x in m.modules())
    m.train()
    seen = []
    m.apply(lambda x: seen.append(type(x).__name__))
    assert seen[-1] == "Sequential"
    layer = nn.Linear(3, 2)
    handle = layer.register_forward_hook(lambda mod, args, out: out * 2.0)
    pre = layer.register_forward_pre_hook(lambda mod, args: (args[0] + 1.0,))
    x = rbe.zeros(1, 3)
    doubled = layer(x)
    handle.remove()
    pre.remove()
    np.testing.assert_allclose(doubled.detach().numpy(), 2 * layer(rbe.ones(1, 3)).detach().numpy(), rtol=1e-6)
    layer.double()
    assert layer.weight.dtype is rbe.float64
    assert layer._parameters["weight"] is layer.weight
    with pytest.raises(rbe.DeviceError):
        layer.to("cuda")
    with pytest.raises(AttributeError, match="super"):
        type("Broken", (nn.Module,), {"__init__": lambda self: setattr(self, "x", nn.Parameter(rbe.zeros(1)))})()


def test_parameters_move_between_attributes():
    m = nn.Module()
    m.w = nn.Parameter(rbe.zeros(2))
    m.sub = nn.Linear(2, 2)
    assert [n for n, _ in m.named_parameters()] == ["w", "sub.weight", "sub.bias"]
    del m.w
    m.sub = None
    assert list(m.parameters()) == []
    m.register_buffer("b", rbe.zeros(2), persistent=False)
    assert list(m.state_dict()) == []
    assert len(list(m.buffers())) == 1


def test_batch_norm_follows_statistics():
    bn = nn.BatchNorm1d(3)
    x = rbe.randn(50, 3) * 2.0 + 1.0
    y = bn(x).detach().numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(0), 1, atol=1e-4)
    np.testing.assert_allclose(bn.running_mean.numpy(), 0.1 * x.numpy().mean(0), rtol=1e-5)
    np.testing.assert_allclose(bn.running_var.numpy(), 0.9 + 0.1 * x.numpy().var(0, ddof=1), rtol=1e-5)
    assert bn.num_batches_tracked.item() == 1
    bn.eval()
    assert not np.allclose(bn(x).detach().numpy(), y)
    with pytest.raises(rbe.TensorError, match="more than one value"):
        bn.train()(x[:1])
    with pytest.raises(rbe.ShapeError):
        bn(rbe.zeros(2, 4))


def test_dropout_scales_and_rests():
    d = nn.Dropout(0.25)
    x = rbe.ones(100_000)
    y = d(x)
    assert y.mean().item() == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(np.unique(y.numpy()), [0, 4 / 3], rtol=1e-6)
    assert d.eval()(x) is not None
    assert rbe.equal(d(x), x)
    with pytest.raises(rbe.TensorError):
        nn.Dropout(1.5)


def test_losses():
    logits, target = rbe.randn(6, 4, dtype=rbe.float64), rbe.tensor([0, 3, 1, 2, 3, 0])
    p = logits.softmax().numpy()
    want = -np.log(p[np.arange(6), target.numpy()])
    assert nn.CrossEntropyLoss()(logits, target).item() == pytest.approx(want.mean())
    np.testing.assert_allclose(nn.CrossEntropyLoss(reduction="none")(logits, target).numpy(), want)
    assert nn.CrossEntropyLoss(ignore_index=3)(logits, target).item() == pytest.approx(want[[0, 2, 3, 5]].mean())
    smooth = 0.9 * want - 0.1 * np.log(p).mean(1)
    assert nn.CrossEntropyLoss(label_smoothing=0.1)(logits, target).item() == pytest.approx(smooth.mean())
    a, b = rbe.randn(3, 4), rbe.randn(3, 4)
    assert nn.MSELoss()(a, b).item() == pytest.approx(((a.numpy() - b.numpy()) ** 2).mean(), rel=1e-5)
    with pytest.raises(rbe.OutOfRangeError):
        nn.CrossEntropyLoss()(logits, rbe.tensor([0, 4, 0, 0, 0, 0]))
    with pytest.raises(rbe.ShapeError):
        nn.MSELoss()(a, b[0])
    with pytest.raises(rbe.TensorError):
        nn.CrossEntropyLoss(reduction="most")(logits, target)


def test_embedding_and_layer_norm():
    e = nn.Embedding(5, 3, padding_idx=-1)
    assert e.weight.detach()[4].tolist() == [0, 0, 0]
    e(rbe.tensor([[4, 1], [1, 0]])).sum().backward()
    assert e.weight.grad.sum(1).tolist() == [3, 6, 0, 0, 0]
    with pytest.raises(rbe.OutOfRangeError):
        e(rbe.tensor([5]))
    with pytest.raises(rbe.DTypeError):
        e(rbe.tensor([0.5]))
    y = nn.LayerNorm(8)(rbe.randn(4, 8) * 3.0).detach().numpy()
    np.testing.assert_allclose(y.mean(1), 0, atol=1e-6)


def test_init_statistics():
    w = rbe.zeros(400, 300)
    nn.init.kaiming_normal_(w, nonlinearity="relu")
    assert w.numpy().std() == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    nn.init.xavier_uniform_(w)
    assert abs(w.numpy()).max() <= (6 / 700) ** 0.5
    nn.init.orthogonal_(w)
    np.testing.assert_allclose(w.numpy().T @ w.numpy(), np.eye(300), atol=1e-5)
    nn.init.trunc_normal_(w, std=1.0, a=-1, b=1)
    assert abs(w.numpy()).max() <= 1
    nn.init.eye_(w)
    assert w.numpy().trace() == 300
    with pytest.raises(rbe.DTypeError):
        nn.init.normal_(nn.RBELinear(4, 4).weight)


def test_vectors_and_clipping():
    m = nn.Linear(3, 2)
    v = nn.utils.parameters_to_vector(m.parameters())
    nn.utils.vector_to_parameters(v * 2.0, m.parameters())
    np.testing.assert_allclose(nn.utils.parameters_to_vector(m.parameters()).detach().numpy(), 2 * v.detach().numpy())
    (m(rbe.ones(1, 3)) * 10.0).sum().backward()
    g = np.concatenate([p.grad.numpy().ravel() for p in m.parameters()])
    norm = nn.utils.clip_grad_norm_(m.parameters(), 1.0)
    assert norm == pytest.approx(np.linalg.norm(g), rel=1e-6)
    g = np.concatenate([p.grad.numpy().ravel() for p in m.parameters()])
    assert np.linalg.norm(g) == pytest.approx(1.0, rel=1e-4)
    nn.utils.clip_grad_value_(m.parameters(), 0.01)
    assert max(abs(p.grad.numpy()).max() for p in m.parameters()) <= 0.01 + 1e-9


def test_bad_sizes():
    for make in (lambda: nn.RBELinear(0, 3), lambda: nn.Linear(3, 0), lambda: nn.RBEActivation(0)):
        with pytest.raises(rbe.ShapeError):
            make()
    with pytest.raises(rbe.ShapeError, match="packed_linear"):
        nn.RBELinear(4, 3)(rbe.zeros(2, 5))
    with pytest.raises(rbe.DTypeError):
        rbe.zeros(2, 4).packed_matmul(rbe.zeros(3, 4))
    with pytest.raises(rbe.TensorError):
        nn.RBEActivation(family="cubic")
