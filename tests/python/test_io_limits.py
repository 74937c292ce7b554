"""Reading files: paths, files that change meanwhile, memory that reading takes, and memory that is refused."""

import json
import os
import subprocess
import sys

import pytest
import rbe
from damaged_files import entry, nested, raw


@pytest.mark.parametrize("path", [5, None, 1.5, ["x"], object()])
def test_what_is_no_path_is_a_typed_error(path):
    for call in (
        lambda: rbe.load(path),
        lambda: rbe.save(path, {"a": rbe.zeros(1)}),
        lambda: rbe.data.read_idx(path),
        lambda: rbe.data.read_numpy(path),
        lambda: rbe.data.read_csv(path),
        lambda: rbe.data.Text(path),
        lambda: rbe.data.find_idx(path, "x"),
    ):
        with pytest.raises(rbe.DTypeError, match="path"):
            call()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", "x" * 300, "missing", "folder", "fifo", "/dev/null"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    path = str(tmp_path / name) if name else ""
    for read in (rbe.load, rbe.io.load_with_metadata, rbe.data.read_idx, rbe.data.read_numpy, rbe.data.read_csv, rbe.data.Text):
        with pytest.raises(rbe.FormatError):
            read(path)


def test_paths_may_be_bytes_and_path_objects(tmp_path):
    path = os.fsencode(tmp_path / "x")
    rbe.save(path, {"a": rbe.ones(1)})
    assert rbe.load(path)["a"].item() == rbe.load(tmp_path / "x")["a"].item() == 1


TRUNCATING = """
import os, sys, threading, rbe
path = sys.argv[1]
rbe.save(path, {"a": rbe.zeros(1 << 20)})
data = open(path, "rb").read()
for i in range(20):
    with open(path, "wb") as file:
        file.write(data)
    thread = threading.Thread(target=os.truncate, args=(path, 4096))
    thread.start()
    try:
        rbe.load(path)
    except rbe.FormatError:
        pass
    thread.join()
"""


def test_a_file_truncated_while_it_is_read_is_at_worst_an_error(tmp_path):
    assert subprocess.run([sys.executable, "-c", TRUNCATING, tmp_path / "x"], timeout=100).returncode == 0


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("spaces", raw(b"{}" + b" " * 9_999_998)),
        ("one name", raw({"x" * 9_999_999: entry("F32", [0], 0, 0)})),
        ("tensors", raw({f"{i:x}": entry("F32", [0], 0, 0) for i in range(30_000)})),
        ("texts", raw({"__metadata__": {f"{i:x}": "" for i in range(200_000)}})),
        ("lists", nested(json.dumps({"dict": [["a", {"tensor": "a"}], ["b", {"list": [{"list": []}] * 150_000}]]}))),
        ("numbers", nested('{"dict": [["a", {"value": [' + "1," * 1_000_000 + "1]}]]}")),
    ],
)
def test_a_large_header_costs_little_more_than_its_size(tmp_path, what, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    seconds, grown = cost(f"""
try:
    rbe.load({str(path)!r})
except rbe.FormatError:
    pass
""")
    assert grown <= 2 * len(content) + (64 << 20)
    assert seconds < 2  # 0.1 s and less on an idle machine


def cost(code):
    """Seconds of the processor that `code` takes, and bytes by which it raises the peak of its process's memory."""
    if not sys.platform.startswith("linux"):
        pytest.skip("wants /proc")
    script = f"""
import time, rbe
def size(key):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(key))
{code.partition("# ---")[0] if "# ---" in code else ""}
open("/proc/self/clear_refs", "w").write("5")
before, began = size("VmRSS"), time.process_time()
{code.partition("# ---")[2] if "# ---" in code else code}
print(time.process_time() - began, size("VmHWM") - before)
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert out.returncode == 0, out.stderr
    seconds, grown = out.stdout.split()
    return float(seconds), int(grown)


STATES = {
    "dense": '{"a": rbe.zeros(8 << 20)}',
    "transposed": '{"a": rbe.zeros(4 << 10, 2 << 10).T}',
    "packed": '{"w": rbe.RBELinear(1 << 12, 1 << 15, bias=False).weight.detach()}',
    "model": "rbe.nn.Sequential(rbe.RBELinear(1 << 12, 1 << 15), rbe.nn.ReLU()).state_dict()",
    "nested": '{"a": [rbe.zeros(4 << 20), {"b": (rbe.zeros(4 << 20), 1)}]}',
}


@pytest.mark.parametrize("kind", STATES)
def test_saving_and_loading_hold_little_beside_the_state(tmp_path, kind):
    path = str(tmp_path / "x")
    _, grown = cost(f"state = {STATES[kind]}\n# ---\nrbe.save({path!r}, state)")
    size = os.path.getsize(path)
    assert size >= 30 << 20
    assert grown <= 4 << 20  # a buffer: no tensor is copied whole
    _, grown = cost(f"state = rbe.load({path!r})")
    assert grown <= 1.2 * size


SWEEP = r"""
import json, os, resource, struct, sys, rbe
folder = sys.argv[1]
header = json.dumps({"__metadata__": {f"{i:x}": "" for i in range(100_000)}}).encode()
with open(f"{folder}/texts", "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header)
state = {
    "names": {str(i): [rbe.zeros(1), i, "\n" * 10] for i in range(5000)},
    "rows": rbe.zeros(1024, 1024).T,
    "packed": rbe.RBELinear(1024, 4096).weight.detach(),
    "text": "x" * 4_000_000,
    "bytes": b"x" * 4_000_000,
}
rbe.save(f"{folder}/state", state)
calls = {
    "load": lambda: rbe.load(f"{folder}/state"),
    "load texts": lambda: rbe.io.load_with_metadata(f"{folder}/texts"),
    "save": lambda: rbe.save(f"{folder}/out", state),
    "save a text": lambda: rbe.save(f"{folder}/out", {}, {"a": "\n" * 4_000_000}),
}
for name, call in calls.items():
    for mib in (0, 1, 4, 8, 16, 32, 64, 256):
        read, write = os.pipe()
        child = os.fork()
        if not child:
            rbe.memory.clear()
            with open("/proc/self/status") as status:
                size = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmSize"))
            resource.setrlimit(resource.RLIMIT_AS, (size + (mib << 20),) * 2)
            try:
                call()
                outcome = b"ok"
            except MemoryError:
                outcome = b"refused"
            except BaseException as e:
                outcome = type(e).__name__.encode()
            os.write(write, outcome)
            os._exit(0)
        os.close(write)
        outcome = os.read(read, 100).decode()
        os.close(read)
        status = os.waitpid(child, 0)[1]
        assert status == 0 and outcome in (("ok",) if mib == 256 else ("ok", "refused")), (name, mib, status, outcome)
names = sorted(os.listdir(folder))
assert names == ["out", "state", "texts"], names
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="wants /proc and limits of the address space")
def test_memory_that_is_not_there_is_an_error(tmp_path):
    out = subprocess.run([sys.executable, "-c", SWEEP, tmp_path], capture_output=True, text=True, timeout=200)
    assert out.returncode == 0, out.stderr[-2000:]
