"""Compare packed layers of rbe with dense layers of torch, and kernels with the machine's peaks: prints tables, and writes
`results/<cpu>-<isa>.json` and pictures.

Measures everything unless options select a part. Ctrl-C ends the measurements and writes the results so far. A run that did
not measure everything writes `<cpu>-<isa>-part.json`. `tables.py` prints such files as Markdown.
"""

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import kernels
import pictures
from machine import cores, cpu, environment, installed, live, revision
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
PATHS = ("float32", "autocast", "bfloat16", "int8")  # torch's variants of a layer
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Extent:
    """The selection of measurements."""

    parts: tuple[str, ...] = ("layers", "memory", "kernels", "use")
    layers: tuple[str, ...] = ("256x256", "768x768", "768x3072", "3072x768")
    batches: tuple[int, ...] = (1, 8, 32, 128, 512)
    threads: tuple[int, ...] = (1, 2)
    isas: tuple[str | None, ...] = (None, "avx2")  # as detected, and forced
    seconds: float = 0.7  # minimum for each comparison
    width: int = 4096  # width of the model whose memory is measured
    paths: tuple[str, ...] = PATHS

    @property
    def kernel_cases(self) -> str:
        """Return criterion's filter for the kernels' cases: the large layers."""
        large = [layer for layer in self.layers if layer != "256x256"]
        return f"({'|'.join(large)})/({'|'.join(map(str, self.batches))})$"

    @cached_property
    def settings(self) -> list[tuple[str, int]]:
        """Return pairs of instruction set and number of threads that this machine supports."""
        names = dict.fromkeys(live(isa) for isa in self.isas)
        return [(name, n) for name in names if name for n in self.threads if n <= cores()]


FULL = Extent()
# On processors without bfloat16 instructions torch takes up to a hundred times as long with it.
QUICK = Extent(
    ("layers", "memory"), ("768x3072", "3072x768"), threads=(1,), isas=(None,), seconds=0.5, paths=("float32", "int8")
)
SMOKE = Extent(("layers", "memory"), ("256x256",), (1, 8), (1,), (None,), 0.0, 256)


def lines(script: str, *arguments: str, isa: str | None = None) -> Iterator[Any]:
    """Yield what a script of this folder prints, JSON line by JSON line."""
    command = [sys.executable, str(HERE / script), *arguments]
    with subprocess.Popen(command, env=environment(isa), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)


def measure_layers(extent: Extent, found: Rows) -> None:
    shapes = ("--layers", ",".join(extent.layers), "--batches", ",".join(map(str, extent.batches)))
    paths = ("--paths", ",".join(extent.paths))
    with tqdm(total=len(extent.settings) * len(extent.layers) * len(extent.batches), unit=" shapes", desc="layers") as bar:
        for isa, n in extent.settings:
            for rows in lines("layers.py", *shapes, "--threads", str(n), "--seconds", str(extent.seconds), *paths, isa=isa):
                found += rows
                bar.set_postfix_str(f"{isa}, {n} threads, {rows[0]['layer']}, batch {rows[0]['batch']}", refresh=False)
                bar.update()


def measure_memory(extent: Extent, found: Rows) -> None:
    kinds = ("packed", "dense") if installed("torch") else ("packed",)
    for kind in tqdm(kinds, unit=" models", desc="memory"):
        found += lines("memory.py", kind, "--width", str(extent.width))


def measure_kernels(extent: Extent, found: Rows) -> None:
    if not shutil.which("cargo"):
        print("cargo is missing: the kernels are not measured")
        return
    kernels.build()
    with tqdm(unit=" kernels", desc="kernels") as bar:
        for isa, n in extent.settings:
            for bench, cases in (("peaks", ""), ("kernels", extent.kernel_cases)):
                for row in kernels.measure(bench, isa, n, cases):
                    found.append(row)
                    bar.set_postfix_str(f"{isa}, {n} threads, {row['what']}", refresh=False)
                    bar.update()


def measure_use(_: Extent, found: Rows) -> None:
    found += tqdm(lines("cpu_use.py"), unit=" runs", desc="use of threads")


PARTS: dict[str, Callable[[Extent, Rows], None]] = {
    "layers": measure_layers,
    "memory": measure_memory,
    "kernels": measure_kernels,
    "use": measure_use,
}


