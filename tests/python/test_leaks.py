"""Memory that grows with use: what is held after many rounds of one thing is what was held after a few."""

import contextlib
import copy
import gc
import os
import tempfile
import threading
import weakref

import numpy as np
import pytest
import rbe
from cycles import CYCLES, Keeps, Owner, Probe, leaf
from rbe import nn


def test_gradients_of_activations_are_folded():
    rbe.manual_seed(1)
    layer, batches = rbe.RBEActivation(24), [rbe.randn(40, 24) * (i + 1) for i in range(12)]

    def backward(i):
        (layer(batches[i]) * (0.1 * (i + 1))).sum().backward()

    single = []
    for i in range(len(batches)):
        layer.weight.grad = None
        backward(i)
        single.append(layer.weight.grad)
    layer.weight.grad = None
    held = []
    for i in range(len(batches)):
        backward(i)
        held.append(layer.weight.grad.nbytes)
    total = layer.weight.grad
    assert max(held[4:]) <= 2 * max(held[:4])
    for name in ("hi", "lo", "interaction"):
        wanted = sum(getattr(g, name).astype(np.float64) for g in single)
        np.testing.assert_allclose(
            getattr(total, name), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted[np.isfinite(wanted)]).max()
        )

    # Bounds on the norm, and the optimiser's checks, read what is folded.
    norm = np.sqrt(np.square(total.hi, where=np.isfinite(total.hi), out=np.zeros_like(total.hi)).sum(dtype=np.float64))
    assert np.isclose(rbe.nn.utils.clip_grad_norm_(layer.parameters(), float(norm) / 2).item(), norm, rtol=1e-4)
    np.testing.assert_allclose(layer.weight.grad.lo, total.lo / 2, rtol=1e-3, atol=1e-6)
    (layer(batches[0]) * float("inf")).sum().backward()
    optimizer = rbe.optim.HybridOptimizer(layer.parameters())
    before = layer.weight.lo
    with pytest.raises(rbe.NonFiniteError):
        optimizer.step()
    np.testing.assert_array_equal(layer.weight.lo, before)


def gone_after_collection(make, times=3):
    """Call `make(probe)` several times, drop what it returns, and count the probes that are left."""
    probes = []
    for _ in range(times):
        probe = Probe()
        probes.append(weakref.ref(probe))
        make(probe)
        del probe
    gc.collect()
    return sum(r() is not None for r in probes)


@pytest.mark.parametrize("make", CYCLES, ids=lambda f: f.__name__)
def test_cycles_through_the_tape_are_collected(make):
    assert gone_after_collection(make) == 0


@pytest.mark.parametrize("held", ["leaf", "result", "loss", "loss and leaf", "handle and loss"])
def test_hooks_that_can_still_run_are_not_collected(held):
    calls = []

    def make():
        probe = Probe()
        x = leaf()
        h = x * 2.0
        loss = (h * h).sum()
        handles = [t.register_hook(lambda g, t=t: calls.append((t.shape, probe is not None)) and None) for t in (x, h)]
        kept = {"leaf": x, "result": h, "loss": loss, "loss and leaf": (loss, x), "handle and loss": (loss, handles)}
        return kept[held]

    kept = make()
    for _ in range(3):
        gc.collect()
    root = kept[0] if isinstance(kept, tuple) else kept
    root.sum().backward()
    assert calls == {"leaf": [((3,), True)]}.get(held, [((3,), True)] * 2)
    gc.collect()


def test_handles_remove_hooks_and_outlive_their_tensors():
    x, calls = leaf(), []
    handle = x.register_hook(lambda g: calls.append(1))
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert calls == []
    handle = leaf().register_hook(lambda g: None)
    gc.collect()
    handle.remove()


def test_collections_in_the_middle_of_backward_change_nothing():
    """One thread collects all the time, hooks collect too, while others go back over tapes full of hooks."""
    stop, wrong = threading.Event(), []

    def collect():
        while not stop.is_set():
            gc.collect()

    def train():
        try:
            for _ in range(30):
                x, calls = leaf(), []
                h = x
                for _ in range(5):
                    h = Keeps.apply(h, Owner(None))
                    h.register_hook(lambda g, h=h, calls=calls: calls.append(gc.collect(0)) and None)
                rbe.autograd.checkpoint(lambda v: (v * v).exp(), h * 0.01).sum().backward()
                if len(calls) != 5 or x.grad is None:
                    wrong.append(len(calls))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=train) for _ in range(3)]
    collector = threading.Thread(target=collect)
    collector.start()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    stop.set()
    collector.join()
    assert wrong == []


