"""Other threads of Python keep their pace while the engine works."""

import signal
import threading
import time

import numpy as np
import pytest
import rbe

MIB = 1 << 20


class Ticker:
    """A thread that wakes every millisecond and counts."""

    def __enter__(self):
        self.ticks, self.over = 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        while not self.over:
            time.sleep(0.001)
            self.ticks += 1

    def __exit__(self, *_):
        self.over = True
        self.thread.join()

    def rate(self, call, seconds):
        """Return the ticks a second while `call` runs over and over."""
        before, began = self.ticks, time.perf_counter()
        while time.perf_counter() < began + seconds:
            call()
        return (self.ticks - before) / (time.perf_counter() - began)


def calls(tmp_path):
    """Return calls of some 20 ms each."""
    x = rbe.randn(1 << 20)
    square, places = x.reshape(1024, 1024), rbe.randperm(1 << 11) % 1024
    path, packed = tmp_path / "x.safetensors", tmp_path / "packed.safetensors"
    state, model = {"x": rbe.randn(4 * MIB)}, rbe.RBELinear(4096, 1024).state_dict()
    rbe.save(state, path)
    rbe.save(model, packed)
    array = np.random.default_rng(0).standard_normal(1 << 20)
    return {
        "embedding": lambda: square.embedding(places),
        "tensor(array)": lambda: rbe.tensor(array, dtype="float32"),
        "sort": lambda: x.sort(),
        "save": lambda: rbe.save(state, path),
        "load": lambda: rbe.load(path),
        "save packed": lambda: rbe.save(model, packed),
        "load packed": lambda: rbe.load(packed),
        "a scripted function": lambda: rbe.jit.script(lambda x: (x * 2.0 + 1.0).tanh())(x),
    }


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    return calls(tmp_path_factory.mktemp("gil"))


NAMES = ["embedding", "tensor(array)", "sort", "save", "load", "save packed", "load packed", "a scripted function"]


@pytest.mark.parametrize("name", NAMES)
def test_a_thread_that_wakes_every_millisecond_keeps_its_pace(name, named):
    call, shares = named[name], []
    call()
    with Ticker() as ticker:
        # The machine may be busy with other things: the best of several turns.
        for _ in range(12):
            idle = ticker.rate(lambda: time.sleep(0.02), 0.04)
            shares.append(ticker.rate(call, 0.08) / idle)
            if shares[-1] >= 0.9:
                return
    raise AssertionError(f"{max(shares):.2f} of the ticks")


def test_lists_hold_the_elements_of_one_moment():
    x, stop = rbe.zeros(1 << 16, dtype="int64"), threading.Event()

    def write():
        i = 0
        while not stop.is_set():
            i += 1
            x.fill_(i)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(20):
            assert len(set(x.tolist())) == 1
    finally:
        stop.set()
        thread.join()


def test_lists_of_every_type_and_shape():
    rng = np.random.default_rng(0)
    for shape in ((), (0,), (3,), (2, 0), (0, 2), (2, 3, 4), (70, 80)):
        for dtype in ("float32", "float64", "int64", "bool"):
            array = (rng.standard_normal(shape) * 4).astype(dtype)
            t = rbe.tensor(array)
            assert t.tolist() == array.tolist()
            assert [type(v) for v in t.reshape(-1)[:1].tolist()] == [type(v) for v in array.reshape(-1)[:1].tolist()]
            if len(shape) > 1:
                assert t.transpose(0, 1).tolist() == array.swapaxes(0, 1).tolist()
    assert str(rbe.tensor([float("nan"), float("-inf")]).tolist()) == "[nan, -inf]"
    with pytest.raises(rbe.DTypeError, match="tolist"):
        rbe.RBELinear(64, 2).weight.tolist()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer signal")
def test_long_conversions_can_be_interrupted():
    class Interrupted(Exception):
        pass

    def interrupt(*_):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            rbe.zeros(400, 1 << 16).tolist()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
