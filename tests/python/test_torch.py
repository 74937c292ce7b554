"""Forward and gradients against torch in float64; `make test-torch` installs torch."""

import numpy as np
import pytest
import rbe
from beside_torch import compare, torch
from inputs import Inputs
from rbe import nn

pytestmark = pytest.mark.torch

RNG = Inputs()


X = RNG.array(5, 7)
P = np.abs(X) + 0.2
F = nn.functional


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(lambda x, n=n: getattr(x, n)(), lambda x, n=n: getattr(torch, n)(x)) for n in
     ("exp", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "expm1", "square", "neg")]
    + [(F.gelu, torch.nn.functional.gelu), (lambda x: F.gelu(x, "tanh"), lambda x: torch.nn.functional.gelu(x, approximate="tanh")),
       (F.silu, torch.nn.functional.silu), (F.softplus, torch.nn.functional.softplus), (F.elu, torch.nn.functional.elu),
       (F.leaky_relu, torch.nn.functional.leaky_relu), (lambda x: x.clamp(-0.5, 0.5), lambda x: x.clamp(-0.5, 0.5)),
       (lambda x: x.softmax(0), lambda x: x.softmax(0)), (lambda x: x.log_softmax(1), lambda x: x.log_softmax(1)),
       (lambda x: x.logsumexp(1), lambda x: x.logsumexp(1)), (lambda x: x.var(0), lambda x: x.var(0)), (lambda x: x.mean(), lambda x: x.mean()),
       (lambda x: x.max(), lambda x: x.max()), (lambda x: x.max_along(1).values, lambda x: x.max(1).values),
       (lambda x: x[1:4, ::2], lambda x: x[1:4, ::2]), (lambda x: x[[0, 0, 3]], lambda x: x[[0, 0, 3]]),
       (lambda x: x.T.reshape(-1), lambda x: x.T.reshape(-1)), (lambda x: x.reshape(5, 7, 1) * x.reshape(5, 1, 7), lambda x: x[:, :, None] * x[:, None])],
)  # fmt: skip
def test_functions_of_one_tensor(ours, theirs):
    compare(ours, theirs, X)


@pytest.mark.parametrize("name", ["log", "sqrt", "log1p", "reciprocal"])
def test_functions_of_positive_numbers(name):
    compare(lambda x: getattr(x, name)(), getattr(torch, name), P)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum"])
@pytest.mark.parametrize("shape", [(5, 7), (7,), (5, 1), ()])
def test_functions_of_two_tensors(name, shape):
    other = np.abs(RNG.array(shape)) + 0.3
    compare(lambda a, b: getattr(a, name)(b), getattr(torch, name), P, np.asarray(other))


@pytest.mark.parametrize(
    "shapes",
    [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 2)), ((4,), (4,)), ((4,), (4, 3)), ((2, 3, 4), (4,))],
)
def test_matmul(shapes):
    compare(lambda a, b: a @ b, lambda a, b: a @ b, *(RNG.array(s) for s in shapes))


def test_linear_embedding_gather_where():
    compare(
        F.linear,
        torch.nn.functional.linear,
        RNG.array(2, 3, 7),
        RNG.array(4, 7),
        RNG.array(4),
    )
    index = np.array([[0, 4], [4, 1]])
    compare(lambda i, w: F.embedding(i, w), torch.nn.functional.embedding, index, X)
    compare(lambda x, i: x.gather(1, i), lambda x, i: x.gather(1, i), X, RNG.integers(0, 7, (5, 3)))
    compare(lambda a, b: rbe.where(a > 0, a, b), lambda a, b: torch.where(a > 0, a, b), X, X[::-1].copy())


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5)])
def test_cross_entropy(reduction, smoothing, weighted, shape):
    target = RNG.integers(0, 4, (shape[0], *shape[2:]))
    target.flat[0] = -100
    w = np.array([0.5, 1.0, 2.0, 0.25]) if weighted else None
    kwargs = {"reduction": reduction, "label_smoothing": smoothing}
    compare(
        lambda x, t: F.cross_entropy(x, t, weight=None if w is None else rbe.tensor(w), **kwargs),
        lambda x, t: torch.nn.functional.cross_entropy(x, t, weight=None if w is None else torch.tensor(w), **kwargs),
        RNG.array(shape), target,
    )  # fmt: skip


def test_normalisation():
    w, b = RNG.array(7), RNG.array(7)
    compare(lambda x, w, b: F.layer_norm(x, 7, w, b), lambda x, w, b: torch.nn.functional.layer_norm(x, (7,), w, b), X, w, b)
    compare(lambda x, w: F.rms_norm(x, 7, w), lambda x, w: torch.nn.functional.rms_norm(x, (7,), w), X, w)
    for shape in ((5, 7), (5, 7, 3)):
        for training in (True, False):
            mean, var = RNG.array(7), RNG.random(7) + 0.5
            ours, theirs = (rbe.tensor(mean), rbe.tensor(var)), (torch.tensor(mean), torch.tensor(var))
            compare(
                lambda x, w, b, r=ours, t=training: F.batch_norm(x, *r, w, b, t),
                lambda x, w, b, r=theirs, t=training: torch.nn.functional.batch_norm(x, *r, w, b, t),
                RNG.array(shape), w, b, scale=10,
            )  # fmt: skip
            for a, c in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a.numpy(), c.numpy(), rtol=1e-12)


