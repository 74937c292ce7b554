"""Functions that make and change tensors, as a module: `import rbe.tensor as tensor; tensor.zeros([3, 4])`.

`rbe.tensor` is also the function that makes a tensor of numbers; it has the names of this module as attributes, so that it
serves as the module does.
"""

from typing import Any

from . import _functions
from ._functions import *  # noqa: F403 (the functions of operations, listed there)
from ._interchange import from_dlpack, from_numpy
from ._random import rand, rand_like, randint, randn, randn_like, randperm
from .creation import arange, as_tensor, empty, eye, full, full_like, linspace, ones, ones_like, zeros, zeros_like
from .functional_ops import cat, concat, stack, where
from .variables import create_tensor

__all__ = [
    "arange", "as_tensor", "cat", "concat", "create_tensor", "empty", "eye", "from_dlpack", "from_numpy", "full", "full_like",
    "linspace", "ones", "ones_like", "rand", "rand_like", "randint", "randn", "randn_like", "randperm", "stack", "where",
    "zeros", "zeros_like",
]  # fmt: skip
__all__ += _functions.__all__


def lend_names(function: Any) -> None:
    """Give `function`, that makes tensors, the names of this module as attributes."""
    for name in __all__:
        setattr(function, name, globals()[name])
