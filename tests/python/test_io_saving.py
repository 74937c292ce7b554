"""What saving does to files, folders and other processes."""

import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
import rbe

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_stays_and_what_it_names_is_replaced(tmp_path, hops, dangling):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "file"
    if not dangling:
        rbe.save(target, {"a": rbe.zeros(1)})
    last = "real/file"  # relative to the folder of the link, not to the working one
    for i in range(hops):
        (tmp_path / f"link{i}").symlink_to(last)
        last = f"link{i}"
    link = tmp_path / last
    rbe.save(link, {"a": rbe.ones(1)})
    assert link.is_symlink()
    assert not target.is_symlink()
    assert rbe.load(target)["a"].item() == rbe.load(link)["a"].item() == 1
    assert names(tmp_path / "real") == ["file"]


@posix
def test_links_without_end_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(rbe.FormatError):
        rbe.save(tmp_path / "a", {"a": rbe.zeros(1)})
    assert names(tmp_path) == ["a", "b"]


@posix
@pytest.mark.parametrize("bits", [0o600, 0o640, 0o666, 0o755])
def test_a_file_keeps_its_permissions(tmp_path, bits):
    path = tmp_path / "x"
    rbe.save(path, {"a": rbe.zeros(1)})
    path.chmod(bits)
    rbe.save(path, {"a": rbe.ones(1)})
    assert mode(path) == bits


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o007])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        rbe.save(tmp_path / "x", {"a": rbe.zeros(1)})
    finally:
        os.umask(before)
    assert mode(tmp_path / "x") == 0o666 & ~mask


@posix
def test_the_umask_of_the_process_is_left_alone(tmp_path):
    # A thread that makes files all the time sees its own mask at every moment.
    seen, stop = set(), threading.Event()

    def make():
        i = 0
        while not stop.is_set():
            path = tmp_path / f"other{i % 10}"
            path.unlink(missing_ok=True)
            path.touch()
            seen.add(mode(path))
            i += 1

    before = os.umask(0o077)
    thread = threading.Thread(target=make)
    thread.start()
    try:
        for _ in range(50):
            rbe.save(tmp_path / "x", {"a": rbe.zeros(1)})
    finally:
        stop.set()
        thread.join()
        os.umask(before)
    assert seen <= {0o600}


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_protected_file_is_left_alone(tmp_path):
    path = tmp_path / "x"
    rbe.save(path, {"a": rbe.zeros(1)})
    path.chmod(0o444)
    with pytest.raises(rbe.FormatError, match="ermission"):
        rbe.save(path, {"a": rbe.ones(1)})
    assert rbe.load(path)["a"].item() == 0
    assert names(tmp_path) == ["x"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "x"
    rbe.save(path, {"a": rbe.zeros(1)})
    path.chmod(0o640)
    os.chown(path, 12345, 23456)
    rbe.save(path, {"a": rbe.ones(1)})
    about = path.stat()
    assert (about.st_uid, about.st_gid, mode(path)) == (12345, 23456, 0o640)


@pytest.mark.parametrize(
    "target", ["folder", "fifo", "missing/x", "file/x", "folder/", "", "x" * 300, "a\0b", "\ud800", "/dev/full", "/proc/x"]
)
def test_targets_that_cannot_be_written_are_typed_errors(tmp_path, target):
    rbe.save(tmp_path / "file", {"a": rbe.zeros(1)})
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(rbe.FormatError, match="save"):
        rbe.save(f"{tmp_path}/{target}" if target and target[0] != "/" else target, {"a": rbe.ones(1)})
    assert names(tmp_path) == ["fifo", "file", "folder"]
    assert names(tmp_path / "folder") == []


LIMITED = """
import resource, signal, sys, rbe
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    rbe.save(sys.argv[1], {"a": rbe.zeros(1 << 20)})
except rbe.FormatError as e:
    print(e)
"""


@posix
def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    rbe.save(path, {"a": rbe.zeros(3)})
    before = path.read_bytes()
    out = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True, timeout=100)
    assert "save: expected a file that can be written" in out.stdout, out
    assert path.read_bytes() == before
    assert names(tmp_path) == ["x"]


