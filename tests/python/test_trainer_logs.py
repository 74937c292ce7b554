"""Logs, progress and stopping with values that are not finite, of other kinds, or cut off."""

import csv
import importlib
import io
import json
import math

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.trainer import Call, Checkpoint, CSVLogger, EarlyStopping, JSONLinesLogger, Progress, TensorBoardLogger


def run(*callbacks, target=None, steps=None, **options):
    """Train for two epochs of two steps; the loss is NaN."""
    rbe.manual_seed(0)
    model = nn.Linear(2, 2)
    x = rbe.full((4, 2), math.nan) if target is None else rbe.randn(4, 2)
    data = rbe.data.TensorDataset(x, rbe.zeros(4).long())
    t = rbe.Trainer(model, rbe.optim.SGD(model.parameters()), nn.CrossEntropyLoss(), callbacks=callbacks, progress=False)
    if steps is not None:
        t.callbacks.append(Call(on_step_end=lambda t: setattr(t.state, "stop", t.state.step == steps)))
    t.fit(rbe.data.DataLoader(data, 2), epochs=2, **options)
    return t


def strict(line):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line, parse_constant=refuse)


def odd(t):
    """Values that callbacks may add to an account."""
    t.history[-1].update(
        numpy=np.float32(0.5), whole=np.int64(3), tensor=rbe.tensor(2.0), several=rbe.tensor([1.0, math.inf]), text="a,b\n",
        nothing=None, truth=np.bool_(True), nested={"a": [math.nan, 1.0]}, below=-math.inf, thing=object(),
    )  # fmt: skip


def test_lines_are_json_whatever_the_values(tmp_path):
    log = JSONLinesLogger(tmp_path / "log.jsonl", every_steps=1)
    run(Call(on_epoch_end=odd), log)
    rows = [strict(line) for line in log.path.read_text().splitlines()]
    assert [row["loss"] for row in rows] == [None] * 6
    last = {
        name: rows[-1][name] for name in ("numpy", "whole", "tensor", "several", "text", "nothing", "truth", "nested", "below")
    }
    assert last == {
        "numpy": 0.5, "whole": 3, "tensor": 2.0, "several": [1.0, None], "text": "a,b\n", "nothing": None, "truth": True,
        "nested": {"a": [None, 1.0]}, "below": None,
    }  # fmt: skip
    assert [row["step"] for row in log.read()] == [1, 2, 2, 3, 4, 4]


def test_tables_hold_values_that_are_not_finite(tmp_path):
    log = CSVLogger(tmp_path / "log.csv", every_steps=1)
    run(Call(on_epoch_end=odd), log)
    with open(log.path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert all(math.isnan(float(row["loss"])) for row in rows)
    assert (rows[-1]["below"], rows[-1]["text"], rows[-1]["nothing"]) == ("-inf", "a,b\n", "")


@pytest.mark.parametrize("kind", [CSVLogger, JSONLinesLogger])
@pytest.mark.parametrize("lost", range(1, 60, 3))
def test_a_last_row_that_was_cut_off_is_written_again(kind, lost, tmp_path):
    whole, cut = (kind(tmp_path / name, every_steps=1) for name in ("whole", "cut"))
    run(whole, target=0)
    state = run(cut, target=0, steps=3)
    state.save(tmp_path / "run")
    data = cut.path.read_bytes()
    end = data[:-1].rfind(b"\n") + 1
    cut.path.write_bytes(data[: max(len(data) - lost, end)])
    run(cut, target=0, resume=tmp_path / "run")

    def rows(log):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in log.read()]

    kept = rows(cut)
    assert [row for row in rows(whole) if row in kept] == kept
    assert len(kept) >= 5  # the row that was cut is not known any more; all others are there


@pytest.mark.parametrize("kind", [CSVLogger, JSONLinesLogger])
@pytest.mark.parametrize(
    "content", [b"no log\nat all\n", b"\xff\xfe\x00\n\xff\n", b'{"epoch": 1}\n{"epoch": 2}\n', b"[1]\n[2]\n"]
)
def test_a_file_of_something_else_is_refused(kind, content, tmp_path):
    log = kind(tmp_path / "log", every_steps=1)
    run(log, target=0, steps=3).save(tmp_path / "run")
    log.path.write_bytes(content)
    with pytest.raises(rbe.FormatError, match=kind.__name__):
        run(log, target=0, resume=tmp_path / "run")
    assert log.path.read_bytes() == content


