"""Sequences of different lengths, and the loss of connectionist temporal classification, against torch."""

import numpy as np
import pytest
import rbe
from beside_torch import array, assert_same, backward, compare, load_torch, pair, torch
from inputs import Inputs
from rbe import nn

pytestmark = pytest.mark.torch

RNG = Inputs()
OURS, THEIRS = rbe.nn.utils.rnn, torch.nn.utils.rnn
LENGTHS = [[7, 5, 5, 2, 1], [3, 3, 3, 3, 3], [1, 1, 1, 1, 1]]


def same_packed(a, b):
    for x, y in zip(a, b, strict=True):
        assert (x is None) == (y is None)
        if y is not None:
            assert_same(x, y)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [*LENGTHS, [2, 7, 1, 7, 3]])
def test_packing_and_padding(lengths, batch_first):
    n, total = len(lengths), max(lengths)
    x, y = pair(RNG.array(*((n, total) if batch_first else (total, n)), 3))
    how = {"batch_first": batch_first, "enforce_sorted": lengths == sorted(lengths, reverse=True)}
    ours, theirs = OURS.pack_padded_sequence(x, lengths, **how), THEIRS.pack_padded_sequence(y, lengths, **how)
    same_packed(ours, theirs)
    for more in (None, total + 2):
        a, m = OURS.pad_packed_sequence(ours, batch_first, -1.5, more)
        b, k = THEIRS.pad_packed_sequence(theirs, batch_first, -1.5, more)
        assert_same(a, b)
        assert_same(m, k)
    backward(a, b)
    assert_same(x.grad, y.grad)


@pytest.mark.parametrize("side", ["right", "left"])
def test_lists_of_sequences(side):
    arrays = [RNG.array(n, 2) for n in (3, 1, 4)]
    ours, theirs = [rbe.tensor(a) for a in arrays], [torch.tensor(a) for a in arrays]
    for first in (True, False):
        assert_same(OURS.pad_sequence(ours, first, 2.0, side), THEIRS.pad_sequence(theirs, first, 2.0, side))
    a, b = OURS.pack_sequence(ours, enforce_sorted=False), THEIRS.pack_sequence(theirs, enforce_sorted=False)
    same_packed(a, b)
    for x, y in zip(OURS.unpack_sequence(a), arrays, strict=True):
        np.testing.assert_array_equal(array(x), y)


LAYERS = [
    ("RNN", {"num_layers": 2, "nonlinearity": "relu"}),
    ("GRU", {"bidirectional": True, "num_layers": 2}),
    ("LSTM", {"bidirectional": True, "num_layers": 2}),
    ("LSTM", {"proj_size": 2, "bidirectional": True}),
]


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("lengths", [*LENGTHS, [2, 7, 1, 7, 3]])
@pytest.mark.parametrize(("name", "options"), LAYERS)
def test_layers_run_over_sequences_of_different_lengths(name, options, lengths, given):
    theirs = getattr(torch.nn, name)(3, 4, dtype=torch.float64, **options)
    ours = getattr(nn, name)(3, 4, dtype=rbe.float64, **options)
    load_torch(ours, theirs)
    x, y = pair(RNG.array(max(lengths), 5, 3))
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    states = [pair(RNG.array(count, 5, size)) for size in (options.get("proj_size", 4), 4)]
    first = [None, None]
    if given:
        first = [tuple(s[i] for s in states) if name == "LSTM" else states[0][i] for i in (0, 1)]
    a, ends = ours(OURS.pack_padded_sequence(x, lengths, enforce_sorted=False), first[0])
    b, others = theirs(THEIRS.pack_padded_sequence(y, lengths, enforce_sorted=False), first[1])
    same_packed(a, b)
    listed = [list(e) if isinstance(e, tuple) else [e] for e in (ends, others)]
    for e, o in zip(*listed, strict=True):
        assert_same(e, o)
    up = [RNG.array(*t.shape) for t in (b.data, *listed[1])]
    for library, out, states_of in ((rbe, a, listed[0]), (torch, b, listed[1])):
        total = (out.data * library.tensor(up[0])).sum()
        for e, u in zip(states_of, up[1:], strict=True):
            total = total + (e * library.tensor(u)).sum()
        total.backward()
    assert_same(x.grad, y.grad, scale=10.0)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_same(p.grad, q.grad, scale=10.0, least=1.0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("blank", [0, 3])
def test_ctc_loss(reduction, blank):
    classes = [c for c in range(6) if c != blank]
    targets = np.array(classes)[RNG.integers(0, 5, (4, 5))]
    targets[1, :3] = targets[1, 0]  # repeated elements need a blank between them
    lengths, steps = [5, 3, 1, 0], [12, 6, 9, 4]

    def loss(library, given, kind):
        def of(logits):
            counts = [tuple(v) if kind is tuple else library.tensor(np.array(v)) for v in (steps, lengths)]
            logp = logits.log_softmax(-1)
            return library.nn.functional.ctc_loss(logp, library.tensor(given), *counts, blank=blank, reduction=reduction)

        return of

    joined = np.concatenate([row[:n] for row, n in zip(targets, lengths, strict=True)])
    for given, kind in ((targets, tuple), (targets, list), (joined, tuple), (joined, list)):
        compare(loss(rbe, given, kind), loss(torch, given, kind), RNG.array(12, 4, 6), scale=100.0)


def test_the_gradient_of_ctc_loss_takes_a_log_softmax_for_granted_as_torchs_does():
    logp = RNG.array(9, 2, 4)
    logp = logp - np.log(np.exp(logp).sum(-1, keepdims=True))
    targets = np.array([[1, 2, 2], [3, 1, 0]])
    compare(
        lambda x: nn.functional.ctc_loss(x, rbe.tensor(targets), (9, 7), (3, 2)),
        lambda x: torch.nn.functional.ctc_loss(x, torch.tensor(targets), (9, 7), (3, 2)),
        logp,
        scale=100.0,
    )


def test_targets_that_are_too_long_are_infinite_or_nothing():
    logits, targets = RNG.array(4, 2, 3), np.array([[1, 1, 1], [1, 2, 0]])
    for zero in (False, True):
        ours, theirs = pair(logits)
        y = nn.functional.ctc_loss(
            ours.log_softmax(-1), rbe.tensor(targets), (4, 4), (3, 2), reduction="none", zero_infinity=zero
        )
        z = torch.nn.functional.ctc_loss(
            theirs.log_softmax(-1), torch.tensor(targets), (4, 4), (3, 2), reduction="none", zero_infinity=zero
        )
        assert_same(y, z, scale=100.0)
        if zero:
            backward(y, z)
            assert_same(ours.grad, theirs.grad, scale=100.0)
