"""Pictures and summaries: what they show, not how they look."""

import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe.visualization import Recorder, graph, plot_disk, plot_flips, plot_history, plot_weights, summary


def network():
    return nn.Sequential(nn.RBELinear(70, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 5))


def test_history_of_a_trainer_and_of_curves(tmp_path):
    history = [{"epoch": i, "step": 9 * i, "loss": 1 / i, "lr": 0.1} for i in (1, 2, 3)]
    history[2]["val_loss"] = 7.0
    ax = plot_history(history, path=tmp_path / "h.png")
    assert [line.get_label() for line in ax.lines] == ["loss", "val_loss"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [[3, 7]])
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    assert [line.get_label() for line in plot_history(history, ["lr"]).lines] == ["lr"]
    smooth = plot_history({"loss": [0, 2, 4, 6]}, smooth=2).lines[0]
    np.testing.assert_allclose(smooth.get_xydata(), [[2, 1], [3, 3], [4, 5]])
    assert plot_history([]).lines[:] == []


def test_weights_and_points(tmp_path):
    model = network()
    axes = plot_weights(model, bins=10, path=tmp_path / "w.svg")
    assert [sum(patch.get_height() for patch in ax.patches) for ax in axes] == [70 * 32, 32 * 5]
    assert (tmp_path / "w.svg").exists()
    points = plot_disk(model, path=tmp_path / "d.png").collections[0].get_offsets()
    np.testing.assert_allclose(points, model[0].weight.lo.reshape(-1, 2))
    assert plot_disk(nn.Linear(2, 2)).collections[:] == []


def test_flips_and_charges(tmp_path):
    model = network()
    optimizer, recorder = rbe.optim.HybridOptimizer(model.parameters(), lr_hi=1.0), Recorder(every=2)
    x, y = rbe.randn(16, 70), rbe.randint(0, 5, (16,))
    data = rbe.data.DataLoader(rbe.data.TensorDataset(x, y), 4)
    rbe.Trainer(model, optimizer, nn.CrossEntropyLoss(), callbacks=[recorder], progress=False).fit(data, epochs=5)
    assert recorder.steps == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert recorder.flips[-1] == optimizer.flips
    assert sum(recorder.flips) > 0
    assert all(0 <= low <= middle <= high <= 1 for low, middle, high in recorder.charges)
    assert recorder.charges[0] != recorder.charges[-1]
    flips, charges = plot_flips(recorder, path=tmp_path / "f.png")
    np.testing.assert_array_equal(flips.lines[0].get_ydata(), recorder.flips)
    np.testing.assert_allclose(charges.lines[0].get_ydata(), [c[1] for c in recorder.charges])
    with pytest.raises(rbe.DTypeError, match="HybridOptimizer"):
        Recorder().observe(rbe.optim.SGD(nn.Linear(1, 1).parameters()))
    with pytest.raises(rbe.TensorError):
        Recorder(every=0)


def test_summaries_count():
    model = network()
    model.train()
    model[1].eval()
    found = summary(model, (8, 70))
    assert [m.training for m in model] == [True, False, True, True]
    rows = {layer.kind: layer for layer in found.layers}
    assert rows["RBELinear"].shape == (8, 32)
    assert (rows["RBELinear"].parameters, rows["RBELinear"].macs) == (70 * 32 + 32, 8 * 70 * 32)
    assert (rows["BatchNorm1d"].parameters, rows["BatchNorm1d"].macs) == (64, 0)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert found.bytes == sum(p.nbytes for p in model.parameters())
    assert found.macs == 8 * (70 * 32 + 32 * 5)
    assert str(found).splitlines()[-1].split() == ["total", f"{found.parameters:,}", f"{found.bytes:,}", f"{found.macs:,}"]
    with pytest.raises(rbe.DTypeError, match="str"):
        summary(model, "8x70")
    with pytest.raises(rbe.ShapeError):
        summary(model, (8, 71))
    assert not model._hooks


def test_shared_parameters_and_look_ups_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 6)
            self.out = nn.Linear(6, 10, bias=False)
            self.out.weight = self.table.weight

        def forward(self, x):
            return self.out(self.table(x))

    found = summary(Tied(), rbe.zeros(3, 4, dtype="int64"))
    assert (found.parameters, found.macs) == (60, 3 * 4 * 60)


def test_convolutions_count():
    conv = nn.Conv2d(4, 6, 3, padding=1, groups=2)
    found = summary(conv, (2, 4, 8, 8))
    assert found.macs == 2 * 8 * 8 * 6 * 2 * 9
    assert summary(conv, (4, 8, 8)).macs == 8 * 8 * 6 * 2 * 9


