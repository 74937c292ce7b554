"""Layers, losses, containers and hooks; test_nn.py has the module protocol, test_torch_nn.py compares with torch."""

import copy
import pickle

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.autograd import gradcheck
from rbe.nn import functional as F

RNG = Inputs()


def prob(*shape, grad=True):
    return rbe.tensor(RNG.uniform(0.1, 0.9, shape), requires_grad=grad)


T64 = rbe.tensor(RNG.uniform(0.1, 0.9, (4, 3)))
SIGNS = rbe.tensor([1, -1, 1, -1])
CLASSES = rbe.tensor([0, 2, 1, 2])
CLASS_WEIGHT = rbe.tensor([0.5, 1.0, 2.0], dtype=rbe.float64)

CHECKS = {
    "l1": (lambda x: F.l1_loss(x, T64), lambda: [RNG.leaf(4, 3)]),
    "mse_sum": (lambda x, t: F.mse_loss(x, t, "sum"), lambda: [RNG.leaf(4, 3), RNG.leaf(4, 3)]),
    "huber": (lambda x, t: F.huber_loss(x, t, delta=0.7), lambda: [RNG.leaf(4, 3), RNG.leaf(4, 3)]),
    "smooth_l1": (lambda x, t: F.smooth_l1_loss(x, t, beta=0.4), lambda: [RNG.leaf(4, 3), RNG.leaf(4, 3)]),
    "bce": (F.binary_cross_entropy, lambda: [prob(4, 3), prob(4, 3)]),
    "bce_logits": (F.binary_cross_entropy_with_logits, lambda: [RNG.leaf(4, 3), prob(4, 3)]),
    "bce_pos_weight": (
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, T64, "sum", CLASS_WEIGHT),
        lambda: [RNG.leaf(4, 3), prob(4, 3)],
    ),
    "kl": (lambda x, t: F.kl_div(x, t, "batchmean"), lambda: [RNG.leaf(4, 3), prob(4, 3)]),
    "kl_log": (lambda x, t: F.kl_div(x, t, log_target=True), lambda: [RNG.leaf(4, 3), RNG.leaf(4, 3)]),
    "cosine": (lambda a, b: F.cosine_embedding_loss(a, b, SIGNS, 0.1), lambda: [RNG.leaf(4, 3), RNG.leaf(4, 3)]),
    "cosine_similarity": (F.cosine_similarity, lambda: [RNG.leaf(4, 3), RNG.leaf(4, 3)]),
    "nll": (lambda x: F.nll_loss(x.log_softmax(1), CLASSES, CLASS_WEIGHT), lambda: [RNG.leaf(4, 3)]),
    "soft_cross_entropy": (
        lambda x, t: F.cross_entropy(x, t, CLASS_WEIGHT, label_smoothing=0.1),
        lambda: [RNG.leaf(4, 3), prob(4, 3)],
    ),
    "rms_norm": (lambda x, w: F.rms_norm(x, 3, w), lambda: [RNG.leaf(4, 3), RNG.leaf(3)]),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), lambda: [RNG.leaf(2, 4, 3), RNG.leaf(4), RNG.leaf(4)]),
    "normalize": (F.normalize, lambda: [RNG.leaf(4, 3)]),
    "softplus": (lambda x: F.softplus(x, 2.0, 1.0), lambda: [RNG.leaf(4, 3)]),
}


@pytest.mark.parametrize("name", CHECKS)
def test_gradients(name):
    function, inputs = CHECKS[name]
    assert gradcheck(function, inputs())


