import os
import pickle
import subprocess
import sys

import pytest
import rbe
from instruction_sets import ALL

CLASSES = {
    "Shape": (rbe.ShapeError, ValueError),
    "DType": (rbe.DTypeError, TypeError),
    "NonFinite": (rbe.NonFiniteError, ValueError),
    "Value": (rbe.TensorError, ValueError),
    "Index": (rbe.OutOfRangeError, IndexError),
    "Graph": (rbe.GraphError, RuntimeError),
    "Device": (rbe.DeviceError, RuntimeError),
    "Format": (rbe.FormatError, OSError),
    "Memory": (rbe.OutOfMemoryError, MemoryError),
    "Config": (rbe.ConfigError, ValueError),
}


@pytest.mark.parametrize("variant", CLASSES)
def test_every_variant_has_its_class(variant):
    own, builtin = CLASSES[variant]
    with pytest.raises(own) as caught:
        rbe._rbe._raise_error(variant)
    error = caught.value
    assert type(error) is own
    assert isinstance(error, builtin)
    assert isinstance(error, rbe.RBEError)
    assert (error.op, error.expected, error.got) == ("operation", "this", "that")
    assert str(error) == "operation: expected this, got that"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (own, str(error))


def test_the_table_is_complete():
    source = (os.path.dirname(__file__), "..", "..", "rbe_core", "src", "error.rs")
    with open(os.path.join(*source), encoding="utf-8") as file:
        text = file.read().split("pub enum RbeError")[1].split("\n}")[0]
    variants = {line.strip().split("(")[0] for line in text.splitlines() if "(Detail)" in line}
    assert variants == set(CLASSES)


def test_thread_counts():
    for n in (0, -1, 5000):
        with pytest.raises(rbe.ConfigError, match="set_num_threads"):
            rbe.set_num_threads(n)
    rbe.set_num_threads(3)
    assert rbe.get_num_threads() == 3


def run(code, *arguments, **env):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"RBE_ISA": "mmx"}, "one of scalar"),
        ({"RBE_NUM_THREADS": "none"}, "integer"),
        ({"RBE_NUM_THREADS": "0"}, "integer"),
        ({"RBE_SPIN_US": "-1"}, "integer from 0"),
        ({"RBE_LOG": "loud"}, "warning"),
    ],
)
def test_malformed_environment_fails_at_import(env, text):
    result = run("import rbe", **env)
    assert result.returncode != 0
    assert "ConfigError" in result.stderr
    assert text in result.stderr


def test_the_log_names_the_settings():
    result = run("import rbe", RBE_LOG="info", RBE_ISA="scalar", RBE_NUM_THREADS="2")
    assert "scalar kernels, 2 threads" in result.stderr
    assert run("import rbe").stderr == ""


def test_forced_settings_are_live():
    result = run("import rbe; print(rbe.isa(), rbe.get_num_threads())", RBE_ISA="scalar", RBE_NUM_THREADS="3")
    assert result.stdout.split() == ["scalar", "3"]


def test_a_forced_set_is_live_or_refused():
    for name in ALL:
        result = run("import rbe; print(rbe.isa())", RBE_ISA=name)
        assert result.stdout.strip() == name or "ConfigError" in result.stderr


FORK = """
import os, signal, sys, threading, rbe
x = rbe.randn(512, 512)
expected = (x @ x).sum().item()
layer = rbe.RBELinear(256, 256)

def work():
    while busy:
        layer(rbe.randn(64, 256)).sum().backward()

busy = sys.argv[1] == "busy"
threads = [threading.Thread(target=work) for _ in range(2 * busy)]
[t.start() for t in threads]
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a process that hangs is ended with -14
        layer(rbe.randn(64, 256)).sum().backward()
        os._exit(0 if (x @ x).sum().item() == expected else 1)
    layer(rbe.randn(64, 256)).sum().backward()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
busy = False
"""


@pytest.mark.parametrize("parent", ["idle", "busy"])
def test_a_forked_process_computes_with_threads_of_its_own(parent):
    result = run(FORK, parent, RBE_NUM_THREADS="2")
    assert result.stdout.split() == ["0"] * 20, result.stderr


INTERRUPT = """
import os, signal, threading, rbe
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
x = rbe.randn(64, 64, requires_grad=True)
try:
    while True:
        (x @ x).sum().backward()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_loop(ctrl_c):
    assert run(INTERRUPT).stdout.strip() == "interrupted"


def test_an_extension_built_from_other_sources_is_named_and_not_the_argument(monkeypatch):
    monkeypatch.delattr(rbe._rbe, "_random_packed")
    with pytest.raises(AttributeError, match=r"_rbe\S* was built from other sources .*'_random_packed'.*: build it again"):
        rbe.RBELinear(64, 2)
