"""Layers, losses, optimisers and schedules against torch; `make test-torch` installs torch."""

import numpy as np
import pytest
import rbe
from beside_torch import DTYPES, assert_same, assert_same_gradients, compare, load_torch, torch
from inputs import Inputs
from rbe import nn

pytestmark = pytest.mark.torch

F, TF = nn.functional, torch.nn.functional
RNG = Inputs()
X, Y = RNG.array(6, 4), RNG.array(6, 4)
P, Q = RNG.uniform(0.05, 0.95, (6, 4)), RNG.uniform(0.05, 0.95, (6, 4))
LOGP = np.log(P / P.sum(1, keepdims=True))
CLASSES = np.array([0, 3, -100, 1, 2, 2])
WEIGHT = np.array([1.0, 2.0, 0.5, 3.0])
SIGNS = np.array([1, -1, 1, -1, -1, 1])
IMAGE, LABELS = RNG.array(2, 4, 3, 3), RNG.integers(0, 4, (2, 3, 3))
SOFT = P / P.sum(1, keepdims=True)


def constants(**kwargs):
    """The same keyword arguments for both libraries."""
    ours = {k: rbe.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    theirs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    return ours, theirs


LOSSES = [
    ("MSELoss", {}, (X, Y)),
    ("MSELoss", {"reduction": "none"}, (X, Y)),
    ("L1Loss", {}, (X, Y)),
    ("L1Loss", {"reduction": "sum"}, (X, Y)),
    ("SmoothL1Loss", {"beta": 0.7}, (X, Y)),
    ("SmoothL1Loss", {"beta": 0.0}, (X, Y)),
    ("HuberLoss", {"delta": 0.6, "reduction": "sum"}, (X, Y)),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, (X, CLASSES)),
    ("CrossEntropyLoss", {"reduction": "sum"}, (IMAGE, LABELS)),
    ("CrossEntropyLoss", {}, (X, SOFT)),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.2, "reduction": "none"}, (X, SOFT)),
    ("NLLLoss", {"weight": WEIGHT}, (LOGP, CLASSES)),
    ("NLLLoss", {"reduction": "none"}, (IMAGE, LABELS)),
    ("BCELoss", {}, (P, Q)),
    ("BCELoss", {"weight": WEIGHT, "reduction": "sum"}, (P, Q)),
    ("BCEWithLogitsLoss", {}, (X * 20, Q)),
    ("BCEWithLogitsLoss", {"weight": WEIGHT, "pos_weight": WEIGHT, "reduction": "none"}, (X, Q)),
    ("KLDivLoss", {"reduction": "batchmean"}, (LOGP, Q)),
    ("KLDivLoss", {"log_target": True, "reduction": "sum"}, (LOGP, X)),
    ("CosineEmbeddingLoss", {"margin": 0.2}, (X, Y, SIGNS)),
    ("CosineEmbeddingLoss", {"reduction": "none"}, (X, Y, SIGNS)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "kwargs", "arrays"), LOSSES)
def test_losses(name, kwargs, arrays, dtype):
    kwargs = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    ours, theirs = constants(**kwargs)
    compare(getattr(nn, name)(**ours), getattr(torch.nn, name)(**theirs), *arrays, dtype=dtype)


def test_binary_losses_at_the_ends():
    # float32: torch holds the slope of the first with a constant of float32; its target has no finite slope there
    p, t = np.array([0.0, 1.0, 0.0, 1.0], np.float32), np.array([0.0, 1.0, 1.0, 0.0], np.float32)
    ours, theirs = rbe.tensor(t), torch.tensor(t)
    compare(lambda x: F.binary_cross_entropy(x, ours), lambda x: TF.binary_cross_entropy(x, theirs), p, dtype=np.float32)
    compare(nn.BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss(), np.array([-800.0, 0.0, 800.0]), np.array([1.0, 0.3, 0.0]))