def test_losses_against_numpy():
    x, t = RNG.array(6, 4), RNG.array(6, 4)
    a, b = rbe.tensor(x), rbe.tensor(t)
    d = np.abs(x - t)
    want = {
        nn.L1Loss(): d.mean(),
        nn.L1Loss("sum"): d.sum(),
        nn.MSELoss("none"): d**2,
        nn.SmoothL1Loss(beta=0.5): np.where(d < 0.5, d**2, d - 0.25).mean(),
        nn.SmoothL1Loss(beta=0.0): d.mean(),
        nn.HuberLoss(delta=0.5): np.where(d <= 0.5, d**2 / 2, 0.5 * (d - 0.25)).mean(),
        nn.BCEWithLogitsLoss(reduction="none"): np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0) - x * t,
    }
    for loss, value in want.items():
        np.testing.assert_allclose(loss(a, b).numpy(), value, rtol=1e-12)
    p = 1 / (1 + np.exp(-x))
    soft = np.abs(t) / 10
    value = -(soft * np.log(p) + (1 - soft) * np.log(1 - p)).mean()
    assert nn.BCELoss()(rbe.tensor(p), rbe.tensor(soft)).item() == pytest.approx(value)
    assert nn.KLDivLoss("sum")(a, rbe.zeros(6, 4, dtype=rbe.float64)).item() == 0.0
    logs = a.log_softmax(1)
    target = rbe.tensor([0, 3, -100, 1, 2, 2])
    assert nn.NLLLoss()(logs, target).item() == pytest.approx(nn.CrossEntropyLoss()(a, target).item())
    weight = rbe.tensor([1.0, 2.0, 0.5, 3.0], dtype=rbe.float64)
    for reduction in ("mean", "sum"):
        ours = nn.NLLLoss(weight, reduction=reduction)(logs, target).item()
        assert ours == pytest.approx(nn.CrossEntropyLoss(weight, reduction=reduction)(a, target).item())
    image = RNG.tensor(2, 3, 4, 5).log_softmax(1)
    where = rbe.tensor(RNG.integers(0, 3, (2, 4, 5)))
    assert nn.NLLLoss(reduction="none")(image, where).shape == (2, 4, 5)
    assert nn.NLLLoss()(image, where).item() == pytest.approx(nn.CrossEntropyLoss()(image, where).item())


def test_binary_losses_stay_finite_at_the_ends():
    p = rbe.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    t = rbe.tensor([0.0, 1.0, 1.0, 0.0])
    loss = F.binary_cross_entropy(p, t, reduction="none")
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    loss.sum().backward()
    assert np.isfinite(p.grad.numpy()).all()
    x = rbe.tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, rbe.ones(3), reduction="none")
    np.testing.assert_allclose(loss.detach().numpy(), [1000, np.log(2), 0], rtol=1e-6)
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [-1, -0.5, 0], atol=1e-7)


def test_losses_that_make_no_sense():
    x = rbe.zeros(4, 3)
    for call, error in (
        (lambda: F.l1_loss(x, x[0]), rbe.ShapeError),
        (lambda: F.huber_loss(x, x, delta=0.0), rbe.TensorError),
        (lambda: F.smooth_l1_loss(x, x, beta=-1.0), rbe.TensorError),
        (lambda: F.binary_cross_entropy(x - 1.0, x), rbe.TensorError),
        (lambda: F.nll_loss(x, CLASSES + 1), rbe.OutOfRangeError),
        (lambda: F.nll_loss(x, CLASSES[:3]), rbe.ShapeError),
        (lambda: F.nll_loss(x, x[:, 0]), rbe.DTypeError),
        (lambda: F.cosine_embedding_loss(x, x, CLASSES[:2]), rbe.ShapeError),
        (lambda: nn.KLDivLoss("most"), rbe.TensorError),
        (lambda: F.softplus(x, threshold=30.0), rbe.TensorError),
        (lambda: F.group_norm(x, 2), rbe.ShapeError),
        (lambda: nn.GroupNorm(2, 3), rbe.ShapeError),
        (lambda: nn.GroupNorm(2, 4)(x), rbe.ShapeError),
        (lambda: F.rms_norm(x, 4), rbe.ShapeError),
        (lambda: nn.BatchNorm2d(3)(x), rbe.ShapeError),
        (lambda: F.one_hot(CLASSES, 2), rbe.OutOfRangeError),
        (lambda: nn.Embedding(3, 2, padding_idx=3), rbe.OutOfRangeError),
        (lambda: nn.GELU("almost"), rbe.TensorError),
    ):
        with pytest.raises(error):
            call()


