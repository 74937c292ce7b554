"""Which states can be saved, and what they are after loading."""

import random
from collections import OrderedDict, UserDict, namedtuple

import numpy as np
import pytest
import rbe


def test_equal_states_give_equal_bytes(tmp_path):
    model = rbe.nn.Sequential(rbe.RBELinear(70, 8), rbe.nn.Linear(8, 2))
    optimizer = rbe.optim.HybridOptimizer(model.parameters())
    optimizer.step_with_autodiff(model(rbe.randn(4, 70)).square().mean())
    files = set()
    for _ in range(5):
        rbe.save(tmp_path / "x", {"model": model.state_dict(), "optimizer": optimizer.state_dict()}, {"a": "1", "b": "2"})
        files.add((tmp_path / "x").read_bytes())
        state = {"optimizer": optimizer.state_dict(), "model": dict(reversed(model.state_dict().items()))}
        rbe.save(tmp_path / "y", state, {"b": "2", "a": "1"})
        files.add((tmp_path / "y").read_bytes())
    assert len(files) == 1
    # Nor does it matter how the numbers lie in memory.
    a = rbe.randn(30, 20)
    rbe.save(tmp_path / "x", {"a": a, "b": rbe.ones(1, 1).expand(3, 4)})
    rbe.save(tmp_path / "y", {"b": rbe.ones(3, 4), "a": a.T.contiguous().T})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    # What was loaded is written as it was.
    rbe.save(tmp_path / "y", rbe.load(tmp_path / "x"))
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


class Text(str):
    pass


Pair = namedtuple("Pair", "a b")


def anything(rng, depth):
    """A random state, and what should come back."""
    kind = rng.randrange(14 if depth else 10)
    if kind < 10:
        value = [
            None,
            rng.random() < 0.5,
            rng.randint(-(2**63), 2**63),
            rng.randint(-(10**40), 10**40),
            rng.choice([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 5e-324, 1e22, 1e16, 0.1, -1.5, rng.gauss(0, 1)]),
            "".join(
                chr(rng.choice([0, 9, 10, 31, 34, 47, 92, 127, 233, 0x2028, 0xFFFF, 0x1F600])) for _ in range(rng.randrange(5))
            ),
            rng.randbytes(rng.randrange(5)),
            rbe.tensor(
                [rng.gauss(0, 1) for _ in range(rng.randrange(4))], dtype=rng.choice(["float32", "float64", "int64", "bool"])
            ),
            rbe.RBELinear(rng.randrange(1, 130), rng.randrange(1, 20)).weight.detach(),
            rbe.randn(2, 3, requires_grad=True).T,
        ][kind]
        return value
    if kind < 12:
        keys = [
            rng.choice([rng.randint(-5, 5), "".join(rng.choice('a0_"é\0\n') for _ in range(3))])
            for _ in range(rng.randrange(5))
        ]
        return {key: anything(rng, depth - 1) for key in keys}
    return (list, tuple)[kind - 12](anything(rng, depth - 1) for _ in range(rng.randrange(4)))