def table(rows: Rows) -> str:
    """Return rbe's and torch's microseconds, and the ratios of torch's times to rbe's with quartiles."""
    paths = [path for path in PATHS if any(path in r["torch"] for r in rows)]
    head = f"{'isa':>7} {'threads':>7} {'layer':>9} {'batch':>5} {'what':<25} {'rbe µs':>9} {'torch µs':>9} "
    text = ["time of torch / time of rbe, quartiles in brackets", head + " ".join(f"{p:>19}" for p in paths)]
    for r in rows:
        float32 = r["torch"].get("float32", {"us": float("nan")})["us"]
        row = (
            f"{r['isa']:>7} {r['threads']:>7} {r['layer']:>9} {r['batch']:>5} {r['what']:<25} {r['rbe_us']:9.1f} {float32:9.1f}"
        )
        for path in paths:
            t = r["torch"].get(path)
            row += f" {t['ratio']:6.2f} ({t['low']:.2f}–{t['high']:.2f})".ljust(20) if t else " " * 20
        text.append(row.rstrip())
    return "\n".join(text)


def report(results: dict[str, Any]) -> None:
    """Print the measurements."""
    if results["layers"]:
        print(table(results["layers"]))
    for m in results["memory"]:
        size = f"{m['bytes'] / 1e6:,.1f} MB" + (f"; state in training {m['state']} B a weight" if "state" in m else "")
        print(f"peak memory of training {m['weights']:,} {m['kind']} weights, less that of a tiny model: {size}")
    if results["kernels"]:
        print(kernels.table(results["kernels"]))
    for u in results["use"]:
        print(json.dumps(u))


def write(stem: Path, results: dict[str, Any]) -> None:
    """Write `<stem>.json` and the pictures."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    target = stem.with_suffix(".json")
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {target}")
    if results["layers"] and results["torch"]:
        pictures.ratios(stem.with_suffix(".png"), results["layers"], f"{cpu()}, torch {results['torch']}")
    if any(r["what"] != "peak" for r in results["kernels"]):
        title = f"{cpu()}: kernels and what the machine can do"
        pictures.roofline(stem.with_name(f"{stem.name}-roofline.png"), results["kernels"], title)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--quick",
        action="store_true",
        help="large layers on one thread, with torch's float32 and int8, no kernels: under two minutes",
    )
    mode.add_argument("--smoke", action="store_true", help="run one small layer once, without measuring")
    parser.add_argument(
        "--parts", nargs="+", choices=list(PARTS), help="parts to measure; use: share of the threads' time that training uses"
    )
    parser.add_argument("--layers", nargs="+", choices=FULL.layers)
    parser.add_argument("--batches", nargs="+", type=int, choices=FULL.batches)
    parser.add_argument("--threads", nargs="+", type=int, help="numbers of threads (default: 1 2)")
    parser.add_argument(
        "--isas",
        nargs="+",
        choices=["scalar", "avx2", "avx512", "amx", "neon"],
        help="instruction sets (default: as detected, and avx2)",
    )
    parser.add_argument("--seconds", type=float, help=f"minimum for each comparison of a layer (default {FULL.seconds})")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder of the results")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    args = arguments()
    preset = QUICK if args.quick else SMOKE if args.smoke else FULL
    chosen = {name: getattr(args, name) for name in ("parts", "layers", "batches", "threads", "isas", "seconds")}
    extent = replace(preset, **{name: value for name, value in chosen.items() if value is not None})
    print(f"{cpu()}, {cores()} cores")
    if not extent.settings:
        asked = f"{', '.join(isa or 'as detected' for isa in extent.isas)} on {', '.join(map(str, extent.threads))} threads"
        raise SystemExit(f"nothing to measure: {asked} requested, and this machine lacks the instructions or the cores")

    setting: dict[str, Any] = {"cpu": cpu(), "cores": cores(), "python": platform.python_version(), "revision": revision()}
    results = setting | {package: installed(package) for package in ("rbe", "torch")} | {part: [] for part in PARTS}
    ended: str | None = None
    try:
        for part in extent.parts:
            PARTS[part](extent, results[part])
    except KeyboardInterrupt:
        ended = "interrupted: this is what was measured before"
    except subprocess.CalledProcessError as error:
        ended = f"{error}\n{error.stderr or ''}"
    report(results)
    kind = "-part" if ended or extent != preset else "-quick" if args.quick else "-smoke" if args.smoke else ""
    # Some processors report only their family's name; the best instruction set distinguishes them.
    stem = re.sub(r"[^A-Za-z0-9]+", "-", f"{cpu()} {live(None)}").strip("-").lower()
    write(args.out / (stem + kind), results)
    if ended:
        raise SystemExit(ended)


if __name__ == "__main__":
    main()
