import collections
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
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    Generator,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    WorkerError,
    default_collate,
    default_convert,
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


def test_rows_of_tensors_are_taken_at_once():
    data = TensorDataset(rbe.arange(40).reshape(20, 2), rbe.arange(20))
    part = Subset(Subset(data, range(5, 20)), [14, 3, 0, 1])
    ((x, y),) = DataLoader(part, 10)
    assert y.tolist() == [19, 8, 5, 6]
    assert x.tolist() == [[38, 39], [16, 17], [10, 11], [12, 13]]
    both = ConcatDataset([data, part]) + data
    assert len(both) == 44
    assert both[23][1].item() == 6
    assert both[-1][1].item() == 19
    with pytest.raises(rbe.OutOfRangeError):
        both[44]
    with pytest.raises(rbe.ShapeError):
        TensorDataset(rbe.zeros(3), rbe.zeros(4))


def test_random_split():
    data = TensorDataset(rbe.arange(10))
    parts = random_split(data, [0.5, 0.3, 0.2], Generator(1))
    assert [len(p) for p in parts] == [5, 3, 2]
    assert sorted(i for p in parts for i in p.indices) == list(range(10))
    assert [p.indices for p in random_split(data, [5, 3, 2], Generator(1))] == [p.indices for p in parts]
    with pytest.raises(rbe.TensorError):
        random_split(data, [5, 4])


def test_samplers():
    data = TensorDataset(rbe.arange(10))
    assert list(SequentialSampler(data)) == list(range(10))
    assert sorted(RandomSampler(data)) == list(range(10))
    assert len(list(RandomSampler(data, num_samples=25))) == 25
    assert len(set(RandomSampler(data, True, 10, Generator(0)))) < 10
    assert sorted(SubsetRandomSampler([3, 5, 8])) == [3, 5, 8]
    drawn = np.bincount(list(WeightedRandomSampler([0, 1, 3], 4000, generator=Generator(0))), minlength=3)
    assert drawn[0] == 0
    assert 2.6 < drawn[2] / drawn[1] < 3.4
    assert list(BatchSampler([4, 5, 6], 2, False)) == [[4, 5], [6]]
    assert [[type(i) for i in b] for b in BatchSampler(SequentialSampler(data), 8, False)] == [[int] * 8, [int] * 2]
    loader = DataLoader(data, batch_sampler=BatchSampler(SequentialSampler(data), 4, True))
    assert [b.tolist() for (b,) in loader] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(loader) == 2
    with pytest.raises(rbe.TensorError):
        WeightedRandomSampler([0.0, -1.0], 2)


def test_a_generator_travels():
    g = Generator(7)
    g.permutation(5)
    state = g.get_state()
    a = g.permutation(100).tolist()
    other = Generator(0)
    other.set_state(state)
    assert other.permutation(100).tolist() == a
    assert other.initial_seed() == 7


def test_collate():
    batch = default_collate(
        [{"a": (1, "x"), "b": [rbe.zeros(2), np.float32(1)]}, {"a": (2, "y"), "b": [rbe.ones(2), np.float32(2)]}]
    )
    assert batch["a"][0].tolist() == [1, 2]
    assert batch["a"][1] == ("x", "y")
    assert batch["b"][0].tolist() == [[0, 0], [1, 1]]
    assert batch["b"][1].dtype is rbe.float32
    with pytest.raises(rbe.ShapeError):
        default_collate([(1, 2), (1,)])
    with pytest.raises(rbe.ShapeError):
        default_collate([np.zeros(2), np.zeros(3)])
    with pytest.raises(rbe.DTypeError):
        default_collate([object()])


Point = collections.namedtuple("Point", "x y")


class Named(collections.abc.Mapping):
    """A mapping that cannot be written to."""

    def __init__(self, held):
        self.held = held

    def __getitem__(self, key):
        return self.held[key]

    def __iter__(self):
        return iter(self.held)

    def __len__(self):
        return len(self.held)


def test_collate_keeps_containers_and_types_of_numbers():
    for value, dtype in (
        (1.5, rbe.float64),
        (2, rbe.int64),
        (True, rbe.bool),
        (np.float32(1), rbe.float32),
        (np.int32(1), rbe.int64),
    ):
        assert default_collate([value, value]).dtype is dtype
    assert type(default_collate([(1, 2), (3, 4)])) is list
    for sample in (collections.OrderedDict(a=1), collections.Counter("a"), collections.defaultdict(int, a=1), Named({"a": 1})):
        batch = default_collate([sample, sample])
        assert type(batch) is type(sample)
        assert batch["a"].tolist() == [1, 1]
    assert type(default_collate([collections.UserList([1]), collections.UserList([2])])) is collections.UserList
    assert default_collate([Point(1, (2,)), Point(3, (4,))]).y[0].tolist() == [2, 4]
    assert [t.tolist() for t in default_collate([range(2), range(2)])] == [[0, 0], [1, 1]]
    names = np.array(["a.png", "b.png"])
    assert default_collate([names[0], names[1]]) == ["a.png", "b.png"]
    assert default_collate([np.bytes_(b"a"), np.bytes_(b"b")]) == [b"a", b"b"]
    for samples in (
        [], [1, "a"], [1, None], [None], [rbe.ones(1), 1], [np.ones(1), 1], [{1}], [1j], [{"a": 1}, {"b": 1}], [{"a": 1}, 2],
        [[1], 2], [[1], [1, 2]], [np.array(["a"])], [np.array([None])], [np.datetime64("2020")], [lambda: 1],
    ):  # fmt: skip
        with pytest.raises((rbe.DTypeError, rbe.ShapeError), match="collate"):
            default_collate(samples)
    with pytest.raises(rbe.TensorError, match="int64"):
        default_collate([1 << 70])


