"""Strategies that more than one file of properties draws from."""

import numpy as np
from hypothesis import strategies as st

SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=4).map(tuple)
FULL_SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def _slice(n):
    bound = st.none() | st.integers(-n - 2, n + 2)
    return st.builds(slice, bound, bound, st.none() | st.integers(1, 3))


@st.composite
def _positions(draw, n, shape):
    flat = draw(st.lists(st.integers(-n, n - 1), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(flat, dtype=np.int64).reshape(shape)


@st.composite
def indices(draw, shape, negative_steps=False):
    """An index of a tensor of `shape`, as a tuple: integers, slices, None, an ellipsis, index arrays and masks."""
    items, axis = [], 0
    rows = draw(st.integers(0, 3))  # what the index arrays broadcast to: (), (rows) or (2, rows)
    forms = [(), (1,), (rows,), (2, rows), (2, 1)]
    ellipsis = draw(st.booleans())
    while axis < len(shape):
        n = shape[axis]
        kinds = ["slice", "all", "new axis", "mask", "end"] + (["integer", "integer", "array", "array"] if n else [])
        kind = draw(st.sampled_from(kinds + (["ellipsis"] if ellipsis else [])))
        if kind == "end":
            break
        if kind == "new axis":
            items.append(None)
            continue
        if kind == "ellipsis":
            items.append(...)
            ellipsis = False
            axis += draw(st.integers(0, len(shape) - axis))
            continue
        if kind == "integer":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            part = draw(_slice(n))
            if negative_steps and part.step and draw(st.booleans()):
                part = slice(part.start, part.stop, -part.step)
            items.append(part)
        elif kind == "all":
            items.append(slice(None))
        elif kind == "array":
            items.append(draw(_positions(n, draw(st.sampled_from(forms[1:])))))
        else:
            axes = draw(st.integers(1, len(shape) - axis))
            size = shape[axis : axis + axes]
            mask = np.array(draw(st.lists(st.booleans(), min_size=int(np.prod(size)), max_size=int(np.prod(size)))), dtype=bool)
            items.append(mask.reshape(size))
            axis += axes - 1
        axis += 1
    return tuple(items)


@st.composite
def broadcastable(draw, shape):
    """A shape that broadcasts to `shape`."""
    axes = draw(st.integers(0, len(shape)))
    return tuple(draw(st.sampled_from([1, n])) for n in shape[len(shape) - axes :])


def without_arrays(index):
    """The index with whole axes in the place of arrays and masks."""
    parts = ([slice(None)] * (i.ndim if i.dtype == bool else 1) if isinstance(i, np.ndarray) else [i] for i in index)
    return tuple(item for part in parts for item in part)