def test_activation_modules_match_their_functions():
    x = RNG.tensor(3, 4)
    pairs = [
        (nn.ReLU(), F.relu), (nn.LeakyReLU(0.2), lambda v: F.leaky_relu(v, 0.2)), (nn.ELU(0.5), lambda v: F.elu(v, 0.5)),
        (nn.GELU("tanh"), lambda v: F.gelu(v, "tanh")), (nn.Tanh(), F.tanh), (nn.Sigmoid(), F.sigmoid), (nn.SiLU(), F.silu),
        (nn.Softplus(2.0), lambda v: F.softplus(v, 2.0)), (nn.Softmax(0), lambda v: F.softmax(v, 0)),
        (nn.LogSoftmax(1), lambda v: F.log_softmax(v, 1)), (nn.Identity(1, two=2), lambda v: v),
    ]  # fmt: skip
    for module, function in pairs:
        assert rbe.equal(module(x), function(x))
        assert repr(module).startswith(type(module).__name__ + "(")
    assert nn.Flatten()(rbe.zeros(2, 3, 4)).shape == (2, 12)
    assert F.one_hot(CLASSES).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]


def test_norms_have_unit_moments():
    x = rbe.tensor(RNG.array(5, 6, 4) * 3 + 2)
    y = nn.GroupNorm(3, 6, dtype=rbe.float64)(x).detach().numpy().reshape(5, 3, 8)
    np.testing.assert_allclose(y.mean(-1), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(-1), 1, rtol=1e-4)
    z = nn.RMSNorm(4, dtype=rbe.float64)(x).detach().numpy()
    np.testing.assert_allclose((z**2).mean(-1), 1, rtol=1e-6)
    image = RNG.tensor(5, 3, 4, 4, dtype=np.float32)
    bn = nn.BatchNorm2d(3, momentum=None)
    bn(image)
    bn(image * 2.0)
    np.testing.assert_allclose(bn.running_mean.numpy(), 1.5 * image.numpy().mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    assert nn.BatchNorm1d(3, affine=False, track_running_stats=False).eval()(rbe.randn(4, 3)).mean().item() == pytest.approx(
        0, abs=1e-6
    )


def test_containers():
    seq = nn.Sequential({"a": nn.Linear(2, 3), "b": nn.ReLU()}).append(nn.Linear(3, 1)).extend([nn.Tanh()])
    assert [n for n, _ in seq.named_children()] == ["a", "b", "2", "3"]
    assert [n for n, _ in seq[:2].named_children()] == ["a", "b"]
    assert isinstance(seq[-1], nn.Tanh)
    seq[-1] = nn.Sigmoid()
    assert isinstance(seq[3], nn.Sigmoid)
    listed = nn.ModuleList([nn.Linear(2, 2), nn.ReLU()])
    listed.insert(0, nn.Tanh())
    listed[1] = nn.Identity()
    assert [type(m).__name__ for m in listed] == ["Tanh", "Identity", "ReLU"]
    assert len(listed[1:]) == 2
    with pytest.raises(IndexError):
        listed[3]
    named = nn.ModuleDict({"x": nn.Linear(1, 1)})
    named["y"] = nn.ReLU()
    assert (list(named), list(named.keys()), "y" in named, len(named.values())) == (["x", "y"], ["x", "y"], True, 2)
    del named["x"]
    assert len(list(named.parameters())) == 0
    params = nn.ParameterList([rbe.zeros(2), nn.Parameter(rbe.ones(3), requires_grad=False)])
    params[0] = rbe.ones(2)
    assert [p.numel() for p in params] == [2, 3]
    assert [n for n, _ in params.named_parameters()] == ["0", "1"]
    assert "(2,), (3,)" in repr(params)
    assert repr(nn.Sequential(nn.Linear(2, 1))) == ("Sequential(\n  (0): Linear(in_features=2, out_features=1, bias=True)\n)")


def test_names_and_lookups():
    m = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    assert m.get_submodule("1.0") is m[1][0]
    assert m.get_parameter("1.0.weight") is m[1][0].weight
    for call in (lambda: m.get_submodule("2"), lambda: m.get_parameter("1.0.gain")):
        with pytest.raises(rbe.OutOfRangeError):
            call()
    shared = nn.Linear(2, 2)
    twice = nn.Sequential(shared, shared)
    assert len(list(twice.named_parameters())) == 2
    assert len(list(twice.named_parameters(remove_duplicate=False))) == 4
    assert list(twice.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert next(iter(m.state_dict(prefix="m."))) == "m.0.weight"
    assert m.state_dict(keep_vars=True)["0.weight"] is m[0].weight
    for register, error in (
        (lambda: m.register_parameter("a.b", None), rbe.TensorError),
        (lambda: m.register_parameter("forward", None), rbe.TensorError),
        (lambda: m.register_parameter("p", rbe.zeros(1)), rbe.DTypeError),
        (lambda: m.register_buffer("b", 3), rbe.DTypeError),
        (lambda: m.add_module("c", 3), rbe.DTypeError),
        (lambda: setattr(m[0], "weight", rbe.zeros(2, 2)), rbe.DTypeError),
        (lambda: setattr(m, "0", 3), rbe.DTypeError),
    ):
        with pytest.raises(error):
            register()


def test_state_dict_errors_name_everything():
    model = nn.Sequential(nn.RBELinear(8, 4), nn.Linear(4, 2))
    with pytest.raises(rbe.TensorError, match=r"missing 0\.bias, 1\.bias; unexpected x"):
        model.load_state_dict({"0.weight": model[0].weight, "1.weight": model[1].weight, "x": rbe.zeros(1)})
    wrong = {**model.state_dict(), "0.bias": rbe.zeros(5), "1.weight": rbe.zeros(2, 3)}
    with pytest.raises(
        rbe.ShapeError, match=r"0\.bias dense \(4,\), 1\.weight dense \(2, 4\), got dense \(5,\), dense \(2, 3\)"
    ):
        model.load_state_dict(wrong)
    other = rbe.RBETensor.packed(model[0].weight.hi, model[0].weight.lo, (4, 8), 0.5)
    with pytest.raises(rbe.TensorError, match=r"scale 0\.5"):
        model.load_state_dict({**model.state_dict(), "0.weight": other})
    assert model.load_state_dict(model.state_dict()).missing_keys == []


def test_hooks_run_in_order_and_can_be_removed():
    layer = nn.Linear(2, 2)
    seen = []
    handles = [layer.register_forward_hook(lambda m, a, y, i=i: seen.append(i)) for i in range(3)]
    handles[1].remove()
    layer(rbe.ones(1, 2))
    assert seen == [0, 2]
    with layer.register_forward_hook(lambda m, a, y: y * 0.0):
        assert layer(rbe.ones(1, 2)).tolist() == [[0, 0]]
    assert layer(rbe.ones(1, 2)).tolist() != [[0, 0]]


def test_full_backward_hooks():
    layer = nn.Linear(3, 2)
    seen = {}

    def hook(module, grad_input, grad_output):
        seen.update(module=module, inputs=grad_input, outputs=grad_output)
        return (grad_input[0] * 10.0,)

    handle = layer.register_full_backward_hook(hook)
    x = rbe.randn(4, 3, requires_grad=True)
    up = rbe.randn(4, 2)
    layer(x).backward(up)
    plain = up.numpy() @ layer.weight.detach().numpy()
    assert seen["module"] is layer
    np.testing.assert_allclose(seen["inputs"][0].numpy(), plain, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seen["outputs"][0].numpy(), up.numpy())
    np.testing.assert_allclose(x.grad.numpy(), 10 * plain, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer.weight.grad.numpy(), up.numpy().T @ x.detach().numpy(), rtol=1e-4, atol=1e-5)
    handle.remove()

    calls = []
    layer.register_full_backward_hook(lambda m, gi, go: calls.append((gi, go[0].tolist())))
    layer(rbe.ones(1, 3)).backward(rbe.ones(1, 2))
    assert calls == [((None,), [[1, 1]])]

    class Product(nn.Module):
        def forward(self, a, b):
            return a * b

    product = Product()
    product.register_full_backward_hook(lambda m, gi, go: calls.append([g.tolist() for g in gi]))
    a, b = rbe.tensor([2.0], requires_grad=True), rbe.tensor([3.0], requires_grad=True)
    product(a, b).sum().backward()
    assert calls[-1] == [[3.0], [2.0]]
    product.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10.0, gi[1]))
    product(a, b).sum().backward()
    assert a.grad.tolist() == [3.0 + 30.0]
    assert b.grad.tolist() == [2.0 + 2.0]


