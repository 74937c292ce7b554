"""Packed layers of rbe beside dense layers of torch, and kernels beside the machine: tables, `results/<cpu>.json`, pictures."""

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kernels
import pictures
from machine import cores, cpu, environment, installed, live
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
PATHS = ("float32", "autocast", "bfloat16", "int8")  # of torch
Rows = list[dict[str, Any]]


@dataclass
class Extent:
    """How much is measured."""

    layers: tuple[str, ...] = ("256x256", "768x768", "768x3072", "3072x768")
    batches: tuple[int, ...] = (1, 8, 32, 128, 512)
    threads: tuple[int, ...] = (1, 2)
    isas: tuple[str | None, ...] = (None, "avx2")  # as detected, and forced
    seconds: float = 0.7  # for each figure of a layer

    @property
    def kernel_cases(self) -> str:
        """The kernels' cases as criterion's filter: the large layers."""
        large = [layer for layer in self.layers if layer != "256x256"]
        return f"({'|'.join(large)})/({'|'.join(map(str, self.batches))})$"


QUICK = Extent(("768x3072", "3072x768"), (1, 32, 512), (1,), (None,), 0.3)
SMOKE = Extent(("256x256",), (1, 8), (1,), (None,), 0.0)


def lines(script: str, *arguments: str, isa: str | None = None) -> Iterator[Any]:
    """Yield what a script of this folder prints, JSON line by JSON line."""
    command = [sys.executable, str(HERE / script), *arguments]
    with subprocess.Popen(command, env=environment(isa), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode != 0:
        raise SystemExit(f"{command} failed")


def measure_layers(extent: Extent, isas: list[str], threads: list[int]) -> Rows:
    found: Rows = []
    total = len(isas) * len(threads) * len(extent.layers) * len(extent.batches) * 7
    with tqdm(total=total, unit="figure", desc="layers", disable=extent is SMOKE) as bar:
        for isa in isas:
            for n in threads:
                shapes = ("--layers", ",".join(extent.layers), "--batches", ",".join(map(str, extent.batches)))
                for row in lines("layers.py", *shapes, "--threads", str(n), "--seconds", str(extent.seconds), isa=isa):
                    found.append(row)
                    bar.update()
    return found


def measure_kernels(extent: Extent, isas: list[str], threads: list[int]) -> Rows:
    settings = [(isa, n) for isa in isas for n in threads]
    found: Rows = []
    for isa, n in tqdm(settings, unit="setting", desc="kernels"):
        found += kernels.measure("peaks", isa, n) + kernels.measure("kernels", isa, n, extent.kernel_cases)
    return found


def measure_memory(*options: str) -> Rows:
    kinds = ("packed", "dense") if installed("torch") else ("packed",)
    return [next(iter(lines("memory.py", kind, *options))) for kind in kinds]


def table(rows: Rows) -> str:
    """Return rbe's and torch's microseconds, and by how much each path of torch takes longer, with quartiles."""
    paths = [path for path in PATHS if any(path in r["torch"] for r in rows)]
    head = f"{'isa':>7} {'threads':>7} {'layer':>9} {'batch':>5} {'what':<25} {'rbe µs':>9} {'torch µs':>9} "
    text = ["time of torch / time of rbe, middle half of the turns in brackets", head + " ".join(f"{p:>19}" for p in paths)]
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


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="fewer shapes, one thread: under two minutes")
    mode.add_argument("--smoke", action="store_true", help="one small layer, to see that it runs")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder of the results")
    args = parser.parse_args()
    extent = QUICK if args.quick else SMOKE if args.smoke else Extent()
    isas = [name for name in dict.fromkeys(live(isa) for isa in extent.isas) if name]
    threads = [n for n in extent.threads if n <= cores()]
    print(f"{cpu()}, {cores()} cores")

    layers = measure_layers(extent, isas, threads)
    print(table(layers))
    memory = measure_memory(*(("--width", "256") if args.smoke else ()))
    for m in memory:
        size = f"{m['bytes'] / 1e6:,.1f} MB" + (f"; state in training {m['state']} B a weight" if "state" in m else "")
        print(f"peak memory of training {m['weights']:,} {m['kind']} weights, less that of a tiny model: {size}")
    if args.smoke:
        return
    found = measure_kernels(extent, isas, threads) if shutil.which("cargo") else []
    print(kernels.table(found) if found else "no cargo here: the kernels are not measured")

    use = [] if args.quick else list(lines("cpu_use.py"))
    for u in use:
        print(json.dumps(u))

    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / (re.sub(r"[^A-Za-z0-9]+", "-", cpu()).strip("-").lower() + ("-quick" if args.quick else ""))
    setting: dict[str, Any] = {"cpu": cpu(), "cores": cores(), "python": platform.python_version()}
    setting |= {package: installed(package) for package in ("rbe", "torch")}
    target = stem.with_suffix(".json")
    results = setting | {"layers": layers, "memory": memory, "kernels": found, "cpu_use": use}
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"written: {target}")
    if installed("torch"):
        pictures.ratios(stem.with_suffix(".png"), layers, f"{cpu()}, torch {installed('torch')}")
    if found:
        pictures.roofline(stem.with_name(f"{stem.name}-roofline.png"), found, f"{cpu()}: kernels and what the machine can do")


if __name__ == "__main__":
    main()
