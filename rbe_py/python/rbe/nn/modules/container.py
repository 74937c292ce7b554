"""Containers, under the name of torch's module."""

from ..containers import ModuleDict, ModuleList, ParameterList, Sequential

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]
