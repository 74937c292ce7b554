"""Layers of rbe and torch under pytest-benchmark, one after the other: `pytest benches/python/test_layers.py`.

For storing results and comparing builds (`--benchmark-save`, `--benchmark-compare`). `compare.py` alternates between the same
cases, which is fairer if the machine's speed changes.
"""

import layers
import pytest
import rbe

WHATS = ("forward", "backward", "training step")


@pytest.fixture(autouse=True)
def one_thread():
    before = rbe.get_num_threads()
    rbe.set_num_threads(1)
    if layers.torch is not None:
        layers.torch.set_num_threads(1)
    yield
    rbe.set_num_threads(before)


@pytest.mark.parametrize("batch", [1, 8, 32, 128, 512])
@pytest.mark.parametrize("layer", ["256x256", "768x768", "768x3072", "3072x768"])
@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize("side", ["rbe", "float32", "autocast"])
def test_layer(benchmark, side, what, layer, batch):
    inputs, outputs = map(int, layer.split("x"))
    found = {"rbe": layers.ours(inputs, outputs, batch)[what]} if side == "rbe" else layers.theirs(inputs, outputs, batch)
    if side not in found:
        pytest.skip("no torch here")
    case = found[side][what]
    benchmark.group = f"{what}, {layer}, batch {batch}"
    benchmark.pedantic(case.run, setup=lambda: ((case.setup(),), {}), rounds=20, warmup_rounds=2)
