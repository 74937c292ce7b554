"""Tensors and weights from torch and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _interchange, creation, dtypes
from ._tensor import RBETensor
from .errors import DTypeError, TensorError
from .nn.module import IncompatibleKeys, Module

__all__ = ["from_torch", "load_torch_state_dict", "to_torch"]


def from_torch(tensor: Any) -> RBETensor:
    """Return a tensor that shares the memory of a torch tensor on the CPU: writing to one changes the other.

    The tape does not go along: the result requires no grad.

    Parameters
    ----------
    tensor : torch.Tensor
        Of a type that tensors have, any strides.

    Raises
    ------
    DTypeError
        For another element type, or what is no torch tensor.
    DeviceError
        For one that is elsewhere than on the CPU.

    Examples
    --------
    >>> import rbe
    >>> import torch  # doctest: +SKIP
    >>> rbe.from_torch(torch.ones(2, 3)).shape  # doctest: +SKIP
    (2, 3)
    """
    if not hasattr(tensor, "detach") or not hasattr(tensor, "__dlpack__"):
        raise DTypeError("from_torch", "a torch tensor", type(tensor).__name__)
    creation.check_device("from_torch", getattr(tensor, "device", None))
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in {dtype.name for dtype in dtypes.ALL}:
        raise DTypeError("from_torch", f"{dtypes.KNOWN} (convert with .to())", name)
    return _interchange.from_dlpack(tensor.detach())


def to_torch(tensor: RBETensor) -> Any:
    """Return a torch tensor that shares the memory of a dense tensor: writing to one changes the other.

    Raises
    ------
    DTypeError
        For a packed tensor: use `to_dense()` first.
    DependencyError
        Without torch.

    Examples
    --------
    >>> import rbe
    >>> rbe.to_torch(rbe.ones(2, 3)).shape  # doctest: +SKIP
    torch.Size([2, 3])
    """
    return tensor.to_torch()


def _dense(value: Any) -> RBETensor:
    """Copy of an entry of a state dict, in an element type that tensors have."""
    if isinstance(value, RBETensor):
        return value
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        return creation.tensor(from_torch(value))
    return creation.tensor(np.asarray(value))


def _encoded(name: str, dense: RBETensor, own: RBETensor) -> RBETensor:
    """The packed tensor of the scale of `own` that is nearest to `dense`."""
    near = RBETensor.encode(dense, own.scale)
    if not np.allclose(near.to_dense().numpy(), RBETensor.encode(dense).to_dense().numpy(), rtol=1e-3, atol=1e-6):
        bound = f"levels of {name} within reach of its scale {own.scale:.4g}"
        raise TensorError("load_torch_state_dict", bound, f"weights up to {dense.abs().max().item():.4g}")
    return near


def load_torch_state_dict(
    module: Module, state_dict: Mapping[str, Any], *, encode: bool = False, strict: bool = True
) -> IncompatibleKeys:
    """Copy the weights of a torch model of the same structure into a module.

    Parameters
    ----------
    module : Module
    state_dict : mapping of str to torch tensor or array
        As of torch's `Module.state_dict()`; floats take the type of the parameter they are for.
    encode : bool
        Replace each packed parameter for which a dense one comes by the packed tensor nearest to it (`RBETensor.encode`);
        without it that is an error.
    strict : bool
        Raise for names that are missing or unexpected.

    Returns
    -------
    IncompatibleKeys
        Names that `state_dict` lacks, and names that the module has not.

    Raises
    ------
    ShapeError, TensorError
        As `Module.load_state_dict`; nothing has changed then.

    Examples
    --------
    >>> import rbe
    >>> dense, packed = rbe.nn.Linear(64, 8), rbe.RBELinear(64, 8)
    >>> rbe.load_torch_state_dict(packed, {"weight": dense.weight, "bias": dense.bias}, encode=True)
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    >>> error = packed.weight.to_dense() - dense.weight
    >>> bool((error.square().sum() / dense.weight.square().sum()) < 0.4)
    True
    """
    own = module.state_dict()
    loaded: dict[str, RBETensor] = {}
    for name, value in state_dict.items():
        t = _dense(value)
        target = own.get(name)
        if target is not None and not t.is_packed:
            if encode and target.is_packed and t.shape == target.shape:
                t = _encoded(name, t, target)
            elif not target.is_packed and t.dtype != target.dtype and target.dtype is not dtypes.bool:
                t = t.to(target.dtype)
        loaded[name] = t
    return module.load_state_dict(loaded, strict)
