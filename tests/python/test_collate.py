"""Batches of samples: containers, element types, keys, and samples that are converted alone."""

import collections

import numpy as np
import pytest
import rbe
from rbe.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    default_collate,
    default_convert,
)


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
        (np.int32(1), rbe.int32),
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
