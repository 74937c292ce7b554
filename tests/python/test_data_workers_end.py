"""How worker processes end: a loop that is left early, a program that ends, is killed or interrupted; and how they start."""

import gc
import multiprocessing
import os
import signal
import threading
import time

import pytest
import rbe
from rbe.data import DataLoader
from rbe.data._pool import default_start_method
from worker_data import Made, Yields, forked, same, values

pytestmark = pytest.mark.usefixtures("no_hang")


def quickly(leave):
    started = time.monotonic()
    leave()
    gc.collect()
    return time.monotonic() - started < 1.5


def large_batch(i):
    return rbe.ones(1000, 100)


def sleepy(i):
    time.sleep(0.01 if i < 4 else 30)
    return i


@pytest.mark.parametrize("make", [large_batch, sleepy])
@pytest.mark.parametrize("persistent", [False, True])
def test_leaving_early_is_quick(make, persistent):
    def loader():
        return forked(Made(make, 40), 2, num_workers=2, persistent_workers=persistent)

    def by_break():
        for _ in loader():
            break

    def by_error():
        with pytest.raises(ZeroDivisionError):
            [1 / 0 for _ in loader()]

    assert quickly(by_break)
    assert quickly(by_error)
    kept = loader()
    batches = iter(kept)
    next(batches)
    time.sleep(0.2)  # the workers wait to hand over, or are in the middle of a sample

    def by_del():
        nonlocal kept, batches
        del batches, kept

    assert quickly(by_del)
    assert multiprocessing.active_children() == []


SCRIPT = """
import os, signal, sys, time, rbe
class Data(rbe.data.Dataset):
    def __len__(self): return 1000
    def __getitem__(self, i):
        time.sleep({sleep})
        return rbe.full((200, 500), float(os.getpid()), dtype="float64")
loader = rbe.data.DataLoader(Data(), 2, num_workers=2, persistent_workers={persistent})
batches = iter(loader)
pids = [int(next(batches)[0, 0, 0].item()) for _ in range(2)]
print(*pids, flush=True)
{end}
"""


@pytest.fixture
def script(program):
    def start(end, sleep=0.0, persistent=False):
        return program("-c", SCRIPT.format(end=end, sleep=sleep, persistent=persistent), start_new_session=True)

    return start


def gone(pids, seconds=5.0):
    """Whether processes end within some time; those without a parent may stay as zombies."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        alive = []
        for pid in pids:
            try:
                with open(f"/proc/{pid}/stat") as f:
                    alive.append(f.read().rsplit(")", 1)[1].split()[0] != "Z")
            except (FileNotFoundError, ProcessLookupError):
                continue
        if not any(alive):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("end", ["", "sys.exit(5)", "raise ValueError('out')"])
def test_a_program_that_ends_early_ends_quickly(end, persistent, script):
    process = script(end, persistent=persistent)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    started = time.monotonic()
    _, error = process.communicate(timeout=30)
    assert time.monotonic() - started < 3
    assert process.returncode == {"": 0, "s": 5, "r": 1}[end[:1]]
    assert error.count("Traceback") == ("raise" in end)
    assert gone(pids)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
@pytest.mark.parametrize("sleep", [0.0, 0.05])
def test_workers_do_not_outlive_a_killed_program(sleep, script):
    process = script("time.sleep(60)", sleep)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    assert gone(pids)


def test_ctrl_c_while_workers_load_ends_with_one_traceback(script):
    process = script("for _ in batches: pass", 0.01)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert error.count("Traceback") == 1
    assert gone(pids)


class Scale:
    def __init__(self, by):
        self.by = by

    def __call__(self, i):
        return i * self.by


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_other_start_methods_make_the_same_batches(context):
    dataset = Made(Scale(2.0))
    expected = values(DataLoader(dataset, 5, shuffle=True, seed=1))
    loader = DataLoader(dataset, 5, shuffle=True, seed=1, num_workers=2, multiprocessing_context=context)
    assert values(loader) == expected
    batches = [b.tolist() for b in DataLoader(Yields(list(range(6))), 2, num_workers=1, multiprocessing_context=context)]
    assert batches == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_what_cannot_be_sent_to_a_new_process_is_named(context):
    kwargs = {"num_workers": 1, "multiprocessing_context": context}
    for loader, part in (
        (DataLoader(Made(lambda i: i), **kwargs), r"loader.dataset.make of type function"),
        (DataLoader(Made(Scale(threading.Lock())), **kwargs), r"loader.dataset.make.by of type lock"),
        (DataLoader(Made(same), collate_fn=lambda b: b, **kwargs), r"loader.collate_fn of type function"),
        (DataLoader(Made(same), worker_init_fn=lambda b: b, **kwargs), r"loader.worker_init_fn of type function"),
    ):
        with pytest.raises(rbe.DTypeError, match=part):
            list(loader)


def test_the_start_method_is_pythons_unless_told(monkeypatch):
    assert default_start_method() == multiprocessing.get_start_method()
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none=False: "spawn")
    assert default_start_method() == "spawn"
    with pytest.raises(rbe.DTypeError, match=r"loader.dataset.make"):
        list(DataLoader(Made(lambda i: i), num_workers=1))
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none=False: None)
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["forkserver", "spawn", "fork"])
    assert default_start_method() == "forkserver"
    with pytest.raises(rbe.TensorError, match="multiprocessing_context"):
        DataLoader(Made(same), num_workers=1, multiprocessing_context="nothing")
