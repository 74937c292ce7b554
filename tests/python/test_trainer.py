"""The training loop: what it computes, what it calls, and that a run continues bit for bit."""

import os
import signal
import threading

import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.trainer import Call, Checkpoint, EarlyStopping


def samples(n=200, seed=0):
    rng = Inputs(seed)
    y = rng.integers(0, 5, n)
    x = rng.array(n, 40, dtype=np.float32)
    x[np.arange(n), y] += 3
    return rbe.data.TensorDataset(rbe.tensor(x), rbe.tensor(y))


def loader(**options):
    return rbe.data.DataLoader(samples(), 16, shuffle=True, **options)


def network():
    return nn.Sequential(
        nn.RBELinear(40, 32), nn.BatchNorm1d(32), nn.RBEActivation(32), nn.Dropout(0.1), nn.RBELinear(32, 32), nn.ReLU(), nn.Linear(32, 5)
    )  # fmt: skip


def trainer(model=None, seed=0, schedule=True, **options):
    rbe.manual_seed(seed)
    model = model or network()
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    scheduler = rbe.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40) if schedule else None
    options = {"progress": False, "metrics": ["accuracy"], "scheduler": scheduler, **options}
    return rbe.Trainer(model, optimizer, nn.CrossEntropyLoss(), **options)


def fingerprint(model):
    return [(t.hi.tobytes(), t.lo.tobytes()) if t.is_packed else t.numpy().tobytes() for t in model.state_dict().values()]


def without_seconds(history):
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]


def test_it_trains_evaluates_and_predicts():
    t = trainer(nn.Sequential(nn.RBELinear(40, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.RBELinear(64, 5)))
    history = t.fit(loader(seed=1), rbe.data.DataLoader(samples(seed=1), 64), epochs=6)
    assert [e["epoch"] for e in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["step"] == 6 * 13
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["val_accuracy"] > 0.7  # chance: 0.2
    assert all(m.training for m in t.model.modules())
    found = t.evaluate(rbe.data.DataLoader(samples(seed=1), 7))
    outputs = t.predict(rbe.data.DataLoader(samples(seed=1), 64))
    x, y = samples(seed=1).tensors
    t.model.eval()
    assert found["accuracy"] == pytest.approx(float((outputs.argmax(1) == y).numpy().mean()))
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(t.model(x), y).item(), rel=1e-5)
    np.testing.assert_allclose(outputs.numpy(), t.model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_it_is_the_loop_one_would_write():
    t = trainer()
    t.fit(loader(seed=1), epochs=2)
    rbe.manual_seed(0)
    model = network()
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    schedule = rbe.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    batches = loader(seed=1)
    for _ in range(2):
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()
    assert fingerprint(model) == fingerprint(t.model)


@pytest.mark.parametrize(
    ("options", "workers"), [({}, 0), ({"accumulate": 3}, 0), ({"accumulate": 2, "clip_norm": 0.5}, 0), ({}, 2)]
)
@pytest.mark.parametrize("stop", [1, 5, 13, 17])
def test_a_run_continues_bit_for_bit_in_the_middle_of_an_epoch(options, workers, stop, tmp_path):
    whole = trainer(**options)
    whole.fit(loader(num_workers=workers), epochs=4)

    def leave(t):
        if t.state.step == stop:
            t.save(tmp_path / "run.safetensors")
            t.state.stop = True

    first = trainer(**options, callbacks=[Call(on_step_end=leave)])
    first.fit(loader(num_workers=workers), epochs=4)
    assert first.state.step == stop

    np.random.seed(99)
    second = trainer(seed=77, **options)
    second.fit(loader(num_workers=workers), epochs=4, resume=tmp_path / "run.safetensors")
    assert second.state.step == whole.state.step
    assert without_seconds(second.history) == without_seconds(whole.history)
    assert fingerprint(second.model) == fingerprint(whole.model)


def test_a_trainer_continues_where_it_stands():
    whole = trainer()
    whole.fit(loader(), epochs=3)
    t = trainer(callbacks=[Call(on_step_end=lambda t: setattr(t.state, "stop", t.state.step == 20))])
    batches = loader()
    t.fit(batches, epochs=3)
    assert (t.state.epoch, t.state.batch, t.state.step) == (1, 7, 20)
    t.fit(batches, epochs=3, resume=True)
    assert fingerprint(t.model) == fingerprint(whole.model)
    t.fit(batches, epochs=1)
    assert len(t.history) == 1


def test_random_numbers_of_numpy_and_python_continue(tmp_path):
    import random

    class Noisy(rbe.data.Dataset):
        def __getitem__(self, i):
            return rbe.rand(40) + float(np.random.rand()) + random.random(), rbe.tensor(i % 5)

        def __len__(self):
            return 48

    def run(t, **options):
        np.random.seed(3)
        random.seed(4)
        t.fit(rbe.data.DataLoader(Noisy(), 8, shuffle=True), epochs=2, **options)
        return fingerprint(t.model)

    whole = run(trainer())

    def leave(t):
        if t.state.step == 9:
            t.save(tmp_path / "run")
            t.state.stop = True

    run(trainer(callbacks=[Call(on_step_end=leave)]))
    assert run(trainer(seed=5), resume=tmp_path / "run") == whole


def test_accumulated_batches_are_one_batch():
    def run(size, accumulate):
        rbe.manual_seed(0)
        model = nn.Sequential(nn.Linear(40, 16, dtype=rbe.float64), nn.Tanh(), nn.Linear(16, 5, dtype=rbe.float64))
        x, y = samples(70).tensors
        t = rbe.Trainer(
            model, rbe.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), accumulate=accumulate, progress=False
        )
        history = t.fit(rbe.data.DataLoader(rbe.data.TensorDataset(x.double(), y), size), epochs=3)
        return history[-1], np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])

    one, p = run(32, 1)
    four, q = run(8, 4)  # the last group has 6 samples, in one batch of 6
    assert (one["step"], four["step"]) == (9, 9)
    assert one["loss"] == pytest.approx(four["loss"], rel=1e-12)
    np.testing.assert_allclose(p, q, rtol=1e-10, atol=1e-13)