def test_logs_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "log", tmp_path, "a\0b"):
        for kind in (CSVLogger, JSONLinesLogger):
            with pytest.raises(rbe.FormatError, match=kind.__name__):
                run(kind(path), target=0)
    for kind in (CSVLogger, JSONLinesLogger, Checkpoint):
        for every in (0, -1, 1.5, "2", True):
            with pytest.raises(rbe.TensorError, match="every_steps"):
                kind(tmp_path / "x", every_steps=every)


def test_event_files_and_bars_leave_out_what_is_no_number(tmp_path):
    pytest.importorskip("tensorboardX")
    out = io.StringIO()
    run(Call(on_epoch_end=odd), TensorBoardLogger(tmp_path), Progress(file=out, mininterval=0))
    assert "loss nan" in out.getvalue()
    (path,) = tmp_path.iterdir()
    event_pb2, data, names = importlib.import_module("tensorboardX.proto.event_pb2"), path.read_bytes(), set()
    while data:
        n = int.from_bytes(data[:8], "little")
        names |= {v.tag for v in event_pb2.Event.FromString(data[12 : 12 + n]).summary.value}
        data = data[16 + n :]
    assert {"loss", "numpy", "whole", "below"} <= names
    assert not {"text", "nothing", "nested", "thing"} & names


def test_stopping_watches_numbers():
    def stopped(values, **options):
        stopping = EarlyStopping("score", **options)
        given = iter(values)
        t = run(Call(on_epoch_end=lambda t: t.history[-1].update(score=next(given))), stopping)
        return stopping, t

    stopping, _ = stopped([math.nan, rbe.tensor(0.5)])
    assert (stopping.best.value, stopping.waited) == (0.5, 0)
    stopping, t = stopped([math.inf, math.nan], patience=0)
    assert (stopping.best.value, len(t.history)) == (math.inf, 1)
    stopping, _ = stopped([-math.inf, 3.0], mode="max", patience=5)
    assert (stopping.best.value, stopping.waited) == (3.0, 0)
    for value in (None, "low", [1.0], True):
        with pytest.raises(rbe.DTypeError, match="score"):
            stopped([value])
    for wrong in ({"patience": 1.5}, {"patience": "3"}, {"min_delta": math.nan}, {"min_delta": "0"}):
        with pytest.raises(rbe.TensorError, match="EarlyStopping"):
            EarlyStopping(**wrong)


def test_a_second_run_knows_nothing_of_the_first(tmp_path):
    stopping, checkpoint = EarlyStopping("score", patience=0), Checkpoint(tmp_path, monitor="score")
    values = iter([1.0, 2.0, 5.0, 4.0])
    score = Call(on_epoch_end=lambda t: t.history[-1].update(score=next(values)))
    t = run(score, stopping, checkpoint, target=0)
    assert (len(t.history), checkpoint.best.value) == (2, 1.0)
    t.fit(t._loader, epochs=2)
    assert ([e["score"] for e in t.history], checkpoint.best.value) == ([5.0, 4.0], 4.0)


def test_accounts_with_values_of_any_kind_are_saved_and_loaded(tmp_path):
    t = run(Call(on_epoch_end=odd), target=0)
    t.save(tmp_path / "run")
    other = run(target=0)
    other.load(tmp_path / "run")
    assert (other.history[0]["numpy"], other.history[0]["several"]) == (0.5, [1.0, math.inf])


def test_callbacks_name_what_is_no_trainer(tmp_path):
    callbacks = [EarlyStopping(), Checkpoint(tmp_path), CSVLogger(tmp_path / "a"), JSONLinesLogger(tmp_path / "b"), Progress()]
    for callback in callbacks:
        for event in rbe.trainer.callback.EVENTS:
            if event in vars(type(callback)):
                for wrong in (None, 3, rbe.zeros(2)):
                    with pytest.raises(rbe.DTypeError, match=f"{event}: expected a Trainer"):
                        getattr(callback, event)(wrong)
