"""Every example in a docstring of the package runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest
import rbe

MODULES = sorted(m.name for m in pkgutil.walk_packages(rbe.__path__, "rbe.") if not m.name.startswith("rbe._rbe"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
