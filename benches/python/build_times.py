"""Time `cargo build --release -p rbe_py`: clean, in a folder of its own, and again after a change of one kernel."""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from machine import cores, cpu

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["cargo", "build", "--release", "--package", "rbe_py"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--file", type=Path, default=ROOT / "rbe_core" / "src" / "kernel" / "packed.rs", help="what changes")
    args = parser.parse_args()
    subprocess.run(["cargo", "fetch", "--locked"], cwd=ROOT, check=True)
    print(f"{cpu()}, {cores()} cores, {subprocess.check_output(['rustc', '--version'], text=True).strip()}", flush=True)
    with tempfile.TemporaryDirectory() as target:
        for what in ("clean", f"after a change of {args.file.name}"):
            if what != "clean":
                args.file.touch()
            start = time.perf_counter()
            subprocess.run(COMMAND, cwd=ROOT, env=os.environ | {"CARGO_TARGET_DIR": target}, check=True)
            print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
