"""Callbacks of the trainer: stopping, checkpoints, logs, progress, the order of events."""

import csv
import importlib
import io
import json
import sys

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.trainer import Call, Callback, Checkpoint, CSVLogger, EarlyStopping, JSONLinesLogger, Progress, TensorBoardLogger
from test_trainer import fingerprint, loader, network, samples, trainer, without_seconds


def test_early_stopping_keeps_to_its_patience():
    values = iter([3.0, 2.0, 2.5, 1.99, 2.4, 2.2, float("nan"), 1.0, 0.5])
    t = trainer(metrics={"score": lambda outputs, target: 0.0}, schedule=False, callbacks=[EarlyStopping("score", patience=2)])
    t.callbacks.insert(0, Call(on_epoch_end=lambda t: t.history[-1].update(score=next(values))))
    t.fit(loader(), epochs=20)
    assert len(t.history) == 7
    with pytest.raises(rbe.TensorError, match=r"accuracy.*'score'"):
        trainer(callbacks=[EarlyStopping("score")]).fit(loader())
    for arguments in ({"mode": "best"}, {"patience": -1}, {"min_delta": -1.0}):
        with pytest.raises(rbe.TensorError):
            EarlyStopping(**arguments)


def test_checkpoints_of_best_and_last(tmp_path):
    t = trainer(callbacks=[Checkpoint(tmp_path / "a", monitor="val_accuracy", mode="max"), EarlyStopping(patience=50)])
    t.fit(loader(), rbe.data.DataLoader(samples(seed=1), 64), epochs=4)
    best, last = (rbe.load(tmp_path / "a" / f"{name}.safetensors") for name in ("best", "last"))
    assert last["state"]["epoch"] == 4
    scores = [e["val_accuracy"] for e in t.history]
    assert best["state"]["epoch"] == int(np.argmax(scores)) + 1
    assert dict(best["callbacks"])["Checkpoint"] == {"best": max(scores)}
    fresh = network()
    fresh.load_state_dict(last["model"])
    assert fingerprint(fresh) == fingerprint(t.model)

    plain = trainer(callbacks=[Checkpoint(tmp_path / "b", every_steps=5)])
    plain.fit(loader(), epochs=1)
    assert rbe.load(tmp_path / "b" / "best.safetensors")["history"] == plain.history


def test_logs_are_continued_from_the_step_of_the_checkpoint(tmp_path):
    def callbacks(folder):
        return [CSVLogger(folder / "log.csv"), JSONLinesLogger(folder / "log.jsonl", every_steps=4), Checkpoint(folder)]

    def rows(folder):
        with open(folder / "log.csv", newline="") as file:
            table = list(csv.DictReader(file))
        with open(folder / "log.jsonl") as file:
            return table, [json.loads(line) for line in file]

    def leave(t):
        if t.state.step == 18:
            t.save(tmp_path / "at18")
        t.state.stop = t.state.step == 23

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(callbacks=callbacks(whole)).fit(loader(), rbe.data.DataLoader(samples(seed=1), 64), epochs=2)
    t = trainer(callbacks=[*callbacks(parts), Call(on_step_end=leave)])
    t.fit(loader(), rbe.data.DataLoader(samples(seed=1), 64), epochs=2)
    assert rows(parts)[1][-1]["step"] == 20  # beyond the file that the run continues from
    trainer(callbacks=callbacks(parts)).fit(
        loader(), rbe.data.DataLoader(samples(seed=1), 64), epochs=2, resume=tmp_path / "at18"
    )
    for one, two in zip(rows(whole), rows(parts), strict=True):
        assert without_seconds(one) == without_seconds(two)
    table, lines = rows(whole)
    assert list(table[0]) == ["epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert [line["step"] for line in lines] == [4, 8, 12, 13, 16, 20, 24, 26]


def test_a_new_name_makes_a_column(tmp_path):
    log = CSVLogger(tmp_path / "log.csv", every_steps=10)
    trainer(callbacks=[log]).fit(loader())
    with open(log.path, newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["seconds"], first["step"]) == ("", "10")
    assert float(second["seconds"]) > 0


def test_event_files_hold_the_values(tmp_path):
    event_pb2 = importlib.import_module("tensorboardX.proto.event_pb2")
    t = trainer(callbacks=[TensorBoardLogger(tmp_path)])
    t.fit(loader(), epochs=2)
    (path,) = tmp_path.iterdir()
    data, found = path.read_bytes(), {}
    while data:  # records: length (8 bytes), its checksum (4), the event, its checksum (4)
        n = int.from_bytes(data[:8], "little")
        event = event_pb2.Event.FromString(data[12 : 12 + n])
        found.update({(v.tag, event.step): v.simple_value for v in event.summary.value})
        data = data[16 + n :]
    assert found["loss", 13] == pytest.approx(t.history[0]["loss"], rel=1e-6)
    assert found["accuracy", 26] == pytest.approx(t.history[1]["accuracy"], rel=1e-6)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(rbe.DependencyError, match="tensorboardX or torch") as caught:
        TensorBoardLogger("nowhere")
    assert isinstance(caught.value, ImportError)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert trainer(progress=None).callbacks == []
    with pytest.raises(rbe.DependencyError, match="tqdm"):
        trainer(progress=True)


def test_progress_shows_loss_metric_rate_and_remaining_time():
    out = io.StringIO()
    t = trainer(progress=None, callbacks=[Progress(file=out, mininterval=0)])
    t.fit(loader(), epochs=2)
    shown = out.getvalue()
    assert "epoch 2/2: 100%" in shown
    assert "26/26" in shown
    assert "<00:0" in shown
    assert "examples/s" in shown
    assert f"loss {t.history[-1]['loss']:.4g}, accuracy" in shown
    assert f"epoch 1: loss {t.history[0]['loss']:.4g}" in shown


def test_events_and_plain_functions_come_in_order():
    seen = []

    class All(Callback):
        pass

    def note(event):
        return lambda self, t: seen.append(event)

    for event in rbe.trainer.callback.EVENTS:
        setattr(All, event, note(event))
    trainer(callbacks=[All(), lambda t: seen.append(len(t.history))]).fit(rbe.data.DataLoader(samples(32), 16), epochs=2)
    epoch = ["on_epoch_start", "on_step_end", "on_step_end", "on_epoch_end"]
    assert seen == ["on_fit_start", *epoch, 1, *epoch, 2, "on_fit_end"]
    for wrong in (3, EarlyStopping):
        with pytest.raises(rbe.DTypeError):
            trainer(callbacks=[wrong])
    with pytest.raises(rbe.DTypeError, match="on_monday"):
        Call(on_monday=print)


def test_callbacks_end_what_they_began_after_an_error():
    ended = []

    class Fails(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError

    model = Fails()
    model.p = nn.Parameter(rbe.zeros(1))
    t = rbe.Trainer(
        model,
        rbe.optim.SGD(model.parameters()),
        nn.CrossEntropyLoss(),
        progress=False,
        callbacks=[Call(on_fit_end=ended.append)],
    )
    with pytest.raises(ZeroDivisionError):
        t.fit(loader())
    assert ended == [t]