LAYERS = [
    ("Linear", (4, 3), {}, X),
    ("Linear", (4, 3), {"bias": False}, RNG.array(2, 3, 4)),
    ("LayerNorm", (4,), {}, X),
    ("LayerNorm", ((3, 3),), {"eps": 1e-3}, IMAGE),
    ("LayerNorm", (4,), {"elementwise_affine": False}, X),
    ("RMSNorm", (4,), {}, X),
    ("RMSNorm", ((3, 3),), {"eps": 1e-2}, IMAGE),
    ("GroupNorm", (2, 4), {}, IMAGE),
    ("GroupNorm", (4, 4), {"affine": False}, RNG.array(3, 4)),
    ("BatchNorm1d", (4,), {}, X),
    ("BatchNorm1d", (4,), {"momentum": None}, RNG.array(3, 4, 5)),
    ("BatchNorm2d", (4,), {"affine": False}, IMAGE),
    ("BatchNorm1d", (4,), {"track_running_stats": False}, X),
    ("LeakyReLU", (0.3,), {}, X),
    ("ELU", (0.7,), {}, X),
    ("GELU", (), {"approximate": "tanh"}, X),
    ("Softplus", (2.0,), {"threshold": 1.5}, X),
    ("Softmax", (0,), {}, X),
    ("LogSoftmax", (1,), {}, IMAGE),
    ("SiLU", (), {}, X),
    ("Tanh", (), {}, X),
    ("Sigmoid", (), {}, X),
    ("Flatten", (), {}, IMAGE),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "x"), LAYERS)
def test_layers_take_torchs_state_and_agree(name, args, kwargs, x):
    theirs = getattr(torch.nn, name)(*args, **kwargs).double()
    ours = getattr(nn, name)(*args, **kwargs).double()
    load_torch(ours, theirs, RNG)
    for training in (True, True, False):
        ours.train(training)
        theirs.train(training)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            p.grad = q.grad = None
        compare(ours, theirs, x)
        assert_same_gradients(ours, theirs)
        for p, q in zip(ours.buffers(), theirs.buffers(), strict=True):
            assert_same(p, q)


def test_functions():
    compare(F.cosine_similarity, TF.cosine_similarity, X, Y)
    compare(F.normalize, TF.normalize, X)
    compare(lambda x: F.normalize(x, 3.0, 0), lambda x: TF.normalize(x, 3.0, 0), X)
    table = RNG.array(5, 3)
    index = np.array([[0, 4], [2, 2]])
    compare(lambda w, i: F.embedding(i, w, -1), lambda w, i: TF.embedding(i, w, -1), table, index)
    np.testing.assert_array_equal(F.one_hot(rbe.tensor(index), 6).numpy(), TF.one_hot(torch.tensor(index), 6).numpy())


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_clipping(norm_type):
    ours, theirs = nn.Parameter(rbe.zeros(4)), torch.nn.Parameter(torch.zeros(4))
    g = np.array([1.0, -2.0, 3.0, 0.5], np.float32)
    ours.grad, theirs.grad = rbe.tensor(g), torch.tensor(g)
    a = nn.utils.clip_grad_norm_([ours], 1.0, norm_type)
    b = torch.nn.utils.clip_grad_norm_([theirs], 1.0, norm_type)
    assert a.item() == pytest.approx(b.item(), rel=1e-6)
    assert_same(ours.grad, theirs.grad, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "trunc_normal_"])
def test_initial_values_have_the_same_spread(name):
    torch.manual_seed(0)  # the largest of 60 000 normal numbers varies by more than the tolerance
    a, b = rbe.zeros(300, 200), torch.zeros(300, 200)
    getattr(nn.init, name)(a)
    getattr(torch.nn.init, name)(b)
    assert a.numpy().std() == pytest.approx(b.numpy().std(), rel=0.02)
    assert abs(a.numpy()).max() == pytest.approx(abs(b.numpy()).max(), rel=0.2)


OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.9)}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "weight_decay": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.7, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.2}),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "kwargs"), OPTIMIZERS)
def test_optimizers_for_200_steps(name, kwargs, dtype):
    start = RNG.array(7, 5, dtype=dtype)
    p, q = nn.Parameter(rbe.tensor(start)), torch.nn.Parameter(torch.tensor(start))
    ours, theirs = getattr(rbe.optim, name)([p], **kwargs), getattr(torch.optim, name)([q], **kwargs)
    rng = Inputs(2)
    for _ in range(200):
        g = rng.array(7, 5, dtype=dtype)
        p.grad, q.grad = rbe.tensor(g), torch.tensor(g)
        ours.step()
        theirs.step()
        assert_same(p, q, 10)
    assert set(ours.param_groups[0]) <= set(theirs.param_groups[0])


S, TS = rbe.optim.lr_scheduler, torch.optim.lr_scheduler
SCHEDULES = {
    "step": lambda m, o: m.StepLR(o, 17, 0.7),
    "milestones": lambda m, o: m.MultiStepLR(o, [30, 80, 80, 150], 0.3),
    "exponential": lambda m, o: m.ExponentialLR(o, 0.97),
    "constant": lambda m, o: m.ConstantLR(o, 0.4, 12),
    "linear": lambda m, o: m.LinearLR(o, 0.2, 0.9, 60),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, 150, 0.01),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 13, 2, 0.002),
    "restarts_equal": lambda m, o: m.CosineAnnealingWarmRestarts(o, 20),
    "lambda": lambda m, o: m.LambdaLR(o, lambda t: 0.95**t),
    "cycle": lambda m, o: m.OneCycleLR(o, 0.3, 201),
    "cycle_linear": lambda m, o: m.OneCycleLR(o, [0.3, 0.5], 210, anneal_strategy="linear", three_phase=True),
    "cycle_epochs": lambda m, o: m.OneCycleLR(o, 0.3, epochs=21, steps_per_epoch=10, cycle_momentum=False, pct_start=0.1),
    "sequential": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=20), m.CosineAnnealingLR(o, 100), m.ExponentialLR(o, 0.9)], [20, 120]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.filterwarnings("ignore:.*optimizer.step:UserWarning")
@pytest.mark.filterwarnings("ignore:.*epoch parameter:UserWarning")
def test_schedules_for_200_steps(name):
    def build(library, parameter, zeros):
        groups = [{"params": [parameter(zeros(2))]}, {"params": [parameter(zeros(2))], "lr": 0.05}]
        return library(groups, lr=0.1, momentum=0.9)

    ours = build(rbe.optim.SGD, nn.Parameter, rbe.zeros)
    theirs = build(torch.optim.SGD, torch.nn.Parameter, torch.zeros)
    a, b = SCHEDULES[name](S, ours), SCHEDULES[name](TS, theirs)
    for _ in range(200):
        for g, h in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert g["lr"] == pytest.approx(h["lr"], rel=1e-9, abs=1e-12)
            assert g["momentum"] == pytest.approx(h["momentum"], rel=1e-9)
        theirs.step()
        a.step()
        b.step()


@pytest.mark.parametrize("kwargs", [{}, {"mode": "max", "threshold_mode": "abs"}, {"cooldown": 4, "min_lr": [0.01, 0.02]}])
def test_plateaus_for_200_steps(kwargs):
    ours = rbe.optim.SGD([{"params": [nn.Parameter(rbe.zeros(2))]}, {"params": [nn.Parameter(rbe.zeros(2))]}], lr=0.1)
    theirs = torch.optim.SGD(
        [{"params": [torch.nn.Parameter(torch.zeros(2))]}, {"params": [torch.nn.Parameter(torch.zeros(2))]}], lr=0.1
    )
    a, b = (m.ReduceLROnPlateau(o, factor=0.6, patience=3, **kwargs) for m, o in ((S, ours), (TS, theirs)))
    for value in np.round(Inputs(3).array(200), 1):
        a.step(float(value))
        b.step(float(value))
        for g, h in zip(ours.param_groups, theirs.param_groups, strict=True):
            assert g["lr"] == pytest.approx(h["lr"], rel=1e-9)
