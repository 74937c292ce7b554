"""Time builds of the extension in a copy of the tree, clean and after a change of a kernel; list what takes most code."""

import argparse
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from machine import cores, cpu, revision

ROOT = Path(__file__).resolve().parents[2]
CHANGED = Path("rbe_core/src/kernel/packed/mod.rs")
BUILT = shutil.ignore_patterns(".*", "target", "out", "*.so", "__pycache__")  # not copied


def processor_time() -> float:
    """Seconds that finished child processes have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def copies(library: Path) -> tuple[int, Counter[str], Counter[str]]:
    """Bytes of all machine code, and for each function, generic arguments left out, its bytes and its copies."""
    size: Counter[str] = Counter()
    count: Counter[str] = Counter()
    listed = subprocess.run(["nm", "-S", "-C", str(library)], capture_output=True, text=True, check=True).stdout
    for found in re.finditer(r"^[0-9a-f]+ ([0-9a-f]+) [tTwW] (.+)$", listed, re.MULTILINE):
        name = re.sub(r"::h[0-9a-f]{16}|\.llvm\.\d+|\[clone .*\]", "", found[2]).strip()
        size[name] += int(found[1], 16)
        count[name] += 1
    return size.total(), size, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--package", default="rbe_py", help="package to build")
    parser.add_argument("--profile", default="release", help="cargo's profile")
    parser.add_argument("--file", type=Path, default=CHANGED, help="file to change, relative to the root")
    parser.add_argument("--functions", type=int, default=10, help="number of functions to list")
    args = parser.parse_args()
    if not (ROOT / args.file).is_file():
        parser.error(f"no file {args.file} in {ROOT}")
    subprocess.run(["cargo", "fetch", "--locked"], cwd=ROOT, check=True)  # downloads are not measured
    rustc = subprocess.check_output(["rustc", "--version"], text=True).strip()
    print(f"{cpu()}, {cores()} cores, {rustc}, rbe {revision()}, profile {args.profile}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "rbe"
        shutil.copytree(ROOT, tree, ignore=BUILT)
        command = ["cargo", "build", "--profile", args.profile, "--locked", "--package", args.package]
        environment = os.environ | {"CARGO_TARGET_DIR": str(tree / "target")}
        for what in ("clean", f"after a change of {args.file}"):
            if what != "clean":
                (tree / args.file).touch()
            start, before = time.perf_counter(), processor_time()
            subprocess.run(command, cwd=tree, env=environment, check=True)
            print(
                f"{what}: {time.perf_counter() - start:.1f} s, {processor_time() - before:.1f} s of processor time", flush=True
            )
        for library in sorted((tree / "target" / args.profile).glob("lib_rbe.*[!d]")):
            total, size, count = copies(library)
            print(f"{library.name}: {total / 1e6:.2f} MB of code in {count.total()} functions")
            for name, held in size.most_common(args.functions):
                print(f"{held / 1e3:9.1f} kB in {count[name]:5} copies of {name}")


if __name__ == "__main__":
    main()
