"""The pictures of `compare.py`."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator

Rows = list[dict[str, Any]]


def name(setting: tuple[str, int]) -> str:
    isa, threads = setting
    return f"{isa}, {threads} thread{'s' if threads > 1 else ''}"


def settings(rows: Rows) -> list[tuple[str, int]]:
    return sorted({(r["isa"], r["threads"]) for r in rows})


def by_batch(axis: Any, rows: Rows) -> None:
    """Give both axes a logarithmic scale, with ticks at the measured batches on the lower one."""
    batches = sorted({r["batch"] for r in rows})
    axis.set(xscale="log", yscale="log", xlabel="batch")
    axis.set_xticks(batches, labels=map(str, batches), minor=False)
    axis.xaxis.minorticks_off()
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")


def ratios(path: Path, rows: Rows, title: str) -> None:
    """Plot torch's float32 time over rbe's by batch: a column for every measurement, a row for every setting."""
    whats = list(dict.fromkeys(r["what"] for r in rows))
    rows_of = settings(rows)
    size = (3.2 * len(whats), 2.8 * len(rows_of) + 0.6)
    figure, axes = plt.subplots(len(rows_of), len(whats), figsize=size, squeeze=False, sharey=True, layout="constrained")
    for row, setting in zip(axes, rows_of, strict=True):
        for axis, what in zip(row, whats, strict=True):
            here = [r for r in rows if ((r["isa"], r["threads"]), r["what"]) == (setting, what)]
            for layer in dict.fromkeys(r["layer"] for r in here):
                points = [(r["batch"], r["torch"]["float32"]) for r in here if r["layer"] == layer]
                middle = [t["ratio"] for _, t in points]
                spread = [[t["ratio"] - t["low"] for _, t in points], [t["high"] - t["ratio"] for _, t in points]]
                axis.errorbar([b for b, _ in points], middle, spread, marker="o", ms=3, lw=1, label=layer)
            axis.axhline(1.0, color="0.6", lw=0.8)
            by_batch(axis, here)
            axis.set_title(f"{what}\n{name(setting)}", fontsize=8)
        row[0].set_ylabel("torch's time / rbe's")
    axes[0][0].legend(fontsize=7)
    save(figure, path, title)


def roofline(path: Path, rows: Rows, title: str) -> None:
    """Plot GMAC/s of every kernel by batch, and the machine's peaks: a column for every layer, a row for every setting."""
    kernels = [r for r in rows if r["what"] != "peak"]
    layers = list(dict.fromkeys(r["layer"] for r in kernels))
    rows_of = settings(kernels)
    size = (4.6 * len(layers), 3.4 * len(rows_of) + 0.6)
    figure, axes = plt.subplots(len(rows_of), len(layers), figsize=size, squeeze=False, sharex=True, layout="constrained")
    for row, setting in zip(axes, rows_of, strict=True):
        here = [r for r in rows if (r["isa"], r["threads"]) == setting]
        for axis, layer in zip(row, layers, strict=True):
            for what in dict.fromkeys(r["what"] for r in kernels):
                points = sorted((r["batch"], r["gmacs"]) for r in here if r["what"] == what and r["layer"] == layer)
                axis.plot(*zip(*points, strict=True), marker="o", ms=3, lw=1, label=what)
            for i, peak in enumerate(sorted((r for r in here if r["what"] == "peak"), key=lambda r: r["gmacs"])):
                axis.axhline(peak["gmacs"], color="0.5", lw=0.8, ls="--")
                place = axis.get_yaxis_transform()  # x as a fraction of the axis, y in GMAC/s
                right = 0.99 - 0.2 * (i % 2)  # alternate, because peaks may be close together
                axis.text(right, peak["gmacs"], peak["operation"], transform=place, ha="right", va="bottom", fontsize=7)
            by_batch(axis, kernels)
            axis.set_title(f"{layer}, {name(setting)}", fontsize=8)
        row[0].set_ylabel("GMAC/s")
    axes[0][0].legend(fontsize=7)
    save(figure, path, title)


def save(figure: Any, path: Path, title: str) -> None:
    figure.suptitle(title, fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"picture: {path}")
