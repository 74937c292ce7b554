"""Time `cargo build --release -p rbe_py` in a copy of the tree: clean, and again after a change of one kernel."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from machine import cores, cpu

ROOT = Path(__file__).resolve().parents[2]
BUILT = shutil.ignore_patterns(".*", "target", "out", "*.so", "__pycache__")  # not copied
CHANGED = Path("rbe_core/src/kernel/packed/products.rs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--package", default="rbe_py", help="package to build")
    parser.add_argument("--file", type=Path, default=CHANGED, help="file to change, relative to the root")
    args = parser.parse_args()
    if not (ROOT / args.file).is_file():
        parser.error(f"no file {args.file} in {ROOT}")
    subprocess.run(["cargo", "fetch", "--locked"], cwd=ROOT, check=True)  # downloads are not measured
    print(f"{cpu()}, {cores()} cores, {subprocess.check_output(['rustc', '--version'], text=True).strip()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "rbe"
        shutil.copytree(ROOT, tree, ignore=BUILT)
        command = ["cargo", "build", "--release", "--locked", "--package", args.package]
        environment = os.environ | {"CARGO_TARGET_DIR": str(tree / "target")}
        for what in ("clean", f"after a change of {args.file}"):
            if what != "clean":
                (tree / args.file).touch()
            start = time.perf_counter()
            subprocess.run(command, cwd=tree, env=environment, check=True)
            print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