def test_mse():
    compare(nn.MSELoss(), torch.nn.MSELoss(), X, X[::-1].copy())


def test_packed_linear_and_activation():
    blocks, out = 2, 5
    hi = RNG.integers(0, 2**63, (out, blocks), dtype=np.uint64)
    hi[:, 1] &= np.uint64(63)
    bits = torch.tensor(((hi[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).astype(np.int64))

    def theirs(x, z, b):
        r = z.norm(dim=-1, keepdim=True)
        v = 0.3 * 2 * torch.atanh(r) / r * z
        w = torch.gather(v, 2, bits).reshape(out, -1)[:, :70]
        return x @ w.T + b

    compare(
        lambda x, z, b: F.packed_linear(x, hi, z, 0.3, b),
        theirs,
        RNG.array(3, 70),
        RNG.uniform(-0.6, 0.6, (out, blocks, 2)),
        RNG.array(out),
    )

    state = np.array([2 << 8 | 36], np.uint64)

    def activation(x, z):
        r = z.norm(dim=-1)
        return 2 * torch.atanh(r) * torch.tanh(2**0.5 * x + torch.atan2(z[:, 1], z[:, 0]))

    compare(lambda x, z: F.rbe_activation(x, state, z), activation, X, np.array([[0.4, -0.3]]))


def test_dlpack_with_torch():
    t = torch.arange(6.0).reshape(2, 3)
    r = rbe.from_dlpack(t)
    r.add_(1.0)
    assert t[0, 0] == 1
    back = torch.from_dlpack(r)
    back[1, 2] = 9
    assert r[1, 2].item() == 9


OPTIMIZERS = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"lr": 0.01, "weight_decay": 0.01},
    "AdamW": {"lr": 0.01, "weight_decay": 0.1},
    "RMSprop": {"lr": 0.01, "momentum": 0.5, "centered": True},
    "Adagrad": {"lr": 0.05, "lr_decay": 0.01},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_step_by_step(name):
    start = RNG.array(6, 4)
    p, q = rbe.tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    ours, theirs = getattr(rbe.optim, name)([p], **OPTIMIZERS[name]), getattr(torch.optim, name)([q], **OPTIMIZERS[name])
    for _ in range(200):
        g = RNG.array(6, 4)  # given, not computed: two runs that feed back on themselves drift apart
        p.grad, q.grad = rbe.tensor(g), torch.tensor(g)
        ours.step()
        theirs.step()
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6, atol=1e-9)


SCHEDULES = {
    "LambdaLR": {"lr_lambda": lambda t: 0.97**t},
    "StepLR": {"step_size": 30, "gamma": 0.5},
    "MultiStepLR": {"milestones": [20, 90, 90, 150], "gamma": 0.3},
    "ConstantLR": {"factor": 0.25, "total_iters": 40},
    "LinearLR": {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 70},
    "ExponentialLR": {"gamma": 0.98},
    "CosineAnnealingLR": {"T_max": 80, "eta_min": 0.001},
    "CosineAnnealingWarmRestarts": {"T_0": 15, "T_mult": 2, "eta_min": 0.001},
    "OneCycleLR": {"max_lr": 0.2, "total_steps": 201, "three_phase": True},
}


@pytest.mark.parametrize("name", [*SCHEDULES, "SequentialLR", "ReduceLROnPlateau"])
def test_schedules_step_by_step(name):
    def make(library, parameter):
        kinds = library.optim.lr_scheduler
        optimizer = library.optim.SGD([parameter], lr=0.05, momentum=0.9)
        if name == "SequentialLR":
            parts = [kinds.LinearLR(optimizer, 0.1, total_iters=20), kinds.CosineAnnealingLR(optimizer, 180)]
            return optimizer, kinds.SequentialLR(optimizer, parts, [20])
        if name == "ReduceLROnPlateau":
            return optimizer, kinds.ReduceLROnPlateau(optimizer, factor=0.5, patience=3, cooldown=2, min_lr=1e-4)
        return optimizer, getattr(kinds, name)(optimizer, **SCHEDULES[name])

    ours = make(rbe, rbe.nn.Parameter(rbe.zeros(1)))
    theirs = make(torch, torch.nn.Parameter(torch.zeros(1)))
    losses = np.maximum(1.0 / np.arange(1, 201), 0.02) + 0.01 * RNG.random(200)
    for loss in losses:
        a, b = ours[0].param_groups[0], theirs[0].param_groups[0]
        assert a["lr"] == pytest.approx(float(b["lr"]), rel=1e-6, abs=1e-12)
        assert a["momentum"] == pytest.approx(float(b["momentum"]), rel=1e-6)
        ours[0].step()
        theirs[0].step()
        for _, schedule in (ours, theirs):
            schedule.step(*([loss] if name == "ReduceLROnPlateau" else []))