ROUNDS = int(os.environ.get("RBE_LEAK_ROUNDS", "300"))


BOUND = 1.0  # MiB of growth, however many rounds


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def rounds(folder):
    """Return functions that do one thing once; files go to a folder."""
    rbe.manual_seed(0)
    x, w = rbe.randn(8, 64), leaf()
    packed = nn.Sequential(nn.RBELinear(64, 32), nn.ReLU(), nn.RBELinear(32, 4))
    hybrid = rbe.optim.HybridOptimizer(packed.parameters())
    dense = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 4))
    adam = rbe.optim.Adam(dense.parameters())
    activation = rbe.RBEActivation(64)
    scripted = rbe.jit.script(lambda x, n: ((x * n).tanh() + 1.0) @ x.t())
    numbers = [[float(i) for i in range(50)]] * 20
    state = {"model": packed.state_dict(), "optimizer": hybrid.state_dict(), "lists": numbers, "bytes": b"x" * 1000}
    path = os.path.join(folder, "state.safetensors")
    data = rbe.data.TensorDataset(x, x[:, 0])
    loader = rbe.data.DataLoader(data, batch_size=3, shuffle=True)
    workers = rbe.data.DataLoader(data, batch_size=3, shuffle=True, num_workers=1, persistent_workers=True)

    def files():
        rbe.save(state, path, {"note": "x" * 100})
        rbe.load(path)
        with contextlib.suppress(rbe.FormatError):
            rbe.load(folder)

    def left_early():
        for _ in loader:
            return

    def step(model, optimizer):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()

    def made_anew():
        model = nn.Sequential(nn.RBELinear(64, 4), nn.Linear(4, 4))
        step(model, rbe.optim.HybridOptimizer(model.parameters()))

    def failing():
        with contextlib.suppress(rbe.ShapeError):
            (dense(x) @ rbe.ones(3)).sum()
        y = w * 2.0
        y.register_hook(lambda g, y=y: 1 / 0)
        with contextlib.suppress(ZeroDivisionError):
            y.sum().backward()

    def hooks():
        y = w * 2.0
        handles = [t.register_hook(lambda g, t=t: None) for t in (w, y)]
        y.sum().backward()
        for handle in handles:
            handle.remove()
        w.grad = None

    def cycles():
        for make in CYCLES:
            make(Probe())

    def no_recording():
        with rbe.no_grad():
            packed(x)

    return {
        "a step of a packed model": lambda: step(packed, hybrid),
        "a step of a dense model": lambda: step(dense, adam),
        "models made anew": made_anew,
        "inference": no_recording,
        "activations that accumulate": lambda: activation(x).sum().backward(),
        "errors in the middle": failing,
        "hooks": hooks,
        "cycles": cycles,
        "checkpoints": lambda: rbe.autograd.checkpoint(dense, x).sum().backward(),
        "user-defined operations": lambda: Keeps.apply(w, Owner(None)).sum().backward(),
        "scripted functions": lambda: scripted(x, float("nan")),
        "indexing": lambda: (x[x > 0], x[[1, 2], 3:], x[:, rbe.arange(5)]),
        "lists": lambda: rbe.tensor(numbers).tolist(),
        "NumPy and back": lambda: rbe.from_numpy(rbe.from_dlpack(x.numpy()).numpy()),
        "copies": lambda: copy.deepcopy(dense),
        "saving and loading": files,
        "loaders": lambda: list(loader),
        "loaders that are left early": left_early,
        "loaders with workers": lambda: list(workers),
    }


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux's count of resident pages")
@pytest.mark.parametrize("name", rounds("."))
def test_memory_does_not_grow_with_rounds(name, tmp_path):
    # Files in memory, where that is possible: flushing them to a disk would take most of the time.
    folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path)
    with folder:
        check_rounds(rounds(folder.name)[name])


def check_rounds(once):
    few = max(ROUNDS // 10, 20)

    def grown(times):
        gc.collect()
        before = resident()
        for _ in range(times):
            once()
        gc.collect()
        return resident() - before

    grown(few)
    handles = len(os.listdir("/proc/self/fd"))
    # Pages that come late in a warm-up do not come again: what leaks does, in every turn.
    assert min(grown(ROUNDS) for _ in range(3)) < BOUND * min(1.0, ROUNDS / 300)
    assert len(os.listdir("/proc/self/fd")) <= handles
