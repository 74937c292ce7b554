"""Fuzz states of a Trainer with replaced parts: loading raises and changes nothing, or training continues."""

import contextlib
import copy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["rbe"]):
    import rbe
    from rbe import nn
    from rbe.trainer import EarlyStopping

At = tuple[Any, ...]
FILE = Path(tempfile.mkdtemp(prefix="rbe-fuzz-")) / "state"
REMOVED = object()


def trainer(plateau: bool) -> rbe.Trainer:
    """Return a trainer of packed and dense layers that has trained for an epoch."""
    rbe.manual_seed(0)
    model = nn.Sequential(nn.RBELinear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    schedules = rbe.optim.lr_scheduler
    schedule = schedules.ReduceLROnPlateau(optimizer) if plateau else schedules.CosineAnnealingLR(optimizer, 9)
    callbacks = [EarlyStopping("loss", patience=9)]
    run = rbe.Trainer(model, optimizer, nn.CrossEntropyLoss(), scheduler=schedule, callbacks=callbacks, progress=False)
    run.fit(loader(), epochs=1)
    return run


def loader() -> Any:
    """Return a loader that shuffles."""
    data = rbe.data.TensorDataset(rbe.ones(8, 8), rbe.arange(8) % 2)
    return rbe.data.DataLoader(data, 4, shuffle=True, seed=0)


def places(tree: Any, at: At = ()) -> Iterator[At]:
    """Yield the path of every part."""
    yield at
    if isinstance(tree, dict | list | tuple):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from places(tree[key], (*at, key))


def replaced(tree: Any, at: At, value: Any) -> Any:
    """Return a copy of `tree` with another value at a path, or without one."""
    if not at:
        return value
    if not isinstance(tree, dict | list | tuple):
        return tree  # an earlier change replaced it
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    new = [(key, replaced(part, at[1:], value) if key == at[0] else part) for key, part in pairs]
    new = [(key, part) for key, part in new if part is not REMOVED]
    return dict(new) if isinstance(tree, dict) else type(tree)(part for _, part in new)


def facts(tree: Any) -> Any:
    """Return a state as values that can be compared."""
    if isinstance(tree, dict):
        return {key: facts(part) for key, part in tree.items()}
    if isinstance(tree, list | tuple):
        return [facts(part) for part in tree]
    if not isinstance(tree, rbe.RBETensor):
        return repr(tree)
    return (tree.hi.tobytes(), tree.lo.tobytes()) if tree.is_packed else (str(tree.dtype), tree.detach().numpy().tobytes())


def kept(run: rbe.Trainer) -> Any:
    """Return the state of a trainer without the process's random numbers."""
    return facts({name: part for name, part in run.state_dict().items() if name != "random"})


def value_of(data: atheris.FuzzedDataProvider, whole: Any, at: list[At], depth: int = 0) -> Any:
    """Return a value of any type that a state can hold, or the value of another place."""
    kind = data.ConsumeIntInRange(0, 12 if depth < 3 else 8)
    if kind == 9:
        return [value_of(data, whole, at, depth + 1) for _ in range(data.ConsumeIntInRange(0, 2))]
    if kind == 10:
        return {data.ConsumeUnicodeNoSurrogates(4): value_of(data, whole, at, depth + 1)}
    if kind >= 11:
        part = whole
        for key in data.PickValueInList(at):
            part = part[key]
        return part
    shape = [data.ConsumeIntInRange(0, 4) for _ in range(data.ConsumeIntInRange(0, 3))]
    return (
        lambda: REMOVED,
        lambda: None,
        lambda: data.ConsumeBool(),
        lambda: data.ConsumeInt(9),
        lambda: data.ConsumeIntInRange(-2, 9),
        lambda: data.ConsumeFloat(),
        lambda: data.ConsumeUnicodeNoSurrogates(8),
        lambda: rbe.full(shape, data.ConsumeFloat(), dtype=data.PickValueInList([rbe.float32, rbe.float64])),
        lambda: rbe.full(shape, data.ConsumeInt(8)),
    )[kind]()


def main() -> None:
    """Run the target."""
    runs = []
    for plateau in (False, True):
        run = trainer(plateau)
        whole = copy.deepcopy(run.state_dict())  # it shares the memory of the weights
        runs.append((run, whole, list(places(whole)), kept(run)))

    def target(raw: bytes) -> None:
        data = atheris.FuzzedDataProvider(raw)
        run, whole, at, before = runs[data.ConsumeBool()]
        state = whole
        for _ in range(data.ConsumeIntInRange(1, 3)):
            state = replaced(state, data.PickValueInList(at), value_of(data, whole, at))
        if data.ConsumeBool():
            try:
                rbe.save(FILE, {"state": state})
            except rbe.RBEError:
                return  # a file cannot hold this state
            state = rbe.load(FILE)["state"]
        try:
            run.load_state_dict(state)
        except rbe.FormatError:
            assert kept(run) == before, "a state that was refused changed something"
            return
        with contextlib.suppress(rbe.RBEError):  # weights may be any numbers
            run.fit(loader(), epochs=2, resume=True)
        run.load_state_dict(whole)
        assert kept(run) == before, "the state that was saved is not the one that was loaded"

    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
