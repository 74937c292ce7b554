"""Every example in a docstring of the package runs and prints what it says."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
import rbe

MODULES = sorted(m.name for m in pkgutil.walk_packages(rbe.__path__, "rbe.") if not m.name.startswith("rbe.testing.plugin"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    try:
        module = importlib.import_module(name)
    except rbe.DependencyError as error:
        pytest.skip(str(error))
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


PUBLIC = ["rbe"] + [
    f"rbe.{name}"
    for name in (
        "accelerator", "amp", "autograd", "backend", "callbacks", "cluster", "config", "cuda", "data", "distributions", "errors", "io", "jit", "layers",
        "linalg", "linear_model", "memory", "metal", "neighbors",
        "nn", "nn.functional", "nn.init", "nn.parallel", "nn.utils", "nn.utils.rnn", "operations", "ops", "optim", "optim.lr_scheduler", "profiler",
        "testing", "trainer", "training", "visualization",
    )
]  # fmt: skip


def public_names(module):
    """Names that a module exports: those it lists, or those it defines."""
    listed = getattr(module, "__all__", None)
    return listed or [
        n for n, v in vars(module).items() if not n.startswith("_") and getattr(v, "__module__", None) == module.__name__
    ]


def test_the_public_modules_are_all_there():
    own = {f"rbe.{name}" for name in rbe.__all__ if inspect.ismodule(getattr(rbe, name))} - {"rbe.utils"}
    assert own <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented_with_an_example(name):
    module = importlib.import_module(name)
    names = public_names(module)
    assert names
    assert module.__doc__
    without = []
    for key in names:
        value = getattr(module, key)
        if inspect.ismodule(value) or not callable(value):
            continue
        text = value.__doc__ or ""
        if ">>>" not in text:
            without.append(key)
    assert without == [], f"{name}: no docstring with an example"
