"""Sizes of nothing, of less than that and of more than there is: a typed error or a result, for every layer and function.

A panic in Rust is no Exception of Python: nothing here catches it, so that it fails the test.
"""

import contextlib
import inspect

import pytest
import rbe
from rbe import nn

F = nn.functional

SIZES = (0, 1, 3, -1, 2**62)
LAYERS = {
    name: layer
    for name in nn.__all__
    if inspect.isclass(layer := getattr(nn, name)) and issubclass(layer, nn.Module) and layer is not nn.Module
}
FUNCTIONS = {f"{m.__name__}.{n}": getattr(m, n) for m, ns in ((F, F.__all__), (rbe, rbe.__all__)) for n in ns}
FUNCTIONS = {
    name: function
    for name, function in FUNCTIONS.items()
    if inspect.isroutine(function) and not name.split(".")[-1].startswith(("set_", "manual_seed", "_"))
}
INPUTS = [(0,), (0, 3), (3, 0), (1, 3), (1, 3, 3), (0, 3, 3), (1, 3, 0, 3), (1, 3, 3, 3)]


def refused():
    return contextlib.suppress(rbe.RBEError, TypeError, ValueError)


def counts(function):
    """Return the names of the parameters that are integers, or sizes, and how many parameters have no default."""
    parameters = inspect.signature(function).parameters.values()
    whole = [p.name for p in parameters if "int" in str(p.annotation).replace("interpolate", "")]
    return whole, [
        p.name for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD and p.name != "self"
    ]


def used(layer):
    """Run a layer and its backward pass on inputs of many shapes."""
    for shape in INPUTS:
        x = rbe.ones(*shape, requires_grad=True)
        for inputs in ((x,), (x, x, x)):
            with refused():
                out = layer(*inputs)
                out = out[0] if isinstance(out, tuple) else out
                out.sum().backward()
    with refused():
        layer(rbe.zeros(0, 3, dtype="int64"))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_any_size(name):
    layer = LAYERS[name]
    whole, needed = counts(layer.__init__)
    given = [dict.fromkeys(needed, 3) | {n: value} for n in {*needed, *whole} for value in SIZES]
    given += [dict.fromkeys(needed, value) for value in SIZES]
    for arguments in given:
        with refused():
            used(layer(**arguments))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_of_any_size(name):
    function = FUNCTIONS[name]
    try:
        whole, needed = counts(function)
    except ValueError:
        pytest.skip("a function without a signature")
    for shape in INPUTS[1::3]:
        for value in SIZES:
            for own in whole or needed:
                x = rbe.ones(*shape)
                arguments = {n: value if n in whole else x for n in needed} | {own: value}
                with refused():
                    function(**arguments)
