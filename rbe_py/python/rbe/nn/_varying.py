"""One direction of a recurrent layer over sequences of different lengths, as a `PackedSequence` holds them."""

from collections.abc import Callable, Sequence
from itertools import groupby

from .. import _rbe
from .._tensor import RBETensor

Ends = tuple[RBETensor, RBETensor, RBETensor | None]
"""States, last state, and last cells of an LSTM."""


def over_spans(
    run: Callable[[RBETensor, RBETensor, RBETensor | None], Ends],
    data: RBETensor,
    sizes: Sequence[int],
    first: tuple[RBETensor, RBETensor | None],
    back: bool,
) -> Ends:
    """Run a direction over spans of time steps with one number of sequences each.

    Parameters
    ----------
    run : callable
        Takes time steps (T, n, width), and state and cells (n, size) before the first of them or, backwards, after the last.
    data : tensor (sum of sizes, width)
    sizes : sequence of int
        Sequences of each time step, which never increase.
    first : tensors (N, size)
        State and cells before the first time step of every sequence, or after its last.
    back : bool
        Whether it runs from the end to the beginning.

    Returns
    -------
    states (sum of sizes, size), last state (N, size) and cells of every sequence
    """
    spans, at = [], 0
    for n, group in groupby(sizes):
        steps = len(list(group))
        spans.append((n, steps, at))
        at += n * steps
    order = spans[::-1] if back else spans
    rows = order[0][0]
    now = [None if t is None else t.narrow(0, 0, rows) for t in first]
    finished: list[list[RBETensor]] = [[], []]
    outputs: list[RBETensor] = []
    for n, steps, start in order:
        for i, (t, given) in enumerate(zip(now, first, strict=True)):
            if t is None or given is None:
                continue
            if n > rows:  # sequences whose last time steps these are
                now[i] = _rbe.concat([t, given.narrow(0, rows, n - rows)], 0)
            elif n < rows:
                finished[i].insert(0, t.narrow(0, n, rows - n))
                now[i] = t.narrow(0, 0, n)
        rows = n
        state = now[0]
        assert state is not None
        y, end, cells = run(data.narrow(0, start, n * steps).reshape(steps, n, data.shape[1]), state, now[1])
        now = [end, cells]
        outputs.append(y.reshape(n * steps, y.shape[-1]))
    whole = [None if t is None else _rbe.concat([t, *parts], 0) for t, parts in zip(now, finished, strict=True)]
    state = whole[0]
    assert state is not None
    return _rbe.concat(outputs[::-1] if back else outputs, 0), state, whole[1]
