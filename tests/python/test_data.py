"""Loaders and data sets: workers, iterable and combined data sets, arguments, readers."""

import copy
import os
import pickle
import time

import numpy as np
import pytest
import rbe
from rbe.data import (
    BatchSampler,
    ChainDataset,
    DataLoader,
    Dataset,
    Generator,
    IterableDataset,
    RandomSampler,
    Sampler,
    StackDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    WorkerError,
    get_worker_info,
    random_split,
)


class Squares(Dataset):
    def __init__(self, fail=None):
        self.fail = fail

    def __len__(self):
        return 23

    def __getitem__(self, i):
        if i == 9 and self.fail is not None:
            self.fail()
        return rbe.tensor([float(i * i)]), i


class Count(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        return iter(range(17)) if info is None else iter(range(info.id, 17, info.num_workers))


class Noise(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return rbe.randn(2), np.random.random(), get_worker_info().id


class Products(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return (rbe.full((300, 300), float(i)) @ rbe.ones(300, 300)).sum()


class Unpicklable(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} {b}")


def key_error():
    raise KeyError("nine is bad")


def unpicklable():
    raise Unpicklable(1, 2)


def leave():
    os._exit(3)


def lists(loader):
    return [tuple(part.tolist() for part in batch) for batch in loader]


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_make_the_same_batches_in_the_same_order(context):
    rbe.RBELinear(256, 256)(rbe.randn(64, 256)).sum().backward()  # kernels have run before the fork
    here = lists(DataLoader(Squares(), 4))
    assert lists(DataLoader(Squares(), 4, num_workers=2, multiprocessing_context=context)) == here
    assert [len(i) for _, i in lists(DataLoader(Squares(), 4, num_workers=2, drop_last=True))] == [4] * 5


def test_kernels_run_in_workers():
    got = np.concatenate([b.numpy() for b in DataLoader(Products(), 2, num_workers=2)])
    np.testing.assert_allclose(got, np.arange(6) * 300.0**3)


def test_shuffled_batches_of_workers_repeat():
    runs = [lists(DataLoader(Squares(), 4, shuffle=True, num_workers=n, seed=5)) for n in (0, 0, 2)]
    assert runs[0] == runs[1]
    rbe.manual_seed(3)
    a = lists(DataLoader(Squares(), 4, shuffle=True))
    rbe.manual_seed(3)
    assert lists(DataLoader(Squares(), 4, shuffle=True)) == a
    assert sorted(i for _, numbers in runs[2] for i in numbers) == list(range(23))


def test_random_numbers_of_workers_repeat_and_differ():
    def run(seed):
        return [[np.asarray(p).tolist() for p in b] for b in DataLoader(Noise(), 2, num_workers=2, seed=seed)]

    a = run(1)
    assert a == run(1)
    assert a != run(2)
    assert len({x for batch in a for x in batch[1]}) == 8
    assert [batch[2][0] for batch in a] == [0, 1, 0, 1]


def test_iterable_data_sets():
    assert [b.tolist() for b in DataLoader(Count(), 5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [15, 16]]
    assert [len(b) for b in DataLoader(Count(), 5, drop_last=True)] == [5, 5, 5]
    batches = [b.tolist() for b in DataLoader(Count(), 3, num_workers=2)]
    assert batches == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11], [12, 14, 16], [13, 15]]
    loader = DataLoader(Count(), 3, num_workers=2, persistent_workers=True)
    assert [b.tolist() for b in loader] == batches
    assert [b.tolist() for b in loader] == batches
    assert list(DataLoader(Count(), None)) == list(range(17))


def test_exceptions_of_workers_come_with_their_traceback():
    with pytest.raises(KeyError, match="nine is bad") as caught:
        lists(DataLoader(Squares(key_error), 4, num_workers=2))
    assert isinstance(caught.value.__cause__, WorkerError)
    assert "in key_error" in str(caught.value.__cause__)
    assert "DataLoader worker 0" in str(caught.value.__cause__)
    with pytest.raises(WorkerError, match="Unpicklable: 1 2"):
        lists(DataLoader(Squares(unpicklable), 4, num_workers=2))
    with pytest.raises(KeyError):
        lists(DataLoader(Squares(), 4, num_workers=2, worker_init_fn=lambda i: key_error(), multiprocessing_context="fork"))


def test_a_worker_that_dies_is_an_error_not_a_hang():
    started = time.monotonic()
    with pytest.raises(rbe.GraphError, match="exit code 3"):
        lists(DataLoader(Squares(leave), 4, num_workers=2))
    assert time.monotonic() - started < 30
    with pytest.raises(rbe.GraphError, match="timeout"):
        lists(DataLoader(Squares(lambda: time.sleep(60)), 4, num_workers=1, timeout=1, multiprocessing_context="fork"))


def test_an_abandoned_epoch_leaves_nothing_behind():
    loader = DataLoader(Squares(), 4, num_workers=2, persistent_workers=True)
    for _ in loader:
        break
    assert lists(loader) == lists(DataLoader(Squares(), 4))


def test_chained_and_stacked_data_sets():
    chain = Count() + Count()
    assert type(chain) is ChainDataset
    assert list(chain) == [*range(17), *range(17)]
    assert [b.tolist() for b in DataLoader(chain, 20, num_workers=1)] == [[*range(17), 0, 1, 2], [*range(3, 17)]]
    with pytest.raises(rbe.TensorError, match="ChainDataset"):
        list(ChainDataset([Count(), Squares()]))
    with pytest.raises(TypeError):
        len(chain)
    pairs = StackDataset([5, 6], TensorDataset(rbe.arange(2)))
    assert (len(pairs), pairs[1][0]) == (2, 6)
    named = StackDataset(x=[5, 6], y=["a", "b"])
    assert next(iter(DataLoader(named, 2)))["y"] == ["a", "b"]
    for make in (lambda: StackDataset(), lambda: StackDataset([1], [1, 2]), lambda: StackDataset([1], x=[1])):
        with pytest.raises(rbe.TensorError, match="StackDataset"):
            make()


def test_loaders_and_samplers_are_generic_copied_and_pickled():
    for kind in (DataLoader, Dataset, IterableDataset, Sampler, Subset):
        assert kind[int] is not None
    loader = DataLoader(
        TensorDataset(rbe.arange(9)), 2, shuffle=True, seed=3, in_order=True, pin_memory=True, pin_memory_device=""
    )
    copies = [pickle.loads(pickle.dumps(loader)), copy.deepcopy(loader)]
    expected = [b.tolist() for (b,) in loader]
    assert all([b.tolist() for (b,) in other] == expected for other in copies)
    assert len(iter(loader)) == len(loader) == 5
    for name in ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers"):
        with pytest.raises(rbe.TensorError, match=name):
            setattr(loader, name, None)

    class Two(Sampler):
        def __iter__(self):
            return iter([2, 0])

    assert [b.tolist() for b in DataLoader(range(3), sampler=Two())] == [[2], [0]]
    with pytest.raises(TypeError):
        len(DataLoader(range(3), sampler=Two()))
    assert list(DataLoader([], 2, shuffle=True)) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: BatchSampler([1], 2.0, False),
        lambda: BatchSampler([1], True, False),
        lambda: BatchSampler([1], 2, 1),
        lambda: RandomSampler(range(3), replacement=1),
        lambda: RandomSampler(range(3), num_samples=2.5),
        lambda: list(RandomSampler([], num_samples=2)),
        lambda: WeightedRandomSampler([1.0], 1.5),
        lambda: WeightedRandomSampler([1.0], 1, replacement=1),
        lambda: WeightedRandomSampler([[1.0]], 1),
        lambda: WeightedRandomSampler(["a"], 1),
        lambda: random_split(range(4), ["a"]),
        lambda: random_split(range(4), [float("nan"), 1]),
        lambda: random_split(range(4), [1.5, 2.5]),
        lambda: DataLoader(range(3), 2.5),
        lambda: DataLoader(range(3), num_workers=1.5),
        lambda: DataLoader(range(3), timeout=float("nan")),
        lambda: DataLoader(range(3), timeout="x"),
        lambda: DataLoader(range(3), num_workers=1, prefetch_factor=0),
        lambda: DataLoader(range(3), multiprocessing_context="fork"),
        lambda: DataLoader(range(3), num_workers=1, multiprocessing_context=5),
        lambda: DataLoader(range(3), pin_memory_device="cuda"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused(make):
    with pytest.raises(rbe.RBEError):
        make()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"batch_size": 0},
        {"num_workers": -1},
        {"shuffle": True, "sampler": [1]},
        {"batch_sampler": [[1]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
        {"seed": 1, "generator": Generator(1)},
    ],
)
def test_arguments_that_make_no_sense(kwargs):
    with pytest.raises(rbe.TensorError, match="DataLoader"):
        DataLoader(Squares(), **kwargs)
    with pytest.raises(rbe.TensorError):
        DataLoader(Count(), shuffle=True)


def test_csv_and_numpy(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2.5\n\n3,-4e2\n")
    x, names = rbe.data.read_csv(path)
    assert names == ["a", "b"]
    assert x.tolist() == [[1, 2.5], [3, -400]]
    path.write_text("1;2\n3;4")
    x, names = rbe.data.read_csv(path, delimiter=";")
    assert (x.shape, names) == ((2, 2), ["", ""])
    for text in ("", "a,b\n1\n", "a,b\n1,x\n"):
        path.write_text(text)
        with pytest.raises(rbe.FormatError, match="read_csv"):
            rbe.data.read_csv(path)
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.int32).reshape(2, 3))
    assert rbe.data.read_numpy(tmp_path / "a.npy").dtype is rbe.int32
    np.savez(tmp_path / "b.npz", x=np.zeros(2), y=np.ones(3, bool))
    assert {k: v.dtype for k, v in rbe.data.read_numpy(tmp_path / "b.npz").items()} == {"x": rbe.float64, "y": rbe.bool}
    np.save(tmp_path / "o.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "c.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-3])
    for name in ("o.npy", "c.npy", "none.npy"):
        with pytest.raises(rbe.FormatError, match="read_numpy"):
            rbe.data.read_numpy(tmp_path / name)


def test_torch_finds_it_in_its_place():
    from rbe.utils.data import DataLoader as Other

    assert Other is DataLoader