def test_clipping_bounds_gradients():
    seen = []

    class Recorded(rbe.optim.SGD):
        def step(self, closure=None):
            seen.append([p.grad.numpy() for g in self.param_groups for p in g["params"]])
            return super().step(closure)

    model = nn.Linear(40, 5)
    for options in ({"clip_norm": 0.01}, {"clip_value": 0.001}):
        rbe.Trainer(model, Recorded(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), progress=False, **options).fit(loader())
    norms = [np.sqrt(sum((g.astype(float) ** 2).sum() for g in step)) for step in seen]
    np.testing.assert_allclose(norms[:13], 0.01, rtol=1e-4)
    assert max(np.abs(g).max() for step in seen[13:] for g in step) <= np.float32(0.001)
    assert max(norms[13:]) > 0.011


@pytest.mark.parametrize("with_validation", [False, True])
def test_a_plateau_lowers_the_rates(with_validation):
    t = trainer(schedule=False)
    t.scheduler = None
    plateau = rbe.optim.lr_scheduler.ReduceLROnPlateau(t.optimizer, patience=0, threshold=0.9)
    t = rbe.Trainer(t.model, t.optimizer, t.loss, scheduler=plateau, progress=False)
    t.fit(loader(), rbe.data.DataLoader(samples(seed=1), 64) if with_validation else None, epochs=4)
    assert t.lr < 2e-3


@pytest.mark.parametrize(
    "options",
    [{"accumulate": 0}, {"clip_norm": 0.0}, {"clip_value": -1.0}, {"schedule_every": "week"}, {"metrics": ["precision"]}],
)
def test_arguments_that_make_no_sense(options):
    with pytest.raises(rbe.TensorError, match="Trainer"):
        trainer(**options)


