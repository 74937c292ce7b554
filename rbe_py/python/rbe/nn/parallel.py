"""Wrappers that distribute a model over devices in torch; here there is one device."""

from collections.abc import Sequence
from typing import Any

from .module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """Call the module, as torch does where there is no GPU. Products use all threads without it.

    Parameters
    ----------
    module : Module
        Named `module` in the state.
    device_ids, output_device, dim
        Without effect.

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.DataParallel(rbe.nn.Linear(2, 3))
    >>> model(rbe.zeros(1, 2)).shape, list(model.state_dict())
    ((1, 3), ['module.weight', 'module.bias'])
    """

    def __init__(
        self, module: Module, device_ids: Sequence[int] | None = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the module returns."""
        return self.module(*args, **kwargs)
