"""Samplers, splits and generators."""

import numpy as np
import pytest
import rbe
from rbe.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    Generator,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)


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
