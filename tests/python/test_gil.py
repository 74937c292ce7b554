"""Other threads of Python keep their pace while the engine works."""

import signal
import threading
import time

import numpy as np
import pytest
import rbe
from rbe import nn

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
    square = x.reshape(1024, 1024)
    places = rbe.randperm(1 << 20)
    numbers = x[: 1 << 18].tolist()
    path, packed = tmp_path / "x.safetensors", tmp_path / "packed.safetensors"
    state, model = {"x": rbe.randn(4 * MIB)}, rbe.RBELinear(4096, 1024).state_dict()
    rbe.save(state, path)
    rbe.save(model, packed)
    array = np.random.default_rng(0).standard_normal(1 << 20)
    return {
        "randn": lambda: rbe.randn(1 << 21),
        "rand": lambda: rbe.rand(1 << 22),
        "randint": lambda: rbe.randint(0, 9, (1 << 21,)),
        "randperm": lambda: rbe.randperm(1 << 20),
        "normal_": lambda: x.normal_(),
        "picking": lambda: x[places],
        "masks": lambda: x[x > 0],
        "writing to picked places": lambda: x.__setitem__(places, 1.0),
        "writing under a mask": lambda: x.__setitem__(x > 0, 1.0),
        "index_select": lambda: square.index_select(1, places[:1024] % 1024),
        "gather": lambda: x.gather(0, places),
        "embedding": lambda: square.embedding(places[: 1 << 11] % 1024),
        "tensor(list)": lambda: rbe.tensor(numbers),
        "tensor(nested lists)": lambda: rbe.tensor([numbers[:1000]] * 200),
        "tensor(array)": lambda: rbe.tensor(array, dtype="float32"),
        "tolist": lambda: x[: 1 << 18].tolist(),
        "tolist of rows": lambda: square[:300].tolist(),
        "RBELinear": lambda: nn.RBELinear(4096, 1024),
        "Linear": lambda: nn.Linear(1024, 1024),
        "RBEConv2d": lambda: nn.RBEConv2d(128, 256, 3),
        "arange": lambda: rbe.arange(1 << 22),
        "full": lambda: rbe.full((1 << 23,), 3.0),
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


NAMES = [
    "randn", "rand", "randint", "randperm", "normal_", "picking", "masks", "writing to picked places", "writing under a mask", "index_select",
    "gather", "embedding", "tensor(list)", "tensor(nested lists)", "tensor(array)", "tolist", "tolist of rows", "RBELinear", "Linear",
    "RBEConv2d", "arange", "full", "sort", "save", "load", "save packed", "load packed", "a scripted function",
]  # fmt: skip


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

    numbers = [float(i) for i in range(1 << 16)]
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for call in (lambda: rbe.tensor([numbers] * 200), lambda: rbe.zeros(200, 1 << 16).tolist()):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            began = time.perf_counter()
            with pytest.raises(Interrupted):
                call()
            assert time.perf_counter() - began < 2.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
