"""Loaders, samplers and collate functions beside torch's: the same containers, element types and values."""

import collections

import numpy as np
import pytest
import rbe

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

Point = collections.namedtuple("Point", "x y")


class Both:
    """A library under the names of this file."""

    def __init__(self, library, data):
        self.m, self.D = library, data


BOTH = {"rbe": Both(rbe, rbe.data), "torch": Both(torch, torch.utils.data)}


def plain(value):
    """Containers by name, tensors by element type, shape and values."""
    if isinstance(value, rbe.RBETensor | torch.Tensor):
        return str(value.dtype).split(".")[-1], tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return "array", value.tolist()
    return type(value).__name__, value


SAMPLES = [
    lambda m: [1, 2],
    lambda m: [1.5, 2.0],
    lambda m: [1, 2.5],
    lambda m: [1.5, 2],
    lambda m: [True, False],
    lambda m: ["a", "b"],
    lambda m: [b"a", b"b"],
    lambda m: [np.float32(1), np.float32(2)],
    lambda m: [np.float64(1), np.float64(2)],
    lambda m: [np.int64(1), np.int64(2)],
    lambda m: [np.bool_(True), np.bool_(False)],
    lambda m: [np.array([1.0, 2.0]), np.array([3.0, 4.0])],
    lambda m: [m.ones(2), m.zeros(2)],
    lambda m: [m.tensor(1), m.tensor(2)],
    lambda m: [(1, 2.0), (3, 4.0)],
    lambda m: [[1, 2.0], [3, 4.0]],
    lambda m: [Point(1, 2.0), Point(3, 4.0)],
    lambda m: [{"a": 1, "b": [2, "x"]}, {"a": 3, "b": [4, "y"]}],
    lambda m: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    lambda m: [(1, "a", {"k": m.ones(1)}, Point(1, [2]))] * 2,
    lambda m: [[], []],
    lambda m: [((),), ((),)],
    lambda m: [{"a": 1}, {"a": 2, "b": 3}],
    lambda m: [range(2), range(2)],
]


@pytest.mark.parametrize("samples", SAMPLES)
def test_collate(samples):
    got = {name: plain(both.D.default_collate(samples(both.m))) for name, both in BOTH.items()}
    assert got["rbe"] == got["torch"]


@pytest.mark.parametrize(
    "data",
    [
        np.zeros(2), np.int64(3), np.array(["a"]), np.str_("a"), "a", 5, None, (1, np.ones(1)), [np.bool_(True), "b"],
        {"a": (np.zeros(1),)}, Point(np.zeros(1), "x"), collections.OrderedDict(a=np.zeros(1)), {1, 2},
    ],
)  # fmt: skip
def test_convert(data):
    assert plain(rbe.data.default_convert(data)) == plain(torch.utils.data.default_convert(data))


LINES = [
    lambda m, D: list(D.BatchSampler(D.SequentialSampler(range(5)), 2, True)),
    lambda m, D: list(D.BatchSampler(D.SequentialSampler(range(5)), 2, False)),
    lambda m, D: list(D.BatchSampler(["a", "b", "c"], 2, False)),
    lambda m, D: sorted(D.SubsetRandomSampler(m.tensor([4, 9]))),
    lambda m, D: sorted(D.SubsetRandomSampler(["b", "a"])),
    lambda m, D: list(D.DataLoader(D.TensorDataset(m.arange(5), m.ones(5)), 2)),
    lambda m, D: list(D.DataLoader(D.TensorDataset(m.arange(5)), 2, num_workers=1)),
    lambda m, D: list(D.DataLoader(D.StackDataset(a=range(4), b=["a", "b", "c", "d"]), 3)),
    lambda m, D: D.StackDataset(range(4), range(4))[2],
    lambda m, D: list(D.DataLoader({0: 1, 1: 2}, 2)),
    lambda m, D: list(D.DataLoader({"a": 1, "b": 2}, 2, sampler=["b", "a"])),
    lambda m, D: list(D.DataLoader([np.zeros(1), {"a": np.int64(1)}], None)),
    lambda m, D: [list(D.DistributedSampler(range(n), k, r, False, drop_last=d)) for n in (1, 7, 9) for k in (1, 2, 4) for r in range(k) for d in (False, True)],
    lambda m, D: [len(part) for part in D.random_split(range(7), [0.5, 0.5])],
    lambda m, D: D.Subset({"a": 5}, ["a"])[0],
    lambda m, D: m.Generator().initial_seed() == m.Generator().initial_seed(),
    lambda m, D: (D.DataLoader(range(3)).prefetch_factor, D.DataLoader(range(3), num_workers=1).prefetch_factor),
    lambda m, D: len(iter(D.DataLoader(range(3), 2))),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_same_results(line):
    got = {name: plain(line(both.m, both.D)) for name, both in BOTH.items()}
    assert got["rbe"] == got["torch"]


REFUSED = [
    lambda m, D: D.BatchSampler([1], 2.0, False),
    lambda m, D: D.BatchSampler([1], True, False),
    lambda m, D: D.BatchSampler([1], 2, 1),
    lambda m, D: D.RandomSampler(range(3), replacement=1),
    lambda m, D: D.WeightedRandomSampler([1.0], 1.5),
    lambda m, D: D.DataLoader(range(3), 2.5),
    lambda m, D: D.DataLoader(range(3), multiprocessing_context="fork"),
    lambda m, D: D.DataLoader(range(3), num_workers=1, multiprocessing_context="nothing"),
    lambda m, D: setattr(D.DataLoader(range(3)), "batch_size", 5),
    lambda m, D: D.default_collate([None]),
    lambda m, D: D.default_collate([np.array(["a"])]),
    lambda m, D: D.default_collate([{"a": 1}, {"b": 1}]),
    lambda m, D: D.default_collate([(1, 2), (3,)]),
    lambda m, D: D.DistributedSampler(range(3), 2, 2),
    lambda m, D: D.StackDataset(range(3), range(4)),
]


@pytest.mark.parametrize("line", REFUSED)
def test_same_refusals(line):
    for both in BOTH.values():
        with pytest.raises(Exception):  # noqa: B017
            line(both.m, both.D)
    with pytest.raises(rbe.RBEError):
        line(rbe, rbe.data)


def test_what_iterating_takes_from_the_global_stream():
    for both in BOTH.values():
        both.m.manual_seed(3)
        before = both.m.rand(3).tolist()
        for kwargs, same in (({}, False), ({"generator": both.m.Generator(), "shuffle": True}, True)):
            both.m.manual_seed(3)
            list(both.D.DataLoader(range(3), **kwargs))
            assert (both.m.rand(3).tolist() == before) is same
