"""Print what `compare.py` wrote as the Markdown tables of design/results.md, so that no figure is copied by hand.

Of several files the later ones replace the figures that they have, too: `tables.py full.json part.json`.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pictures import name, settings

Row = dict[str, Any]
Rows = list[Row]
Column = tuple[str, Callable[[Row], str]]  # what is measured, and what its cell shows
COLUMNS = {
    "forward": "forward",
    "backward": "backward: dx, bias",
    "backward, levels read": "the levels, too",
    "backward, levels and hi read": "levels and hi, too",
    "training step": "training step",
    "training step, exact": "the same, exact evidence",
}
COMPRESSED = [("forward", path) for path in ("autocast", "bfloat16", "int8")]
COMPRESSED += [(what, "autocast") for what in ("backward", "backward, levels read", "training step")]


def merged(files: list[Path]) -> tuple[Row, dict[str, Rows]]:
    """Return the setting of the last file, and the rows of all, the later in place of the earlier."""
    setting: Row = {}
    found: dict[str, dict[str, Row]] = {part: {} for part in ("layers", "kernels", "memory", "use")}
    for file in files:
        results = json.loads(file.read_text(encoding="utf-8"))
        for part, rows in found.items():
            for row in results.pop(part, []):
                names = ("what", "isa", "threads", "layer", "operation", "batch", "kind", "spin_us")
                rows[json.dumps([row.get(n) for n in names])] = row
        setting = results
    return setting, {part: list(rows.values()) for part, rows in found.items()}


def by_setting(rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of each setting."""
    for setting in settings(rows):
        yield name(setting), [r for r in rows if (r["isa"], r["threads"]) == setting]


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


def by_shape(rows: Rows, columns: dict[str, Column]) -> Iterator[str]:
    """Yield a table with a line for every layer and batch."""
    lines = []
    for layer, batch in dict.fromkeys((r["layer"], r["batch"]) for r in rows):
        here = {r["what"]: r for r in rows if (r["layer"], r["batch"]) == (layer, batch)}
        cells = [show(here[what]) if what in here else "" for what, show in columns.values()]
        lines.append([f"{layer.replace('x', '→')}, {batch}", *cells])
    yield from table(["layer, batch", *columns], lines)


def beside(path: str, spread: bool) -> Callable[[Row], str]:
    """Return what shows the ratio of torch's path to ours, with its quartiles or without."""

    def show(row: Row) -> str:
        t = row["torch"].get(path)
        return "" if t is None else f"{t['ratio']:.2f}" + (f" ({t['low']:.2f}–{t['high']:.2f})" if spread else "")

    return show


def ratios(rows: Rows) -> Iterator[str]:
    """Yield torch's float32 beside ours, for each setting."""
    for setting, here in by_setting(rows):
        yield f"\n{setting}: time of torch's float32 over rbe's, middle half of the turns in brackets\n"
        yield from by_shape(here, {title: (what, beside("float32", True)) for what, title in COLUMNS.items()})


def compressed(rows: Rows) -> Iterator[str]:
    """Yield torch's compressed paths beside ours, for each setting."""
    for setting, here in by_setting(rows):
        yield f"\n{setting}: time of torch's compressed paths over rbe's\n"
        yield from by_shape(here, {f"{what}: {path}": (what, beside(path, False)) for what, path in COMPRESSED})


def microseconds(rows: Rows) -> Iterator[str]:
    """Yield our times, for each setting."""
    for setting, here in by_setting(rows):
        yield f"\n{setting}: rbe's microseconds\n"
        whats = dict.fromkeys(r["what"] for r in here)
        yield from by_shape(here, {what: (what, lambda r: f"{r['rbe_us']:.1f}") for what in whats})


def second_thread(rows: Rows) -> Iterator[str]:
    """Yield by how much two threads are faster than one, for each instruction set that was measured with both."""
    us = {(r["isa"], r["threads"], r["layer"], r["batch"], r["what"]): r["rbe_us"] for r in rows}
    for isa in dict.fromkeys(r["isa"] for r in rows):
        of_two = [r for r in rows if (r["isa"], r["threads"]) == (isa, 2)]
        alone = [us.get((isa, 1, r["layer"], r["batch"], r["what"])) for r in of_two]
        both = [r | {"gain": one / r["rbe_us"]} for r, one in zip(of_two, alone, strict=True) if one]
        if both:
            yield f"\n{isa}: rbe's time on one thread over that on two\n"
            yield from by_shape(both, {title: (what, lambda r: f"{r['gain']:.2f}") for what, title in COLUMNS.items()})


def kernels(rows: Rows) -> Iterator[str]:
    """Yield GMAC/s of the kernels, for each setting."""
    for setting, here in by_setting(rows):
        peaks = ", ".join(f"{r['operation']} {r['gmacs']:.0f}" for r in here if r["what"] == "peak")
        own = [r for r in here if r["what"] != "peak"]
        batches = sorted({r["batch"] for r in own})
        lines = []
        for what, layer in dict.fromkeys((r["what"], r["layer"]) for r in own):
            found = {r["batch"]: f"{r['gmacs']:.0f}" for r in own if (r["what"], r["layer"]) == (what, layer)}
            lines.append([what, layer.replace("x", "→"), *(found.get(b, "") for b in batches)])
        yield f"\n{setting}: GMAC/s of the kernels; the machine's peaks: {peaks}\n"
        yield from table(["kernel", "layer", *(f"batch {b}" for b in batches)], lines)


def memory(rows: Rows) -> Iterator[str]:
    """Yield a table of the peaks of memory."""
    yield ""
    head = ["weights", "peak, less that of a tiny model", "bytes a weight", "state in training, bytes a weight"]
    lines = [
        [f"{r['weights']:,} {r['kind']}", f"{r['bytes'] / 1e6:.1f} MB", str(r["a_weight"]), str(r.get("state", ""))]
        for r in rows
    ]
    yield from table(head, lines)


def use(rows: Rows) -> Iterator[str]:
    """Yield a table of how busy training kept its threads."""
    yield ""
    head = ["batch", "threads", "spinning", "part of the threads' time that was used"]
    yield from table(head, [[str(r["batch"]), str(r["threads"]), f"{r['spin_us']} µs", f"{r['cpu']:.3f}"] for r in rows])


TABLES: dict[str, tuple[str, Callable[[Rows], Iterator[str]]]] = {
    "torch beside rbe": ("layers", ratios),
    "torch's compressed paths beside rbe": ("layers", compressed),
    "rbe's own times": ("layers", microseconds),
    "the second thread": ("layers", second_thread),
    "kernels": ("kernels", kernels),
    "memory": ("memory", memory),
    "use of the threads": ("use", use),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="JSON files of compare.py")
    parser.add_argument(
        "--layers", nargs="+", default=["768x3072", "3072x768"], help="of the layers' tables (default: %(default)s)"
    )
    args = parser.parse_args()
    setting, results = merged(args.files)
    print(", ".join(f"{what} {value}" for what, value in setting.items()))
    results["layers"] = [r for r in results["layers"] if r["layer"] in args.layers]
    for title, (part, lines) in TABLES.items():
        text = list(lines(results[part])) if results[part] else []
        if text:
            print(f"\n## {title}", *text, sep="\n")


if __name__ == "__main__":
    main()