def test_shared_parameters_stay_shared():
    m = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    m[1].weight = m[0].weight
    for other in (copy.deepcopy(m), pickle.loads(pickle.dumps(m)), m.double()):
        assert other[0].weight is other[1].weight
        assert len(list(other.parameters())) == 3


def test_embedding_from_rows():
    rows = rbe.randn(4, 3)
    e = nn.Embedding.from_pretrained(rows)
    assert rbe.equal(e(rbe.tensor([2])), rows[2:3])
    assert not e.weight.requires_grad


@pytest.mark.parametrize("norm_type", [1.0, 3.0, float("inf")])
def test_clipping_by_other_norms(norm_type):
    p = nn.Parameter(rbe.zeros(4))
    p.grad = rbe.tensor([1.0, -2.0, 3.0, -4.0])
    want = np.linalg.norm(p.grad.numpy(), norm_type)
    norm = nn.utils.clip_grad_norm_([p], 0.5, norm_type)
    assert norm.item() == pytest.approx(want, rel=1e-6)
    assert np.linalg.norm(p.grad.numpy(), norm_type) == pytest.approx(0.5, rel=1e-4)
    p.grad = rbe.tensor([1.0, float("nan"), 0.0, 0.0])
    with pytest.raises(rbe.NonFiniteError):
        nn.utils.clip_grad_norm_(p, 1.0, norm_type, error_if_nonfinite=True)
    with pytest.raises(rbe.ShapeError):
        nn.utils.vector_to_parameters(rbe.zeros(3), [p])