def identical(a, b):
    if isinstance(a, rbe.RBETensor):
        if not (isinstance(b, rbe.RBETensor) and (a.is_packed, a.dtype, a.shape) == (b.is_packed, b.dtype, b.shape)):
            return False
        parts = (lambda t: (t.hi, t.lo)) if a.is_packed else (lambda t: (t.detach().numpy(),))
        return all(np.array_equal(x, y) for x, y in zip(parts(a), parts(b), strict=True)) and (
            not a.is_packed or a.scale == b.scale
        )
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and {type(k) for k in a} == {type(k) for k in b} and all(identical(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(identical, a, b))
    return repr(a) == repr(b)  # tells NaN, -0.0 and bools


@pytest.mark.parametrize("seed", range(40))
def test_any_nested_state_comes_back(tmp_path, seed):
    rng = random.Random(seed)
    state = {"a": anything(rng, 4), 3: anything(rng, 2), "": [anything(rng, 3)]}
    rbe.save(tmp_path / "x", state)
    assert identical(rbe.load(tmp_path / "x"), state)


def test_what_resembles_plain_state_comes_back_plain(tmp_path):
    state = {
        "numbers": [np.float32(0.5), np.float64(0.5), np.int8(-3), np.uint64(2**64 - 1), np.bool_(True), np.float16(2)],
        "text": Text("x"),
        "pair": Pair(1, OrderedDict(b=rbe.ones(1))),
        "mapping": UserDict(c=1),
    }
    rbe.save(tmp_path / "x", state)
    found = rbe.load(tmp_path / "x")
    assert found == {
        "numbers": [0.5, 0.5, -3, 2**64 - 1, True, 2.0],
        "text": "x",
        "pair": (1, {"b": rbe.ones(1)}),
        "mapping": {"c": 1},
    }
    assert [type(n) for n in found["numbers"]] == [float, float, int, int, bool, float]
    rbe.save(tmp_path / "x", {})
    assert rbe.load(tmp_path / "x") == {}


def deep(levels):
    state = {"a": rbe.zeros(1)}
    for _ in range(levels):
        state = {"a": state} if levels % 2 else {"a": [state]}
    return state


def itself():
    state = {"a": rbe.zeros(1)}
    state["b"] = [state]
    return state


def test_deep_states_come_back_as_far_as_they_are_written(tmp_path):
    rbe.save(tmp_path / "x", deep(255))
    state = rbe.load(tmp_path / "x")
    for _ in range(255):
        state = state["a"]
    assert state["a"].item() == 0


W = rbe.RBELinear(3, 3).weight


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (5, rbe.DTypeError),
        ([rbe.zeros(1)], rbe.DTypeError),
        (rbe.zeros(1), rbe.DTypeError),
        (None, rbe.DTypeError),
        ({"a": object()}, rbe.DTypeError),
        ({"a": {1, 2}}, rbe.DTypeError),
        ({"a": np.zeros(2)}, rbe.DTypeError),
        ({"a": 1j}, rbe.DTypeError),
        ({"a": np.complex64(1)}, rbe.DTypeError),
        ({"a": {1.5: rbe.zeros(1)}}, rbe.DTypeError),
        ({"a": {True: rbe.zeros(1)}}, rbe.DTypeError),
        ({"a": {None: 1}}, rbe.DTypeError),
        ({"a": {2**64: 1}}, rbe.DTypeError),
        ({"a": 10**5000}, rbe.DTypeError),
        ({"a": "\ud800"}, rbe.DTypeError),
        ({"\ud800": rbe.zeros(1)}, rbe.DTypeError),
        ({"a": {"\udc00": 1}}, rbe.DTypeError),
        (itself(), rbe.FormatError),
        (deep(300), rbe.FormatError),
        (deep(100_000), rbe.FormatError),
        ({"a": {"b": rbe.zeros(1)}, "a.b": rbe.zeros(1)}, rbe.FormatError),
        ({"a": {"1": rbe.zeros(1), 1: rbe.zeros(1)}}, rbe.FormatError),
        ({"w": W, "w.hi": rbe.zeros(1)}, rbe.FormatError),
        ({"__metadata__": rbe.zeros(1)}, rbe.FormatError),
        ({"a" * 100_000: rbe.zeros(1)}, rbe.FormatError),
        ({"a": rbe.zeros(*[1] * 65)}, rbe.FormatError),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_states_that_cannot_be_kept_are_typed_errors(tmp_path, state, error):
    with pytest.raises(error, match="save"):
        rbe.save(tmp_path / "x", state)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (5, rbe.DTypeError),
        ({"n": 1}, rbe.DTypeError),
        ({1: "n"}, rbe.DTypeError),
        ({"n": "\ud800"}, rbe.DTypeError),
        ({"\ud800": "n"}, rbe.DTypeError),
        ({"rbe.tree": "mine"}, rbe.FormatError),
        ({"rbe.crc32": "00000000"}, rbe.FormatError),
        ({"rbe.format": "1"}, rbe.FormatError),
        ({"rbe.more": ""}, rbe.FormatError),
        ({"w.shape": "[3, 3]"}, rbe.FormatError),
        ({"w.scale": "0x1p+0"}, rbe.FormatError),
        ({"d.scale": "0x1p+0"}, rbe.FormatError),
        ({"d.shape": "[3, 3]", "d.scale": "0x1p+0"}, rbe.FormatError),
    ],
    ids=str,
)
def test_metadata_that_cannot_be_kept_is_a_typed_error(tmp_path, metadata, error):
    with pytest.raises(error, match=r"metadata|shape|scale"):
        rbe.save(tmp_path / "x", {"w": W, "d.hi": rbe.zeros(1), "d.lo": rbe.zeros(1)}, metadata)
    assert list(tmp_path.iterdir()) == []


def test_names_of_parts_without_texts_are_dense_tensors(tmp_path):
    state = {"a.hi": rbe.ones(2), "a.lo": rbe.zeros(1), "a": rbe.ones(1), "b.hi": W.detach(), "b": W.detach()}
    rbe.save(tmp_path / "x", state, {"c.shape": "mine", "c.scale": "mine", "\0": "\0"})
    found, metadata = rbe.io.load_with_metadata(tmp_path / "x")
    assert identical(found, state)
    assert metadata == {"c.shape": "mine", "c.scale": "mine", "\0": "\0"}


def test_both_arguments_mappings_or_paths_is_a_typed_error(tmp_path):
    with pytest.raises(rbe.DTypeError, match="path"):
        rbe.save({"a": rbe.zeros(1)}, {"a": rbe.zeros(1)})
    with pytest.raises(rbe.DTypeError, match="mapping"):
        rbe.save(tmp_path / "x", tmp_path / "y")
