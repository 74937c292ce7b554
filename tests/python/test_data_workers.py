"""Worker processes of a loader: nothing hangs, nothing ends in silence, every error says what happened in the worker."""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
import rbe
from rbe.data import DataLoader, WorkerError
from worker_data import Made, Yields, as_it_is, fail, fails_at, forked, same, values

pytestmark = pytest.mark.usefixtures("no_hang")


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.held = a


class TextOfText(Exception):
    def __init__(self, name):
        super().__init__(f"bad {name}")


class HoldsALock(Exception):
    def __init__(self):
        super().__init__("locked")
        self.lock = threading.Lock()
        self.code = 7


class OwnText(Exception):
    def __init__(self, *, code):
        self.code = code

    def __str__(self):
        return f"code {self.code}"


def local_class():
    class Local(Exception):
        pass

    return Local("here")


@pytest.mark.parametrize(
    ("sample", "part"),
    [
        (lambda i: lambda: i, r"batch\[0\] of type function"),
        (lambda i: {"x": i, "lock": threading.Lock()}, r"batch\[0\]\['lock'\] of type lock"),
        (lambda i: (i, [sys.stderr]), r"batch\[0\]\[1\]\[0\] of type"),
        (lambda i: (x for x in range(i)), r"batch\[0\] of type generator"),
    ],
)
def test_a_batch_that_cannot_be_pickled_is_an_error_that_names_the_part(sample, part):
    with pytest.raises(rbe.DTypeError, match=part) as caught:
        list(forked(Made(sample), 2, collate_fn=as_it_is))
    assert isinstance(caught.value.__cause__, WorkerError)


def test_a_batch_of_recorded_tensors_is_refused():
    with pytest.raises(rbe.GraphError, match="detach"):
        list(forked(Made(lambda i: rbe.ones(2, requires_grad=True) * i), 2))
    (batch,) = forked(Made(lambda i: rbe.nn.Parameter(rbe.ones(2)), 1), 1, collate_fn=as_it_is)
    assert batch[0].requires_grad


def test_keys_that_cannot_be_pickled_are_refused_after_the_batches_before_them():
    loader = forked(Made(same), batch_sampler=[[1], [2], [lambda: 3]])
    got = []
    with pytest.raises(rbe.DTypeError, match=r"sampler\[0\] of type function"):
        got.extend(batch.tolist() for batch in loader)
    assert got == [[1], [2]]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_sampler_comes_after_the_batches_before_it(workers):
    def keys():
        yield from range(4)
        raise KeyError("no more")

    got = []
    with pytest.raises(KeyError, match="no more"):
        got.extend(batch.tolist() for batch in DataLoader(Made(same), 2, sampler=keys(), num_workers=workers))
    assert got == [[0, 1], [2, 3]]


def test_no_data_is_taken_for_an_end():
    samples = ["end", None, b"", 0, False, (), StopIteration(), KeyError("data"), "next", ("end", 1)]
    for workers in (0, 1, 2):
        for dataset in (Yields(samples), Made(samples.__getitem__, len(samples))):
            got = [repr(s) for s in DataLoader(dataset, None, collate_fn=as_it_is, num_workers=workers)]
            assert got == [repr(s) for s in samples]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("size", [None, 2])
def test_stop_iteration_of_a_data_set_ends_nothing_in_silence(size, workers):
    dataset = fails_at(4, StopIteration)
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(DataLoader(dataset, size, num_workers=workers))
    for data in (Made(same), Yields(list(range(6)))):
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(DataLoader(data, size, num_workers=workers, collate_fn=lambda batch: fail(StopIteration())))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_in_one_batch_does_not_end_the_epoch(workers):
    batches = iter(DataLoader(fails_at(4, lambda: KeyError("four")), 2, num_workers=workers))
    got = []
    while True:
        try:
            got.append(next(batches).tolist())
        except StopIteration:
            break
        except KeyError:
            got.append("error")
    assert got == [[0, 1], [2, 3], "error", [6, 7], [8, 9], [10, 11]]


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: KeyError("nine"), KeyError, "nine"),
        (lambda: OSError(2, "none", "a.png"), FileNotFoundError, "a.png"),
        (lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), UnicodeDecodeError, "bad"),
        (lambda: rbe.ShapeError("op", "this", "that"), rbe.ShapeError, "expected this, got that"),
        (lambda: TwoArguments(1, 2), TwoArguments, "1 and 2"),
        (lambda: TextOfText("name"), TextOfText, r"TextOfText: bad name"),
        (lambda: HoldsALock(), HoldsALock, "locked"),
        (lambda: OwnText(code=5), OwnText, "code 5"),
        (local_class, WorkerError, "Local: here"),
        (lambda: SystemExit(3), WorkerError, "SystemExit: 3"),
        (lambda: KeyboardInterrupt(), WorkerError, "KeyboardInterrupt"),
        (lambda: MemoryError("much"), MemoryError, "much"),
    ],
)
def test_exceptions_keep_their_type_and_bring_the_traceback(make, kind, text):
    with pytest.raises(kind, match=text) as caught:
        list(forked(fails_at(3, make), 2))
    error = caught.value
    trace = str(error) if isinstance(error, WorkerError) else str(error.__cause__)
    assert "in DataLoader worker 0" in trace
    assert "in fail\n" in trace
    if kind in (TwoArguments, HoldsALock):
        assert error.__dict__ == ({"held": 1} if kind is TwoArguments else {"code": 7})