def test_single_samples_are_converted_not_joined():
    sample = {"x": np.ones(2), "n": 3, "s": "a", "t": (np.int64(4), [np.array(["a"])])}
    got = next(iter(DataLoader([sample], None)))
    assert got["x"].tolist() == [1, 1]
    assert (got["n"], got["s"]) == (3, "a")
    assert type(got["t"]) is list
    assert got["t"][0].item() == 4
    assert type(got["t"][1][0]) is np.ndarray
    assert default_convert(Point(np.zeros(1), 2)).x.tolist() == [0]


class ByName(Dataset):
    def __init__(self, held):
        self.held = held

    def __getitem__(self, key):
        return self.held[key]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "held",
    [{"x": 1, "y": 2, "z": 3}, {(0, 1): 1, (2, 3): 2, None: 3}, {1.25: 1, 1.5: 2, 1.75: 3}, {rbe.float32: 1, b"": 2, "z": 3}],
)
def test_keys_of_samples_may_be_anything(held, workers):
    data, keys, kwargs = ByName(held), list(held), {"num_workers": workers}
    assert [b.tolist() for b in DataLoader(data, 2, sampler=keys, **kwargs)] == [[1, 2], [3]]
    assert list(DataLoader(data, None, sampler=keys, **kwargs)) == [1, 2, 3]
    assert [b.tolist() for b in DataLoader(data, batch_sampler=[keys[1:], keys[:1]], **kwargs)] == [[2, 3], [1]]
    assert sorted(b.item() for b in DataLoader(data, sampler=SubsetRandomSampler(keys), **kwargs)) == [1, 2, 3]
    assert [b.tolist() for b in DataLoader(Subset(data, keys), 3, **kwargs)] == [[1, 2, 3]]
    assert [b.tolist() for b in DataLoader(Subset(Subset(data, keys), [2, 0]), 3, **kwargs)] == [[3, 1]]


def test_rows_of_tensors_by_keys_of_other_kinds():
    data = TensorDataset(rbe.arange(10) * 10)
    assert [b.tolist() for (b,) in DataLoader(data, batch_sampler=[[slice(2, 4), [5, 6]]])] == [[[20, 30], [50, 60]]]
    assert [b.tolist() for (b,) in DataLoader(data, 2, sampler=[rbe.tensor(3), np.int64(4)])] == [[30, 40]]
    with pytest.raises(rbe.RBEError):
        list(DataLoader(data, sampler=[1.5]))
    with pytest.raises(IndexError):
        list(DataLoader(data, sampler=[10]))


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


def test_samples_of_many_keys_at_once():
    class Many(Dataset):
        def __len__(self):
            return 6

        def __getitems__(self, keys):
            return [(key, len(keys)) for key in keys]

    for data in (Many(), Subset(Many(), [3, 4, 5])):
        assert {n for _, b in DataLoader(data, 3) for n in b.tolist()} == {3}
    _, (keys, counts) = next(iter(DataLoader(StackDataset(range(6), Subset(Many(), range(6))), 3)))
    assert (keys.tolist(), counts.tolist()) == ([0, 1, 2], [3, 3, 3])


def test_the_share_of_one_of_several_processes():
    for n in (0, 1, 5, 8):
        for drop in (False, True):
            shares = [DistributedSampler(range(n), 3, rank, drop_last=drop, seed=4) for rank in range(3)]
            assert [len(s) for s in shares] == [len(list(s)) for s in shares] == [n // 3 if drop else -(-n // 3)] * 3
            together = [i for s in shares for i in s]
            assert set(together) == set(range(n)) if not drop else len(set(together)) == n // 3 * 3
    assert list(DistributedSampler(range(7), 2, 1, shuffle=False)) == [1, 3, 5, 0]
    sampler = DistributedSampler(range(50), 1, 0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    for args in ((None, None), (2, None), (2, 2), (0, 0), (2, -1), (1.5, 0)):
        with pytest.raises(rbe.TensorError, match="DistributedSampler"):
            DistributedSampler(range(3), *args)
    from rbe.utils.data.distributed import DistributedSampler as Other

    assert Other is DistributedSampler


def test_generators_take_nothing_from_the_stream_of_tensors():
    rbe.manual_seed(1)
    expected = rbe.rand(3).tolist()
    rbe.manual_seed(1)
    a, b = Generator(), Generator(device="cpu")
    list(RandomSampler(range(9), generator=a))
    random_split(range(9), [4, 5], a)
    assert rbe.rand(3).tolist() == expected
    assert a.initial_seed() == b.initial_seed()
    assert str(Generator("cpu").device) == "cpu"
    with pytest.raises(rbe.DeviceError):
        Generator(device="cuda")
    assert Generator(-1).initial_seed() == 2**64 - 1
    seeds = {a.seed() for _ in range(3)}
    assert len(seeds) == 3
    assert a.initial_seed() in seeds
    state = b.get_state()
    for wrong in (None, 5, {}, {"seed": 1}, {"seed": "x", "numbers": {}}, {"seed": 1, "numbers": {"bit_generator": "PCG64"}}):
        with pytest.raises(rbe.TensorError, match="set_state"):
            b.set_state(wrong)
        assert b.get_state() == state
    for wrong in (1.5, "1", 1 << 64, -(1 << 63) - 1, None):
        with pytest.raises(rbe.TensorError, match="Generator"):
            b.manual_seed(wrong)


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
    assert rbe.data.read_numpy(tmp_path / "a.npy").dtype is rbe.int64
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
