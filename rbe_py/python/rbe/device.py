"""The only device, the CPU."""

from typing import Any

from .errors import DeviceError

NAMES = {"cpu": None, "cpu:0": 0}


class device:
    """The device of tensors, always "cpu"; equal to that string.

    Parameters
    ----------
    name : str or device
        "cpu" or "cpu:0".

    Attributes
    ----------
    type : str
    index : int or None

    Raises
    ------
    DeviceError
        For any other.

    Examples
    --------
    >>> import rbe
    >>> rbe.device("cpu")
    device(type='cpu')
    >>> rbe.zeros(2).device == rbe.device("cpu") == "cpu"
    True
    >>> rbe.device("cuda")
    Traceback (most recent call last):
        ...
    rbe.errors.DeviceError: device: expected cpu, got cuda
    """

    def __init__(self, name: Any = "cpu") -> None:
        check_device("device", name)
        self.type = "cpu"
        self.index: int | None = name.index if isinstance(name, device) else NAMES[str(name)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device | str) and str(other) in NAMES

    def __hash__(self) -> int:
        return hash(self.type)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"


def check_device(op: str, name: object) -> None:
    """Raise DeviceError, which names `op`, unless `name` is the CPU or None."""
    if name is not None and str(name) not in NAMES:
        raise DeviceError(op, "cpu", str(name))
