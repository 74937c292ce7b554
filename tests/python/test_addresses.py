"""Memory that the extension borrows and lends, when AddressSanitizer watches every access: `make test-memory` builds it so."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rbe
from instruction_sets import SETS, using

pytestmark = pytest.mark.asan

SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 129, 1030]
DTYPES = ["float32", "float64", "int64", "bool"]

OVERREAD = """
import numpy as np, rbe
a = np.ones({length}, "{dtype}")
t = rbe._rbe._from_memory(a, a.ctypes.data, rbe.{dtype}, [{length} + {beyond}], [1])
print({access})
"""


@pytest.fixture(params=SETS)
def isa(request):
    with using(request.param):
        yield request.param


def outcome(beyond, isa, dtype, access):
    code = OVERREAD.format(length=1030, dtype=dtype, beyond=beyond, access=access)
    env = {**os.environ, "RBE_ISA": isa}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=200, check=False)


ACCESSES = ["t.sum()", "t.clone()", "(t + t)", "t.tolist()", "t[-1].item()", "t.fill_(1)"]


@pytest.mark.parametrize(
    ("isa", "dtype", "access"),
    [
        *((isa, "float32", access) for isa in SETS for access in ACCESSES[:3]),
        *((SETS[-1], "int64", access) for access in ACCESSES[3:]),
    ],
)
def test_an_access_beyond_borrowed_memory_is_seen(isa, dtype, access):
    """Else the other tests of this file say nothing."""
    result = outcome(1, isa, dtype, access)
    assert result.returncode != 0
    assert "heap-buffer-overflow" in result.stderr


def test_accesses_within_borrowed_memory_are_fine():
    assert outcome(0, SETS[-1], "float32", ", ".join(ACCESSES)).returncode == 0


def test_this_is_the_extension_that_is_watched():
    assert b"__asan_report_load4" in Path(rbe._rbe.__file__).read_bytes()


def borrowed(n, dtype):
    """Yield arrays that end, or begin, with memory of their own."""
    a = (np.arange(n) % 5).astype(dtype)
    yield a
    yield a[::-1]
    yield np.resize(a, (2 * n, 3)).astype(dtype)[::2, 1]
    yield np.broadcast_to(a, (3, n))
    yield np.resize(a, (n, 3)).astype(dtype).T
    yield np.resize(a, (n, 2, 3)).astype(dtype).transpose(2, 0, 1)


def agree(found, wanted):
    np.testing.assert_allclose(np.asarray(found.numpy(), np.float64), np.asarray(wanted, np.float64), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("take", [rbe.from_numpy, rbe.from_dlpack, rbe.tensor])
def test_arrays_are_read_and_copied_as_they_lie(isa, take, dtype):
    for n in SIZES:
        for a in borrowed(n, dtype):
            if take is rbe.from_dlpack and not a.flags.writeable:
                continue  # NumPy lends none that is read-only
            t = take(a)
            agree(t, a)
            agree(t.clone(), a)
            assert t.tolist() == a.tolist()
            agree(t.sum(-1), a.sum(-1))
            agree(t.float() * 2, a.astype(np.float32) * 2)
            agree(t.double().mean(), a.astype(np.float64).mean())
            agree(t.reshape(-1), a.reshape(-1))
            agree(rbe.cat([t, t], 0), np.concatenate([a, a], 0))
            agree(rbe.where(t == t, t, t), a)
            agree(t[..., -1], a[..., -1])
            agree(t[rbe.tensor([-1, 0])], a[[-1, 0]])
            agree(t[t > 2], a[a > 2])
            agree(t.flip(0), a[::-1])
            np.testing.assert_array_equal(np.from_dlpack(t), a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_writes_stay_within_what_was_borrowed(isa, dtype):
    for n in SIZES:
        for a in borrowed(n, dtype):
            if not a.flags.writeable:
                continue
            t = rbe.from_numpy(a)
            wanted = a.copy()
            t[..., -1], wanted[..., -1] = 1, 1
            t[0], wanted[0] = 0, 0
            t[rbe.tensor([-1])], wanted[[-1]] = 1, 1
            t[t > 2], wanted[wanted > 2] = 1, 1
            np.testing.assert_array_equal(a, wanted)
            t.copy_(rbe.from_numpy(wanted[::-1].copy()))
            np.testing.assert_array_equal(a, wanted[::-1])
            t.fill_(1)
            assert (a == 1).all()


def test_products_of_borrowed_matrices(isa):
    for m, n, k in [(1, 1, 1), (3, 5, 7), (17, 33, 65), (130, 65, 70), (64, 1, 100), (2, 300, 257)]:
        a, b = (
            np.sin(np.arange(m * k, dtype=np.float32)).reshape(m, k),
            np.cos(np.arange(k * n, dtype=np.float32)).reshape(k, n),
        )
        for x in (a, np.ascontiguousarray(a.T).T):
            for y in (b, np.ascontiguousarray(b.T).T):
                found = rbe.from_numpy(x) @ rbe.from_numpy(y)
                np.testing.assert_allclose(found.numpy(), a.astype(np.float64) @ b, rtol=1e-4, atol=1e-4)


def test_parts_of_packed_tensors_are_read_and_lent():
    for rows, cols in [(1, 1), (3, 64), (17, 65), (5, 130)]:
        w = rbe.RBELinear(cols, rows).weight
        again = rbe.RBETensor.packed(np.array(w.hi), np.array(w.lo), tuple(w.shape))
        np.testing.assert_array_equal(again.hi, w.hi)
        np.testing.assert_array_equal(again.lo, w.lo)