def test_batch_norm_keeps_its_digits_far_from_zero():
    rng = Inputs()
    x, dy = rng.normal(1e4, 1.0, (64, 5)).astype(np.float32), rng.normal(size=(64, 5)).astype(np.float32)
    t = rbe.from_numpy(x).requires_grad_()
    y = nn.functional.batch_norm(t, None, None, training=True)
    y.backward(rbe.from_numpy(dy))
    wide, up = x.astype(np.float64), dy.astype(np.float64)
    scale = 1 / np.sqrt(wide.var(0) + 1e-5)
    normed = (wide - wide.mean(0)) * scale
    np.testing.assert_allclose(y.detach().numpy(), normed, atol=1e-6)
    np.testing.assert_allclose(t.grad.numpy(), scale * (up - up.mean(0) - normed * (up * normed).mean(0)), atol=1e-6)


def test_packed_activation_works_in_float64():
    act = rbe.RBEActivation(3, family="circular")
    x = rbe.randn(4, 3, dtype=rbe.float64).requires_grad_()
    y = act(x)
    assert y.dtype is rbe.float64
    z = act.weight.lo[:, 0].astype(np.float64)
    d, theta = 2 * np.arctanh(np.hypot(*z.T)), np.arctan2(z[:, 1], z[:, 0])
    np.testing.assert_allclose(y.detach().numpy(), d * np.sin(x.detach().numpy() + theta), rtol=1e-12)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), d * np.cos(x.detach().numpy() + theta), rtol=1e-12)
