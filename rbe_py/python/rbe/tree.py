"""Nested state as flat names and a description of the nesting, and back."""

import json
from collections.abc import Mapping
from typing import Any

from ._rbe import RBETensor
from .errors import DTypeError, FormatError


def flatten(state: Mapping[Any, Any]) -> tuple[dict[str, RBETensor], str | None]:
    """Return the tensors of nested mappings, lists and tuples by dotted name, and the nesting as JSON.

    Numbers, strings, bools and None stand in the JSON. A mapping of names to tensors alone needs none.

    Raises
    ------
    DTypeError
        For a leaf or a key of another kind.
    FormatError
        For two tensors of one dotted name.
    """
    if all(isinstance(k, str) and isinstance(v, RBETensor) for k, v in state.items()):
        return dict(state), None
    tensors: dict[str, RBETensor] = {}

    def walk(node: Any, path: str) -> Any:
        below = f"{path}." if path else ""
        if isinstance(node, RBETensor):
            if path in tensors:
                raise FormatError("save", "tensors of different dotted names", f"{path!r} twice")
            tensors[path] = node
            return {"tensor": path}
        if isinstance(node, Mapping):
            for key in node:
                if not isinstance(key, str | int) or isinstance(key, bool):
                    raise DTypeError("save", f"names or whole numbers as keys of {path or 'the state'!r}", type(key).__name__)
            return {"dict": [[key, walk(value, f"{below}{key}")] for key, value in node.items()]}
        if isinstance(node, list | tuple):
            kind = "list" if isinstance(node, list) else "tuple"
            return {kind: [walk(value, f"{below}{i}") for i, value in enumerate(node)]}
        if node is None or isinstance(node, bool | int | float | str):
            return {"value": node}
        raise DTypeError("save", f"a tensor, number, string, or a nesting of them for {path!r}", type(node).__name__)

    return tensors, json.dumps(walk(state, ""))


def unflatten(tensors: dict[str, RBETensor], nesting: str) -> dict[Any, Any]:
    """Return the state that `flatten` took apart.

    Raises
    ------
    FormatError
        If the nesting is malformed, or names a tensor that is not there.
    """

    def build(node: Any) -> Any:
        ((kind, content),) = node.items()
        if kind == "tensor":
            return tensors[content]
        if kind == "dict":
            return {key: build(value) for key, value in content}
        if kind == "list":
            return [build(value) for value in content]
        if kind == "tuple":
            return tuple(build(value) for value in content)
        if kind == "value":
            return content
        raise ValueError(f"unknown kind {kind!r}")

    try:
        state = build(json.loads(nesting))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise FormatError("load", "a description of the nesting", str(e)) from e
    if not isinstance(state, dict):
        raise FormatError("load", "a mapping as the outermost part", type(state).__name__)
    return state
