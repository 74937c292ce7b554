"""Torch's names for mixed precision, which change nothing here.

Dense operations compute in the type of their tensors, and packed layers choose int8 or float32 products by
`rbe.set_packed_matmul_precision`. Scripts that ask for mixed precision run unchanged, in full precision.
"""

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

from ._tensor import RBETensor
from .errors import DTypeError

__all__ = ["GradScaler", "autocast"]

C = TypeVar("C", bound=Callable[..., Any])


class autocast:
    """A context, or a decorator, in which torch computes in a shorter type; here operations keep the type of their tensors.

    Parameters
    ----------
    device_type : str
        Name of a device; "cuda" is accepted as torch accepts it where there is no GPU.
    dtype, enabled, cache_enabled
        Without effect.

    Raises
    ------
    DTypeError
        For a device_type that is not a name.

    Examples
    --------
    >>> import rbe
    >>> with rbe.autocast("cpu"):
    ...     print((rbe.ones(2, 2) @ rbe.ones(2, 2)).dtype)
    rbe.float32
    """

    def __init__(
        self, device_type: str = "cpu", dtype: object = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise DTypeError("autocast", "the name of a device", type(device_type).__name__)
        self.device, self.fast_dtype, self.enabled = device_type, dtype, enabled

    def __enter__(self) -> "autocast":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave the context; exceptions pass."""

    def __call__(self, function: C) -> C:
        """Return the function, which computes as outside."""

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]


class GradScaler:
    """Torch's scale of losses, with which gradients in float16 do not vanish; here the scale is 1, as of one that is disabled.

    Parameters
    ----------
    device, init_scale, growth_factor, backoff_factor, growth_interval, enabled
        Without effect.

    Examples
    --------
    >>> import rbe
    >>> p = rbe.nn.Parameter(rbe.tensor([1.0]))
    >>> optimizer, scaler = rbe.optim.SGD([p], lr=0.5), rbe.amp.GradScaler()
    >>> scaler.scale(p.sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> p.tolist(), scaler.get_scale()
    ([0.5], 1.0)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        """Take torch's arguments."""

    def scale(self, outputs: RBETensor) -> RBETensor:
        """Return the loss."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Do nothing."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Call the optimiser's step."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: object = None) -> None:
        """Do nothing."""

    def get_scale(self) -> float:
        """Return 1."""
        return 1.0

    def is_enabled(self) -> bool:
        """Return False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing."""
