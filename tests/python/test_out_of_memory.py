"""Memory that is not there is an error: sizes that no machine has, and limits that leave a process with little."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import memory_limits
import pytest
import rbe
from memory_operations import OPERATIONS

# Tensors without memory of their own stand for large ones.
IMPOSSIBLE = [
    "rbe.zeros(10**9, 10**9)",
    "rbe.ones(2**62)",
    "rbe.zeros(2**70)",
    "rbe.full((2**40, 2**40), 1.0)",
    "rbe.empty(10**13)",
    "rbe.randn(10**13)",
    "rbe.rand(2**31, 2**31, 2**31)",
    "rbe.randint(0, 3, (10**13,))",
    "rbe.randperm(10**12)",
    "rbe.arange(10**12)",
    "rbe.arange(2**62)",
    "rbe.arange(2**32, 2**64)",
    "rbe.arange(0.0, 1e30)",
    "rbe.zeros_like(wide)",
    "wide + 1",
    "wide * wide.t()",
    "wide @ wide.t()",
    "wide.exp()",
    "wide > 0",
    "wide.clone()",
    "wide.contiguous()",
    "wide.double()",
    "wide.long()",
    "wide.sort(0)",
    "wide.topk(2, 0)",
    "wide.cumsum(0)",
    "wide.softmax(0)",
    "wide.flatten() + 0",
    "rbe.ones(3).repeat(2**40)",
    "rbe.cat([wide, wide])",
    "rbe.stack([wide, wide])",
    "rbe.where(wide > 0, wide, wide)",
    "wide[wide.flatten().long()]",
    "rbe.ones(1)[rbe.zeros(1).long().expand(10**13)]",
    "rbe.ones(4, 4).index_select(0, rbe.zeros(1).long().expand(10**13))",
    "rbe.ones(1, 1).expand(10**7, 10**7).tril()",
    "wide.masked_fill(wide > 0, 0.0)",
    "wide.dropout(0.5, True)",
    "F.pad(rbe.ones(3), (0, 2**60))",
    "F.one_hot(rbe.zeros(10).long(), 10**13)",
    "F.unfold(rbe.ones(1, 1, 4, 4), 3, padding=2**30)",
    "F.conv2d(rbe.ones(1, 1, 4, 4), rbe.ones(1, 1, 3, 3), padding=2**24)",
    "F.adaptive_avg_pool1d(rbe.ones(1, 2, 3), 2**62)",
    "nn.AdaptiveAvgPool2d(10**7)(rbe.ones(1, 1, 4, 4))",
    "F.linear(rbe.ones(1, 1).expand(10**7, 1), rbe.ones(1, 1).expand(10**7, 1))",
    "F.embedding(rbe.zeros(1).long().expand(10**10), rbe.ones(2, 1000))",
    "F.scaled_dot_product_attention(*[rbe.ones(1, 1).expand(10**12, 1)] * 3)",
    "F.layer_norm(rbe.ones(1, 4).expand(10**13, 4), (4,))",
    "F.cross_entropy(rbe.ones(1, 4).expand(10**13, 4), rbe.zeros(1).long().expand(10**13))",
    "nn.Linear(10**7, 10**7)",
    "nn.RBELinear(10**7, 10**7)",
    "nn.Embedding(10**7, 10**7)",
    "nn.RBEActivation(10**12)",
    "nn.LSTM(2**40, 3)",
    "nn.RBELSTM(2**40, 3)",
    "nn.BatchNorm1d(10**13)",
    "rbe.RBETensor.encode(wide)",
    "rbe.tensor([0.5]).expand(10**13).tolist()",
]

PROGRAM = """
import rbe
from rbe import nn
F = nn.functional
wide = rbe.ones(1, 1).expand(2**24, 2**24)
for text in {texts!r}:
    print(text, end="\\t", flush=True)
    state = rbe.get_rng_state()
    try:
        eval(text)
        print("a value")
    except MemoryError as error:
        kept = state == rbe.get_rng_state() or "Linear" in text or "LSTM" in text or "Embedding" in text
        print(("refused" if kept else "refused, with random numbers taken") + f": {{type(error).__name__}}: {{error}}")
    except BaseException as error:
        print(f"{{type(error).__name__}}: {{error}}")
    assert (rbe.ones(64, 64) @ rbe.ones(64, 64)).sum().item() == 64**3
"""


@pytest.fixture(scope="module")
def outcomes():
    """What became of every expression, in one process: the line of one that ended the process, and of those after it, is missing."""
    program = PROGRAM.format(texts=IMPOSSIBLE)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    lines = dict(line.split("\t", 1) for line in run.stdout.splitlines() if "\t" in line)
    return lines, run.stderr


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_size_that_no_memory_holds_is_refused(text, outcomes):
    lines, errors = outcomes
    assert lines.get(text, f"the process ended: {errors[-300:]}").startswith("refused:")


def test_the_error_says_what_was_wanted():
    with pytest.raises(rbe.OutOfMemoryError) as caught:
        rbe.ones(1, 1).expand(10**7, 1) @ rbe.ones(1, 1).expand(1, 10**7)
    error = caught.value
    assert error.op == "matmul"
    assert "float32 [10000000, 10000000]" in error.got
    assert "400000000000000 bytes" in error.got


def test_views_of_more_elements_than_there_are_positions():
    with pytest.raises(rbe.ShapeError, match="fewer than 2"):
        rbe.ones(1, 1).expand(2**40, 2**40)
    with pytest.raises(rbe.ShapeError, match="fewer than 2"):
        rbe.ones(3).repeat(2**62, 2**62)
    assert rbe.zeros(0, 2**40).expand(2**40, 0, 2**40).numel() == 0


def test_the_pool_counts_what_was_given_only():
    held = rbe.ones(1000)
    before = rbe.memory.pool_stats()
    for _ in range(3):
        with pytest.raises(MemoryError):
            rbe.zeros(10**13)
    after = rbe.memory.pool_stats()
    assert (after["in_use_bytes"], after["hits"], after["misses"]) == (before["in_use_bytes"], before["hits"], before["misses"])
    assert held.sum().item() == 1000


@pytest.fixture(scope="module")
def sweeps():
    """Every operation under rising limits of the address space, two processes at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(swept, name) for name in OPERATIONS}


STREAMED = {"sum of an axis", "save"}  # they work on their operands where these lie: little memory is enough


def swept(name):
    program = [sys.executable, memory_limits.__file__, name]
    # Otherwise malloc keeps what was freed, and address space for each thread, and low limits refuse nothing.
    kept = {"MALLOC_MMAP_THRESHOLD_": str(1 << 16), "MALLOC_TRIM_THRESHOLD_": str(1 << 16), "MALLOC_ARENA_MAX": "1"}
    return subprocess.run(program, capture_output=True, text=True, timeout=120, env=os.environ | kept)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space are Linux's")
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_limit_ends_in_an_error_or_a_result(name, sweeps):
    run = sweeps[name].result()
    assert run.returncode == 0, f"{run.returncode}: {run.stderr[-600:]}"
    attempts, refused = map(int, run.stdout.split())
    assert refused >= 2 or name in STREAMED, "no limit was too low"
    assert attempts == refused + 1