SAVING = """
import sys, rbe
path, start = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
for k in range(start, 10**9):
    rbe.save(path, {"a": rbe.full((100_000,), float(k)), "w": rbe.RBELinear(64, 64).weight.detach(), "k": k})
"""


def saver(path, start=1):
    process = subprocess.Popen([sys.executable, "-c", SAVING, path, str(start)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    return process


@posix
def test_processes_killed_while_they_save_leave_a_file_that_loads_and_nothing_else(tmp_path):
    path, rng, k = tmp_path / "x", random.Random(0), 0
    rbe.save(path, {"a": rbe.zeros(1), "k": 0})
    for _ in range(3):
        process = saver(path, k + 1)
        time.sleep(0.05 + 0.1 * rng.random())
        process.kill()
        process.wait()
        process.stdout.close()
        state = rbe.load(path)
        assert state["k"] >= k
        assert (state["a"].numpy() == state["k"]).all()
        k = state["k"]
    rbe.save(tmp_path / "another", {"a": rbe.zeros(1)})
    assert names(tmp_path) == ["another", "x"]


@posix
def test_only_files_that_nobody_writes_are_swept(tmp_path):
    dead, alive, foreign = (tmp_path / name for name in (".rbe-0123456789abcdef.tmp", ".rbe-fedcba9876543210.tmp", ".rbe-mine"))
    for path in (dead, alive, foreign):
        path.write_bytes(b"x")
    script = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, alive], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"locked\n"
        rbe.save(tmp_path / "x", {"a": rbe.zeros(1)})
        assert names(tmp_path) == [alive.name, foreign.name, "x"]
    finally:
        holder.communicate()
    rbe.save(tmp_path / "x", {"a": rbe.zeros(1)})
    assert names(tmp_path) == [foreign.name, "x"]


@posix
def test_processes_and_threads_may_save_at_the_same_time(tmp_path):
    processes = [saver(tmp_path / f"x{i % 2}") for i in range(3)]
    errors = []

    def save(i):
        try:
            for k in range(30):
                rbe.save(tmp_path / f"x{i % 2}", {"a": rbe.full((100_000,), float(k)), "k": k})
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=save, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        assert process.poll() is None  # none failed
        process.terminate()
        process.wait()
        process.stdout.close()
    assert errors == []
    rbe.save(tmp_path / "x0", {"a": rbe.zeros(1), "k": 0})
    assert names(tmp_path) == ["x0", "x1"]
    state = rbe.load(tmp_path / "x1")
    assert (state["a"].numpy() == state["k"]).all()


@posix
def test_an_interrupted_save_leaves_no_temporary_file(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    path, state = tmp_path / "x", {"a": rbe.zeros(1_000_000)}
    rbe.save(path, state)
    rng, before = random.Random(1), signal.signal(signal.SIGALRM, interrupt)
    came = 0
    try:
        for _ in range(40):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 5e-3))
                rbe.save(path, state)
                time.sleep(0.01)
            except KeyboardInterrupt:
                came += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert came == 40
    assert names(tmp_path) == ["x"]
    assert len(rbe.load(path)["a"]) == 1_000_000


def test_other_threads_run_while_a_file_is_written_and_read(tmp_path):
    path, state, count, stop = tmp_path / "x", {"a": rbe.zeros(10_000_000)}, [0], threading.Event()

    def tick():
        while not stop.is_set():
            count[0] += 1
            time.sleep(0)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody takes the GIL from a thread that does not let it go
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        for call in (lambda: rbe.save(path, state), lambda: rbe.load(path)):
            start = count[0]
            call()
            assert count[0] > start
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
