"""Print the results of `compare.py` as the Markdown tables of design/layers.md, so that no figure is copied by hand.

Every table has the columns machine, ISA, commit and threads. The machine is the name of the file without its ending. A file
with a part of the measurements (`-part`, `-quick`) replaces the rows it shares with an earlier file of the same machine:
`tables.py amd-epyc-avx2.json amd-epyc-avx2-part.json`.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Rows = list[Row]
Lines = Iterator[list[str]]
SETTING = ["machine", "ISA", "commit", "threads"]
STEPS = {
    "forward": "forward",
    "backward": "backward: dx, bias",
    "backward, levels read": "and levels",
    "backward, levels and hi read": "and levels, hi",
    "training step": "training step",
    "training step, exact": "step, exact flip scores",
}
COMPRESSED = {
    f"{what}: {path}": (what, path) for what, path in [("forward", path) for path in ("autocast", "bfloat16", "int8")]
}
COMPRESSED |= {f"{what}: autocast": (what, "autocast") for what in ("backward", "backward, levels read", "training step")}
PARTS = ("layers", "kernels", "memory", "use")
KEY = ("machine", "isa", "threads", "what", "layer", "operation", "batch", "kind", "spin_us")


def read(files: list[Path]) -> dict[str, Rows]:
    """Return the rows of each part of all files, each with its machine and commit."""
    found: dict[str, dict[str, Row]] = {part: {} for part in PARTS}
    for file in files:
        results = json.loads(file.read_text(encoding="utf-8"))
        isa = next((row["isa"] for part in ("layers", "kernels") for row in results[part]), "")
        setting = {
            "machine": re.sub(r"-(part|quick|smoke)$", "", file.stem),
            "isa": isa,
            "commit": re.sub(r"^([0-9a-f]{7})[0-9a-f]*", r"\1", results["revision"] or ""),
            "threads": results["cores"],
        }
        for part in PARTS:
            for row in results[part]:
                full = setting | row
                found[part][json.dumps([full.get(name) for name in KEY])] = full
    return {part: list(rows.values()) for part, rows in found.items()}


def setting(row: Row) -> list[str]:
    """Return the first cells of a line."""
    return [row["machine"], row["isa"], row["commit"], str(row["threads"])]


def grouped(rows: Rows, *names: str) -> Iterator[Rows]:
    """Yield the rows that have machine, ISA, threads and the named values in common."""
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in ("machine", "isa", "threads", *names)), []).append(row)
    yield from groups.values()


def by_shape(rows: Rows, cells: dict[str, Callable[[Row], str]]) -> Lines:
    """Yield a line for every setting, layer and batch; `cells` gives the text of each measurement."""
    for group in grouped(rows, "layer", "batch"):
        measured = {row["what"]: row for row in group}
        shown = [show(measured[what]) if what in measured else "" for what, show in cells.items()]
        yield [*setting(group[0]), group[0]["layer"].replace("x", "→"), str(group[0]["batch"]), *shown]


def float32(row: Row) -> str:
    """Return the ratio of torch's time to rbe's and its quartiles."""
    torch = row["torch"].get("float32")
    return f"{torch['ratio']:.2f} ({torch['low']:.2f}–{torch['high']:.2f})" if torch else ""


def ratios(rows: Rows) -> Lines:
    """Yield the ratios of torch's time in float32."""
    yield [*SETTING, "layer", "batch", *STEPS.values()]
    yield from by_shape(rows, dict.fromkeys(STEPS, float32))


def compressed(rows: Rows) -> Lines:
    """Yield the ratios of torch's compressed paths."""
    yield [*SETTING, "layer", "batch", *COMPRESSED]
    for group in grouped(rows, "layer", "batch"):
        measured = {row["what"]: row["torch"] for row in group}
        found = [measured.get(what, {}).get(path) for what, path in COMPRESSED.values()]
        cells = [f"{torch['ratio']:.2f}" if torch else "" for torch in found]
        yield [*setting(group[0]), group[0]["layer"].replace("x", "→"), str(group[0]["batch"]), *cells]


def microseconds(rows: Rows) -> Lines:
    """Yield rbe's times."""
    whats = dict.fromkeys(row["what"] for row in rows)
    yield [*SETTING, "layer", "batch", *whats]
    yield from by_shape(rows, dict.fromkeys(whats, lambda row: f"{row['rbe_us']:.1f}"))


def kernels(rows: Rows) -> Lines:
    """Yield the kernels' multiply-adds a second."""
    own = [row for row in rows if row["what"] != "peak"]
    batches = sorted({row["batch"] for row in own})
    yield [*SETTING, "kernel", "layer", *(f"batch {batch}" for batch in batches)]
    for group in grouped(own, "what", "layer"):
        measured = {row["batch"]: f"{row['gmacs']:.0f}" for row in group}
        cells = [measured.get(batch, "") for batch in batches]
        yield [*setting(group[0]), group[0]["what"], group[0]["layer"].replace("x", "→"), *cells]


def peaks(rows: Rows) -> Lines:
    """Yield the multiply-adds a second that the machine reaches at most."""
    own = [row for row in rows if row["what"] == "peak"]
    operations = dict.fromkeys(row["operation"] for row in own)
    yield [*SETTING, *operations]
    for group in grouped(own):
        measured = {row["operation"]: f"{row['gmacs']:.0f}" for row in group}
        yield [*setting(group[0]), *(measured.get(operation, "") for operation in operations)]


def memory(rows: Rows) -> Lines:
    """Yield the peaks of memory."""
    yield [*SETTING, "weights", "peak, less that of a tiny model", "bytes a weight", "state in training, bytes a weight"]
    for row in rows:
        size = [f"{row['weights']:,} {row['kind']}", f"{row['bytes'] / 1e6:.1f} MB"]
        yield [*setting(row), *size, str(row["a_weight"]), str(row.get("state", ""))]


def use(rows: Rows) -> Lines:
    """Yield the share of the threads' time that training used."""
    yield [*SETTING, "batch", "spin time", "share of the threads' time"]
    for row in rows:
        yield [*setting(row), str(row["batch"]), f"{row['spin_us']} µs", f"{row['cpu']:.3f}"]


TABLES: dict[str, tuple[str, Callable[[Rows], Lines]]] = {
    "Time of torch in float32 over time of rbe, quartiles in brackets": ("layers", ratios),
    "Time of torch's compressed paths over time of rbe": ("layers", compressed),
    "Microseconds of rbe": ("layers", microseconds),
    "Kernels, GMAC/s": ("kernels", kernels),
    "Peaks of the machine, GMAC/s": ("kernels", peaks),
    "Memory": ("memory", memory),
    "Use of the threads": ("use", use),
}


def markdown(files: list[Path], layers: list[str]) -> str:
    """Return the tables of all files as Markdown."""
    results = read(files)
    results["layers"] = [row for row in results["layers"] if row["layer"] in layers]
    results["kernels"] = [row for row in results["kernels"] if row.get("layer", layers[0]) in layers]
    text: list[str] = []
    for title, (part, table) in TABLES.items():
        if results[part]:
            head, *lines = table(results[part])
            cells = [head, ["---"] * len(head), *lines]
            text += [f"### {title}", "", *(f"| {' | '.join(line)} |" for line in cells), ""]
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="JSON files of compare.py")
    layers = ["768x3072", "3072x768"]
    parser.add_argument("--layers", nargs="+", default=layers, help="of the layers' tables (default: %(default)s)")
    args = parser.parse_args()
    print(markdown(args.files, args.layers))


if __name__ == "__main__":
    main()