def test_what_worker_init_fn_raises_is_said():
    with pytest.raises(ValueError, match="no start") as caught:
        list(forked(Made(same), 2, worker_init_fn=lambda number: fail(ValueError("no start"))))
    assert "the start of DataLoader worker 0" in str(caught.value.__cause__)


@pytest.mark.parametrize("persistent", [False, True])
def test_a_worker_that_is_killed_is_an_error(persistent):
    loader = forked(Made(lambda i: os.kill(os.getpid(), signal.SIGKILL) if i == 5 else i), 2, persistent_workers=persistent)
    got = []
    with pytest.raises(rbe.GraphError, match="worker 0, which was ended by SIGKILL"):
        got.extend(batch.tolist() for batch in loader)
    assert got == [[0, 1], [2, 3]][: len(got)]  # the other worker may have been slower than the end of this one


def test_a_worker_that_is_killed_in_the_middle_of_a_batch_is_an_error():
    pids = {}

    def large(i):
        return np.full(1 << 20, os.getpid())

    # More batches than are asked for ahead: the last one asked for cannot have come.
    batches = iter(forked(Made(large, 40), 4, num_workers=2))
    pids = {int(next(batches)[0, 0]) for _ in range(2)}
    time.sleep(0.3)  # both are writing 32 MB, which nobody reads
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(rbe.GraphError, match="SIGKILL"):
        list(batches)


def test_a_worker_that_is_killed_between_two_epochs_is_an_error_and_the_next_epoch_has_new_ones():
    loader = forked(Made(lambda i: os.getpid()), 6, num_workers=2, persistent_workers=True)
    before = {int(batch[0]) for batch in loader}
    os.kill(min(before), signal.SIGKILL)
    with pytest.raises(rbe.GraphError, match="SIGKILL"):
        list(loader)
    after = {int(batch[0]) for batch in loader}
    assert len(after) == 2
    assert not before & after


def test_a_worker_whose_child_lives_on_is_seen_to_die():
    def leave_a_child(i):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        os._exit(4)

    started = time.monotonic()
    with pytest.raises(rbe.GraphError, match="exit code 4"):
        list(forked(Made(leave_a_child), 2))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("dataset", [Made(same, 6), Yields(list(range(6)))])
@pytest.mark.parametrize("workers", [1, 2])
def test_iterators_that_share_workers_have_batches_of_their_own(dataset, workers):
    loader = DataLoader(dataset, 2, num_workers=workers, persistent_workers=True)
    alone = values(loader)
    assert [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)] == [(x, x) for x in alone]
    assert [[b.tolist() for b in loader] for _ in loader] == [alone] * len(alone)
    left = [next(iter(loader)).tolist() for _ in range(5)]  # abandoned at once
    assert left == [alone[0]] * 5
    assert values(loader) == alone


def test_threads_may_iterate_over_one_loader():
    loader = forked(Made(same, 60), 3, num_workers=2, persistent_workers=True)
    got = {}
    threads = [threading.Thread(target=lambda k=k: got.update({k: values(loader)})) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(got.values()) == [values(loader)] * 4


def test_batches_as_they_become_ready():
    slow = Made(lambda i: time.sleep(0.5) or i if i == 0 else i, 6)
    assert values(forked(slow, 1, num_workers=2, in_order=False))[0] != [0]
    assert sorted(values(forked(slow, 1, num_workers=2, in_order=False))) == [[i] for i in range(6)]
    assert values(forked(slow, 1, num_workers=2)) == [[i] for i in range(6)]


def test_lists_of_keys_may_be_long():
    # More than a connection holds, while the worker has as much to hand over.
    keys = [[i] * 100_000 for i in range(6)]
    got = forked(Made(same), batch_sampler=keys, collate_fn=np.asarray, prefetch_factor=6)
    assert [(int(b[0]), b.shape) for b in got] == [(i, (100_000,)) for i in range(6)]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_other_processes_do_not_take_part():
    batches = iter(forked(Made(same), 2))
    pid = os.fork()
    if pid == 0:
        try:
            next(batches)
        except rbe.GraphError as e:
            os._exit(0 if "in the process that made it" in str(e) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(batches)) == 6
    with pytest.raises(rbe.GraphError, match="num_workers=0 in a worker process"):
        list(forked(Made(lambda i: list(forked(Made(same))))))


@pytest.mark.parametrize("how", ["seed", "generator", "manual_seed"])
def test_the_order_does_not_depend_on_the_workers(how):
    runs = []
    for kwargs in ({}, {"num_workers": 1}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}):
        rbe.manual_seed(7)
        own = {"seed": {"seed": 3}, "generator": {"generator": rbe.Generator(3)}, "manual_seed": {}}[how]
        loader = DataLoader(Made(same, 30), 4, shuffle=True, **own, **kwargs)
        runs.append([values(loader) for _ in range(3)])
    assert all(run == runs[0] for run in runs)
    assert len({str(epoch) for epoch in runs[0]}) == 3