def test_refusals():
    model = network()
    at_once = rbe.optim.HybridOptimizer(model.parameters(), in_backward=True)
    with pytest.raises(rbe.TensorError, match="in_backward"):
        rbe.Trainer(model, at_once, nn.CrossEntropyLoss(), accumulate=2)
    rbe.Trainer(model, at_once, nn.CrossEntropyLoss(), progress=False).fit(loader())
    t = trainer()
    with pytest.raises(rbe.TensorError, match="epochs"):
        t.fit(loader(), epochs=0)
    with pytest.raises(rbe.TensorError, match="epoch 2"):
        t.fit(iter(list(loader())), epochs=2)
    with pytest.raises(rbe.TensorError, match="target"):
        t.fit([rbe.zeros(3, 40)])
    with pytest.raises(rbe.TensorError, match="predict"):
        t.predict([])


def test_a_file_that_does_not_fit_changes_nothing(tmp_path):
    t = trainer()
    t.fit(loader(), epochs=1)
    before, history = fingerprint(t.model), t.history
    rbe.save(tmp_path / "model", t.model.state_dict())
    trainer(callbacks=[EarlyStopping()]).save(tmp_path / "callbacks")
    trainer(schedule=False).save(tmp_path / "schedule")
    trainer(nn.Sequential(nn.Linear(40, 5))).save(tmp_path / "other")
    for name in ("model", "callbacks", "schedule", "other"):
        with pytest.raises((rbe.FormatError, rbe.TensorError)):
            t.load(tmp_path / name)
        assert fingerprint(t.model) == before
        assert t.history == history


SCRIPT = """
import sys, rbe
sys.path.insert(0, {folder!r})
from test_trainer import trainer, loader, fingerprint, Checkpoint, Call
t = trainer(callbacks=[Checkpoint({out!r}), Call(on_step_end=lambda t: print(t.state.step, flush=True))])
t.fit(loader(seed=2), epochs=100000)
"""


def test_ctrl_c_saves_and_leaves_and_the_run_continues(tmp_path, program):
    process = program("-c", SCRIPT.format(folder=os.path.dirname(__file__), out=str(tmp_path)))
    while int(process.stdout.readline()) < 20:
        pass
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode != 0
    assert error.rstrip().endswith("KeyboardInterrupt")
    saved = rbe.load(tmp_path / "last.safetensors")
    steps = saved["state"]["step"]
    epochs = steps // 13 + 2
    t = trainer(seed=9, callbacks=[Checkpoint(tmp_path)])
    t.fit(loader(seed=2), epochs=epochs, resume=tmp_path / "last.safetensors")
    whole = trainer()
    whole.fit(loader(seed=2), epochs=epochs)
    assert fingerprint(t.model) == fingerprint(whole.model)


def test_ctrl_c_during_validation_is_continued(tmp_path, ctrl_c):
    class Slow:
        def __init__(self, interrupt):
            self.interrupt = interrupt

        def __iter__(self):
            yield from rbe.data.DataLoader(samples(seed=1), 50)
            if self.interrupt:
                signal.raise_signal(signal.SIGINT)
                yield from rbe.data.DataLoader(samples(seed=1), 50)

    t = trainer(callbacks=[Checkpoint(tmp_path)])
    with pytest.raises(KeyboardInterrupt):
        t.fit(loader(), Slow(True), epochs=2)
    assert (t.history, t.state.batch) == ([], 13)
    t.fit(t._loader, Slow(False), epochs=2, resume=tmp_path / "last.safetensors")
    whole = trainer()
    whole.fit(loader(), Slow(False), epochs=2)
    assert fingerprint(t.model) == fingerprint(whole.model)
    assert without_seconds(t.history) == without_seconds(whole.history)


def test_other_threads_leave_signals_alone(ctrl_c):
    t = trainer()
    thread = threading.Thread(target=lambda: t.fit(loader(), epochs=1))
    thread.start()
    thread.join()
    assert len(t.history) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
