"""Packed layers of rbe against dense layers of torch: a table, `results/<cpu>.json` and a picture beside it."""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tqdm import tqdm

HERE = Path(__file__).resolve().parent
LAYERS = "256x256,768x768,768x3072,3072x768"
BATCHES = "1,8,32,128,512"


def cpu() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def child(script: str, *arguments: str, isa: str | None = None) -> subprocess.Popen[str]:
    environment = os.environ | ({"RBE_ISA": isa} if isa else {})
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def lines(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)
    if process.wait() != 0:
        raise SystemExit(f"{process.args} failed")


def live(isa: str | None) -> str | None:
    """Name of the instruction set that a process forced to `isa` uses; None if the machine lacks it."""
    environment = os.environ | ({"RBE_ISA": isa} if isa else {})
    code = "import rbe; print(rbe.isa())"
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def table(results: list[dict[str, Any]]) -> str:
    head = f"{'isa':>7} {'threads':>7} {'layer':>9} {'batch':>5} {'what':<26} {'rbe µs':>9} {'torch µs':>9} {'torch / rbe':>19}"
    rows = [head]
    for r in results:
        row = f"{r['isa']:>7} {r['threads']:>7} {r['layer']:>9} {r['batch']:>5} {r['what']:<26} {r['rbe_us']:9.1f}"
        if "ratio" in r:
            row += f" {r['torch_us']:9.1f} {r['ratio']:6.2f} ({r['ratio_low']:.2f}–{r['ratio_high']:.2f})"
        rows.append(row)
    return "\n".join(rows)


def picture(path: Path, results: list[dict[str, Any]], title: str) -> None:
    """Draw the ratios against the batch size: a column for every quantity, a row for every setting."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    settings = sorted({(r["isa"], r["threads"]) for r in results})
    whats = list(dict.fromkeys(r["what"] for r in results))
    size = (3.2 * len(whats), 2.8 * len(settings) + 0.6)
    figure, axes = plt.subplots(len(settings), len(whats), figsize=size, squeeze=False, sharey=True)
    for row, (isa, threads) in zip(axes, settings, strict=True):
        for axis, what in zip(row, whats, strict=True):
            here = [r for r in results if (r["isa"], r["threads"], r["what"]) == (isa, threads, what)]
            for layer in dict.fromkeys(r["layer"] for r in here):
                points = [r for r in here if r["layer"] == layer]
                below, above = [r["ratio"] - r["ratio_low"] for r in points], [r["ratio_high"] - r["ratio"] for r in points]
                batches, ratios = [r["batch"] for r in points], [r["ratio"] for r in points]
                axis.errorbar(batches, ratios, [below, above], marker="o", ms=3, lw=1, label=layer)
            axis.axhline(1.0, color="0.6", lw=0.8)
            axis.set(xscale="log", yscale="log", xlabel="batch")
            axis.set_title(f"{what}\n{isa}, {threads} thread{'s' if threads > 1 else ''}", fontsize=8)
        row[0].set_ylabel("torch's time / rbe's")
    axes[0][0].legend(fontsize=7)
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="fewer shapes, one thread: under two minutes")
    mode.add_argument("--smoke", action="store_true", help="one small shape, to see that it runs")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results", help="folder of the results")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    layers, batches, seconds = LAYERS, BATCHES, 1.0
    threads, isas = sorted({1, min(2, cores)}), [None, "avx2"]
    if args.quick:
        layers, batches, seconds, threads, isas = "768x3072,3072x768", "1,32,512", 1.0, [1], [None]
    if args.smoke:
        layers, batches, seconds, threads, isas = "256x256", "1,8", 0.0, [1], [None]

    results: list[dict[str, Any]] = []
    measured = [name for name in dict.fromkeys(live(isa) for isa in isas) if name]
    total = len(measured) * len(threads) * len(layers.split(",")) * len(batches.split(",")) * 5
    with tqdm(total=total, unit="figure", disable=args.smoke) as bar:
        for isa in measured:
            for n in threads:
                shapes = ("--layers", layers, "--batches", batches, "--threads", str(n), "--seconds", str(seconds))
                for found in lines(child("layers.py", *shapes, isa=isa)):
                    results.append(found)
                    bar.update()
    print(table(results))

    dense = installed("torch") is not None
    shape = ("--width", "256") if args.smoke else ()
    memory = [next(iter(lines(child("memory.py", kind, *shape)))) for kind in (["packed", "dense"] if dense else ["packed"])]
    for m in memory:
        size = f"{m['bytes'] / 1e6:,.1f} MB"
        print(f"peak memory of training {m['weights']:,} {m['kind']} weights, less that of a tiny model: {size}")
    if args.smoke:
        return
    args.out.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9]+", "-", cpu()).strip("-").lower() + ("-quick" if args.quick else "")
    setting = {"cpu": cpu(), "cores": cores, "python": platform.python_version()}
    setting |= {package: installed(package) for package in ("rbe", "torch")}
    target = args.out / f"{name}.json"
    target.write_text(json.dumps(setting | {"layers": results, "memory": memory}, indent=1) + "\n", encoding="utf-8")
    print(f"written: {target}")
    if dense:
        picture(args.out / f"{name}.png", results, f"{cpu()}, torch {installed('torch')}")
        print(f"picture: {args.out / f'{name}.png'}")


if __name__ == "__main__":
    main()
