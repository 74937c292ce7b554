"""One operation under one limit of the address space after another; `test_out_of_memory` runs this file as a program.

    python memory_limits.py NAME

Each attempt must give the result, or a MemoryError that leaves everything as it was. Prints `attempts refused`.
"""

import ctypes
import gc
import hashlib
import resource
import sys

import numpy as np
import rbe
from memory_operations import OPERATIONS
from rbe import nn

MIB = 1 << 20


# Beyond what the process uses: close together where small allocations fail, then by ever larger steps.
STEPS = [
    0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64,
    80, 96, 112, 128, 160, 192, 224, 256,
]  # fmt: skip


def digest(watched):
    """Return a hash of everything that an operation that fails must leave alone."""
    found = hashlib.sha256(repr(rbe.get_rng_state()).encode())

    def add(value):
        if isinstance(value, tuple | list):
            for item in value:
                add(item)
        elif isinstance(value, dict):
            for key in sorted(value, key=repr):
                found.update(repr(key).encode())
                add(value[key])
        elif isinstance(value, nn.Module):
            add(dict(value.state_dict()))
            for p in value.parameters():
                add(p.grad.lo if p.grad is not None and p.is_packed else p.grad)
        elif isinstance(value, rbe.optim.Optimizer):
            add(value.state_dict())
        elif isinstance(value, rbe.RBETensor):
            add([value._hi.numpy(), value.lo] if value.is_packed else value.detach().numpy())
        elif isinstance(value, np.ndarray):
            found.update(repr(value.shape).encode() + np.ascontiguousarray(value).tobytes())
        elif callable(value):
            found.update(value())
        else:
            found.update(repr(value).encode())

    add(watched)
    return found.hexdigest()


def used():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def small_training():
    """Return the losses of three steps of a small net, which depend on nothing before."""
    state = rbe.get_rng_state()
    rbe.manual_seed(5)
    layer = nn.RBELinear(64, 8)
    optimizer = rbe.optim.HybridOptimizer(layer.parameters())
    x = rbe.randn(16, 64)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = (layer(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    rbe.set_rng_state(state)
    return losses


def sweep(name):
    """Run an operation under rising limits until it succeeds; print how many attempts there were and how many were refused."""
    rbe.manual_seed(1)
    run, watched = OPERATIONS[name]()
    expected = small_training()
    trim = ctypes.CDLL(None).malloc_trim
    for attempt, step in enumerate(STEPS):
        before = digest(watched)
        gc.collect()
        rbe.memory.clear()
        trim(0)
        resource.setrlimit(resource.RLIMIT_AS, (used() + int(step * MIB), resource.RLIM_INFINITY))
        try:
            run()
            done = True
        except MemoryError:
            done = False
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert small_training() == expected, step
        if done:
            print(attempt + 1, attempt)
            return
        assert digest(watched) == before, f"something changed with {step} MiB"
    raise AssertionError("never enough memory")


if __name__ == "__main__":
    sweep(sys.argv[1])