def test_the_graph_is_a_picture_of_what_ran(tmp_path):
    model = network()
    x = rbe.randn(4, 70)
    y = model(x)
    z = (y + y.tanh()).sum()
    svg = graph(z, model, tmp_path / "g.svg")
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{space}text")]
    for name in ("packed_linear", "batch_norm", "relu", "linear", "tanh", "add", "sum", "0.weight", "3.bias", "(4, 32)"):
        assert name in texts
    boxes = [(float(r.get("x")), float(r.get("y"))) for r in root.iter(f"{space}rect")]
    assert len(boxes) == len(set(boxes)) == 7 + 6
    lines = list(root.iter(f"{space}line"))
    assert len(lines) == 6 + 1 + 6  # from 6 parameters; y feeds two operations
    assert all(float(line.get("y1")) < float(line.get("y2")) for line in lines)
    assert (tmp_path / "g.svg").read_text().rstrip() == svg
    with pytest.raises(rbe.GraphError):
        graph(x)
    graph(rbe.ones(1, requires_grad=True).exp())


def test_long_chains_are_drawn_without_recursion():
    y = rbe.ones(1, requires_grad=True)
    for _ in range(3000):
        y = y * 1.0
    assert graph(y).count("<rect") == 3001


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_weights_that_are_not_finite_are_left_out(value, count, tmp_path):
    model = nn.Sequential(nn.Linear(3, 2))
    model[0].weight.detach().reshape(-1)[:count] = value
    (ax,) = plot_weights(model, bins=4, path=tmp_path / "w.png")
    shown = 6 if np.isfinite(value) else 6 - count
    assert sum(patch.get_height() for patch in ax.patches) == shown
    assert ax.get_title().endswith("24 bytes)" if shown == 6 else f"24 bytes, {count} not finite)")


@pytest.mark.parametrize("value", [0.0, 1.0, -1e20, 1e-30, 1e17])
def test_weights_that_are_all_equal_have_a_picture(value):
    model = nn.Linear(3, 2)
    model.weight.detach().fill_(value)
    (ax,) = plot_weights(model)
    assert sum(patch.get_height() for patch in ax.patches) == 6


def test_weights_of_all_sizes_and_of_none(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2, dtype=rbe.float64), nn.ParameterList([rbe.zeros(0, 3)]), nn.ReLU())
    model[0].weight.detach().copy_(rbe.tensor([[1e308, -1e308], [0.0, 1.0]], dtype=rbe.float64))
    first, empty = plot_weights(model, path=tmp_path / "w.png")
    assert "2 not finite" in first.get_title()
    assert "0 bytes" in empty.get_title()
    assert plot_weights(nn.ReLU(), path=tmp_path / "none.png") == []


def test_curves_have_gaps_where_values_are_not_finite(tmp_path):
    history = [
        {"epoch": i, "loss": v, "note": "text", "score": s} for i, (v, s) in enumerate([(1.0, None), (np.nan, 2), (np.inf, 3)])
    ]
    ax = plot_history(history, path=tmp_path / "h.png")
    assert [line.get_label() for line in ax.lines] == ["loss", "score"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [np.nan, 2.0, 3.0])
    plot_history({"a": [1e308, -1e308, rbe.tensor(1.0)], "b": [], "c": [np.nan] * 3}, smooth=2, path=tmp_path / "c.png")


@pytest.mark.parametrize(
    "call",
    [
        lambda: plot_history(3), lambda: plot_history("loss"), lambda: plot_history([3]), lambda: plot_history([{"loss": 1}], ["lose"]),
        lambda: plot_history([{"note": "a"}], ["note"]), lambda: plot_history([], smooth=0), lambda: plot_history({"a": [[1, 2]]}, ["a"]),
        lambda: plot_history([{"epoch": "a", "loss": 1.0}]), lambda: plot_weights(3), lambda: plot_weights(network(), bins=0),
        lambda: plot_weights(network(), bins="a"), lambda: plot_disk(rbe.ones(2)), lambda: plot_flips(3), lambda: summary(3),
        lambda: graph(3), lambda: graph(rbe.ones(1, requires_grad=True).exp(), 3), lambda: Recorder(every=1.5),
    ],
)  # fmt: skip
def test_what_is_no_model_no_history_and_no_number_is_refused(call):
    with pytest.raises(rbe.TensorError):
        call()


def test_pictures_that_cannot_be_written_are_named(tmp_path):
    y = rbe.ones(1, requires_grad=True).exp()
    for path in (tmp_path / "missing" / "a.png", tmp_path / "a.unknown"):
        for call in (plot_weights, plot_disk):
            with pytest.raises(rbe.FormatError, match="picture"):
                call(network(), path=path)
    with pytest.raises(rbe.FormatError, match="picture"):
        graph(y, path=tmp_path)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(rbe.DependencyError, match=r"plot_disk.*matplotlib"):
        plot_disk(network())
