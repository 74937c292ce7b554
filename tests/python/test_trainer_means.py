"""What batches weigh in accumulated gradients and in means, and the modes of modules."""

import copy
import logging
import math
from functools import partial

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.nn import functional as F

RNG = Inputs(5)
X = RNG.array(24, 6)
CLASSES = RNG.integers(0, 4, 24)
CLASSES[[0, 1, 2, 9, 17, 18]] = -100
CLASSES[4:8] = -100  # a batch of 4 with nothing to average over
LENGTHS = RNG.integers(0, 6, 24)
TOKENS = np.where(np.arange(5) < LENGTHS[:, None], RNG.integers(0, 4, (24, 5)), -100)
WEIGHT = rbe.tensor([0.2, 3.0, 1.0, 0.5], dtype=rbe.float64)
SOFT = RNG.dirichlet(np.ones(4), 24)
REAL = RNG.array(24, 4)
PROBABLE = 1 / (1 + np.exp(-REAL))


class Tokens(nn.Module):
    """Logits (n, 4, 5): a class for each of five tokens."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 20, dtype=rbe.float64)

    def forward(self, x):
        return self.linear(x).reshape(-1, 4, 5)


def plain():
    return nn.Linear(6, 4, dtype=rbe.float64)


def squashed():
    return nn.Sequential(plain(), nn.Sigmoid())


def log_probabilities():
    return nn.Sequential(plain(), nn.LogSoftmax(1))


def masked(outputs, target):
    """Return the mean over targets other than 3, with their number."""
    kept = (target != 3) & (target >= 0)
    losses = F.cross_entropy(outputs, target, reduction="none") * kept.double()
    return losses.sum() / kept.sum().double(), kept.sum()


class Told(nn.Module):
    """The same, as a module that tells its denominator."""

    def forward(self, outputs, target):
        return masked(outputs, target)[0]

    def denominator(self, outputs, target):
        return masked(outputs, target)[1]


class Focal(nn.CrossEntropyLoss):
    """A mean over all samples, with a forward of its own beside the inherited denominator."""

    def forward(self, input, target):
        losses = F.cross_entropy(input, target, ignore_index=self.ignore_index, reduction="none")
        return (losses * losses).mean()


LOSSES = {
    "ignored": (plain, nn.CrossEntropyLoss(), CLASSES),
    "ignored_class": (plain, nn.CrossEntropyLoss(ignore_index=2), np.abs(CLASSES) % 4),
    "weighted": (plain, nn.CrossEntropyLoss(WEIGHT), CLASSES),
    "smoothed": (plain, nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.1), CLASSES),
    "sum": (plain, nn.CrossEntropyLoss(reduction="sum"), CLASSES),
    "tokens": (Tokens, nn.CrossEntropyLoss(), TOKENS),
    "tokens_weighted": (Tokens, nn.CrossEntropyLoss(WEIGHT), TOKENS),
    "probabilities": (plain, nn.CrossEntropyLoss(), SOFT),
    "nll": (log_probabilities, nn.NLLLoss(WEIGHT), CLASSES),
    "squares": (plain, nn.MSELoss(), REAL),
    "squares_summed": (plain, nn.MSELoss(reduction="sum"), REAL),
    "absolute": (plain, nn.L1Loss(), REAL),
    "huber": (plain, nn.HuberLoss(delta=0.5), REAL),
    "smooth": (plain, nn.SmoothL1Loss(beta=0.5), REAL),
    "binary": (squashed, nn.BCELoss(), PROBABLE),
    "binary_logits": (plain, nn.BCEWithLogitsLoss(pos_weight=WEIGHT), PROBABLE),
    "divergence": (log_probabilities, nn.KLDivLoss(), SOFT),
    "divergence_by_batch": (log_probabilities, nn.KLDivLoss("batchmean"), SOFT),
    "function": (plain, F.cross_entropy, CLASSES),
    "partial": (plain, partial(F.cross_entropy, weight=WEIGHT, ignore_index=1), np.abs(CLASSES) % 4),
    "pair": (plain, masked, CLASSES),
    "told": (plain, Told(), CLASSES),
    "own_forward": (plain, Focal(), CLASSES),
}


def trainer(name, accumulate=1, **options):
    make, loss, y = LOSSES[name]
    rbe.manual_seed(0)
    model = make()
    data = rbe.data.TensorDataset(rbe.tensor(X), rbe.tensor(y))
    optimizer = rbe.optim.SGD(model.parameters(), lr=0.1)
    return rbe.Trainer(model, optimizer, loss, accumulate=accumulate, progress=False, **options), data


def weights(t):
    return np.concatenate([p.detach().numpy().ravel() for p in t.model.parameters()])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("size", "accumulate"), [(4, 6), (5, 5), (1, 24)])
def test_accumulated_batches_are_one_batch(name, size, accumulate):
    one, data = trainer(name)
    whole = one.fit(rbe.data.DataLoader(data, 24), epochs=1)[0]
    parts, data = trainer(name, accumulate)
    entry = parts.fit(rbe.data.DataLoader(data, size), epochs=1)[0]
    assert parts.state.step == 1
    assert np.isfinite(weights(parts)).all()
    np.testing.assert_allclose(weights(parts), weights(one), rtol=1e-10, atol=1e-12)
    assert entry["loss"] == pytest.approx(whole["loss"], rel=1e-10)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1, 4, 7])
def test_the_loss_of_a_loader_is_that_of_one_batch(name, size):
    t, data = trainer(name)
    found = t.evaluate(rbe.data.DataLoader(data, size))["loss"]
    value = t.loss(*t.forward(data[:]))
    want = value[0] if isinstance(value, tuple) else value
    assert found == pytest.approx(want.item(), rel=1e-10)


def test_packed_gradients_are_accumulated_as_dense_ones():
    def run(size, accumulate):
        rbe.manual_seed(0)
        model = nn.Sequential(nn.RBELinear(6, 8), nn.RBEActivation(8), nn.Linear(8, 4))
        seen = []

        class Recorded(rbe.optim.HybridOptimizer):
            def step(self, closure=None):
                for p in self.param_groups[0]["params"]:
                    seen.extend([p.grad.lo] if p.is_packed else [p.grad.numpy()])

        data = rbe.data.TensorDataset(rbe.tensor(X.astype(np.float32)), rbe.tensor(CLASSES))
        t = rbe.Trainer(model, Recorded(model.parameters()), nn.CrossEntropyLoss(), accumulate=accumulate, progress=False)
        t.fit(rbe.data.DataLoader(data, size), epochs=1)
        return seen

    for one, parts in zip(run(24, 1), run(4, 6), strict=True):
        one, parts = (np.asarray(a.numpy() if isinstance(a, rbe.RBETensor) else a) for a in (one, parts))
        np.testing.assert_allclose(parts, one, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_batches_with_nothing_to_average_over_change_nothing(accumulate):
    t, _ = trainer("ignored", accumulate, metrics=["accuracy"])
    before = weights(t)
    nothing = rbe.data.TensorDataset(rbe.tensor(X), rbe.full((24,), -100, dtype=rbe.int64))
    entry = t.fit(rbe.data.DataLoader(nothing, 8), epochs=1)[0]
    np.testing.assert_array_equal(weights(t), before)
    assert math.isnan(entry["loss"])
    assert math.isnan(entry["accuracy"])
    assert t.evaluate([]) == {}


@pytest.mark.parametrize("size", [3, 24])
def test_accuracy_leaves_out_what_the_loss_ignores(size):
    t, data = trainer("ignored_class", metrics=["accuracy", top_two])
    found = t.evaluate(rbe.data.DataLoader(data, size))
    y = np.abs(CLASSES) % 4
    guessed = t.model(rbe.tensor(X)).detach().numpy().argmax(1)
    assert found["accuracy"] == pytest.approx((guessed == y)[y != 2].mean(), rel=1e-12)
    assert found["top_two"] == pytest.approx(0.5)
    t, data = trainer("tokens", metrics=["accuracy"])
    guessed = t.model(rbe.tensor(X)).detach().numpy().argmax(1)
    found = t.evaluate(rbe.data.DataLoader(data, size))["accuracy"]
    assert found == pytest.approx((guessed == TOKENS)[TOKENS != -100].mean(), rel=1e-12)
    one = rbe.trainer.accuracy(t.model(rbe.tensor(X)), rbe.tensor(TOKENS))
    assert found == pytest.approx(one, rel=1e-12)
    assert math.isnan(rbe.trainer.accuracy(rbe.zeros(2, 3), rbe.tensor([-100, -100])))


def top_two(outputs, target):
    return 0.5


def test_samples_of_a_trainer_of_ones_own_count_where_nothing_else_does():
    class Own(rbe.Trainer):
        def forward(self, batch):
            return self.model(batch["x"]), batch["y"]

        def samples(self, batch):
            return len(batch["y"])

    model = plain()
    loss = lambda outputs, target: ((outputs - target) ** 2).mean()  # noqa: E731
    t = Own(model, rbe.optim.SGD(model.parameters()), loss, progress=False)
    batches = [{"x": rbe.tensor(X[a:b]), "y": rbe.tensor(REAL[a:b])} for a, b in ((0, 5), (5, 24))]
    whole = ((model(rbe.tensor(X)) - rbe.tensor(REAL)) ** 2).mean().item()
    assert t.evaluate(batches)["loss"] == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(
    ("returned", "error"),
    [(3.0, rbe.DTypeError), ((rbe.ones(()), 1, 2), rbe.DTypeError), ((rbe.ones(()), -1), rbe.TensorError),
     ((rbe.ones(()), math.nan), rbe.TensorError), ((rbe.ones(()), "5"), rbe.DTypeError)],
)  # fmt: skip
def test_losses_that_return_something_else_are_named(returned, error):
    model = plain()
    t = rbe.Trainer(model, rbe.optim.SGD(model.parameters()), lambda outputs, target: returned, progress=False)
    with pytest.raises(error, match="Trainer"):
        t.evaluate([(rbe.tensor(X), rbe.tensor(REAL))])


@pytest.mark.parametrize(
    "options",
    [{"metrics": "accuracy"}, {"metrics": [3]}, {"metrics": {"loss": top_two}}, {"metrics": [top_two, top_two]}, {"accumulate": 1.5},
     {"accumulate": "2"}, {"clip_norm": "1"}, {"clip_value": math.nan}, {"scheduler": 3}],
)  # fmt: skip
def test_arguments_of_a_wrong_kind_are_named(options):
    with pytest.raises(rbe.TensorError, match="Trainer"):
        trainer("ignored", **options) if "accumulate" not in options else trainer("ignored", options["accumulate"])
    for wrong in ((3, None, None), (plain(), 3, F.mse_loss), (plain(), rbe.optim.SGD(plain().parameters()), "mse")):
        with pytest.raises(rbe.DTypeError, match="Trainer"):
            rbe.Trainer(*wrong)


def test_the_norm_is_clipped_over_what_is_trained():
    rbe.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 4))
    seen = []

    class Recorded(rbe.optim.SGD):
        def step(self, closure=None):
            seen.append(math.sqrt(sum((p.grad.double() ** 2).sum().item() for g in self.param_groups for p in g["params"])))
            return super().step(closure)

    # Gradients of the first layer, which nobody uses or forgets, add up.
    t = rbe.Trainer(model, Recorded(model[1].parameters(), lr=0.0), nn.CrossEntropyLoss(), clip_norm=1e-3, progress=False)
    data = rbe.data.TensorDataset(rbe.tensor(X.astype(np.float32)), rbe.tensor(CLASSES))
    t.fit(rbe.data.DataLoader(data, 24), epochs=4)
    assert seen == pytest.approx([1e-3] * 4, rel=1e-2)


class Noisy(nn.Module):
    def forward(self, x):
        return x + 1.0 if self.training else x


def test_modules_keep_the_modes_they_were_given():
    rbe.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), Noisy(), nn.Linear(8, 4))
    for i in (1, 3):
        model[i].eval()
    statistics = copy.deepcopy(model[1].state_dict())
    modes = [m.training for m in model.modules()]
    data = rbe.data.TensorDataset(rbe.tensor(X.astype(np.float32)), rbe.tensor(CLASSES))
    seen = []
    note = rbe.trainer.Call(on_step_end=lambda t: seen.append([m.training for m in t.model.modules()]))
    t = rbe.Trainer(model, rbe.optim.SGD(model.parameters()), nn.CrossEntropyLoss(), callbacks=[note], progress=False)
    loader = rbe.data.DataLoader(data, 8)
    t.fit(loader, loader, epochs=2)
    t.evaluate(loader)
    t.predict(loader)
    with pytest.raises(rbe.RBEError):
        t.evaluate([(rbe.zeros(2, 5), rbe.zeros(2))])
    assert [m.training for m in model.modules()] == modes
    assert seen == [modes] * 6
    kept = model[1].state_dict()
    assert all(rbe.equal(kept[name], statistics[name]) for name in ("running_mean", "running_var", "num_batches_tracked"))


def test_a_model_in_evaluation_mode_is_reported(caplog):
    t, data = trainer("ignored")
    t.model.eval()
    with caplog.at_level(logging.WARNING, logger="rbe"):
        t.fit(rbe.data.DataLoader(data, 24))
    assert "evaluation mode" in caplog.text
    assert not t.model.training


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_that_fails_counts_for_nothing(accumulate):
    fail = True

    def loss(outputs, target):
        if fail and t.state.step == 1 and (accumulate == 1 or t.seen % 4 == 2):
            raise ZeroDivisionError
        t.seen += 1
        return F.mse_loss(outputs, target)

    def make():
        t, data = trainer("squares", accumulate)
        t.loss, t.seen = loss, 0
        return t, rbe.data.DataLoader(data, 2)

    t, batches = make()
    with pytest.raises(ZeroDivisionError):
        t.fit(batches, epochs=2)
    fail, t.seen = False, 0
    entry = t.fit(batches, epochs=2, resume=True)
    broken = weights(t)
    t, batches = make()
    whole = t.fit(batches, epochs=2)
    np.testing.assert_array_equal(broken, weights(t))
    assert [e["loss"] for e in entry] == [e["loss"] for e in whole]


def test_a_target_without_a_length_is_named():
    t, _ = trainer("squares")
    with pytest.raises(rbe.TensorError, match="has a length"):
        t.fit([(rbe.tensor(X[0]), 3.0)])


def test_metrics_are_any_kind_of_number():
    kinds = {"python": 0.5, "numpy": np.float32(0.5), "array": np.array([0.5]), "tensor": rbe.tensor(0.5), "truth": np.bool_(True),
             "infinite": math.inf, "nothing": math.nan}  # fmt: skip
    metrics = {name: (lambda outputs, target, v=value: v) for name, value in kinds.items()}
    t, data = trainer("squares", metrics=metrics)
    found = t.evaluate(rbe.data.DataLoader(data, 7))
    assert [found[n] for n in ("python", "numpy", "array", "tensor", "truth", "infinite")] == [
        0.5,
        0.5,
        0.5,
        0.5,
        1.0,
        math.inf,
    ]
    assert math.isnan(found["nothing"])
    for value in (None, "0.5", [0.5], rbe.zeros(2), np.zeros(2), 1j):
        t, data = trainer("squares", metrics={"odd": lambda outputs, target, v=value: v})
        with pytest.raises(rbe.DTypeError, match=r"Trainer.*odd|pair"):
            t.evaluate(rbe.data.DataLoader(data, 7))
    t, data = trainer("squares")
    t.loss = nn.MSELoss(reduction="none")
    with pytest.raises(rbe.TensorError):
        t.evaluate(rbe.data.DataLoader(data, 7))
