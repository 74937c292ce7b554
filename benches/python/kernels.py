"""Run criterion's benchmarks of the kernels and of the machine's peaks, and read their results."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import environment

ROOT = Path(__file__).resolve().parents[2]
CARGO = ("cargo", "bench", "--package", "rbe_benches")
BRIEF = ("--warm-up-time", "0.05", "--measurement-time", "0.2", "--sample-size", "11")  # seconds: there are hundreds of cases


def build() -> None:
    """Build the benchmarks and show the output."""
    subprocess.run([*CARGO, "--no-run"], cwd=ROOT, check=True)


def measure(bench: str, isa: str, threads: int, choice: str = "") -> Iterator[dict[str, Any]]:
    """Run the cases of a benchmark of `benches/rust` whose names match `choice`, and yield each result at once."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as said:
        command = [*CARGO, "--quiet", "--bench", bench, "--", "--quiet", *BRIEF, choice]
        setting = environment(isa, threads) | {"CRITERION_HOME": home}
        with subprocess.Popen(command, cwd=ROOT, env=setting, stdout=subprocess.PIPE, stderr=said, text=True) as process:
            assert process.stdout is not None
            seen: set[Path] = set()
            for _ in process.stdout:  # a case prints its lines after it has written its files
                new = set(Path(home).rglob("new/benchmark.json")) - seen
                yield from map(read, sorted(new))
                seen |= new
        if process.returncode != 0:
            said.seek(0)
            raise subprocess.CalledProcessError(process.returncode, command, stderr=said.read())


def read(found: Path) -> dict[str, Any]:
    """Return a case's parameters, and GMAC/s at the median time with its confidence interval."""
    case = json.loads(found.read_text(encoding="utf-8"))
    median = json.loads(found.with_name("estimates.json").read_text(encoding="utf-8"))["median"]
    what, isa, threads = case["group_id"].split()
    macs, interval = case["throughput"]["Elements"], median["confidence_interval"]
    row = {"what": what, "isa": isa, "threads": int(threads.removesuffix("t"))}
    row |= {"operation": case["function_id"]} if what == "peak" else {"layer": case["function_id"]}
    row |= {"batch": int(case["value_str"])} if case["value_str"] else {}
    nanoseconds = {"gmacs": median["point_estimate"], "low": interval["upper_bound"], "high": interval["lower_bound"]}
    return row | {name: macs / ns for name, ns in nanoseconds.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Return GMAC/s of each kernel, a column for every batch, with the peaks of each setting above its kernels."""
    lines = []
    for isa, threads in dict.fromkeys((r["isa"], r["threads"]) for r in rows):
        here = [r for r in rows if (r["isa"], r["threads"]) == (isa, threads)]
        peaks = ", ".join(f"{r['operation']} {r['gmacs']:.0f}" for r in here if r["what"] == "peak")
        kernels = [r for r in here if r["what"] != "peak"]
        batches = sorted({r["batch"] for r in kernels})
        lines += [f"\nGMAC/s, {isa}, {threads} thread{'s' if threads > 1 else ''}; peaks of the machine: {peaks}"]
        lines += [f"{'kernel':>9} {'layer':>9} " + " ".join(f"{f'batch {b}':>9}" for b in batches)]
        for what, layer in dict.fromkeys((r["what"], r["layer"]) for r in kernels):
            found = {r["batch"]: r["gmacs"] for r in kernels if (r["what"], r["layer"]) == (what, layer)}
            lines += [f"{what:>9} {layer:>9} " + " ".join(f"{found.get(b, float('nan')):9.1f}" for b in batches)]
    return "\n".join(lines)
