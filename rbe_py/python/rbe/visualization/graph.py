"""The recorded operations of a result, as SVG."""

import os
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from .._arguments import describe
from .._tensor import RBETensor
from ..errors import DTypeError, FormatError, GraphError
from ..nn.module import Module
from ._axes import Path, parameters_of

__all__ = ["graph"]

WIDTH, HEIGHT, GAP_X, GAP_Y = 150, 40, 24, 36


def graph(output: RBETensor, model: Module | None = None, path: Path | None = None) -> str:
    """Return the operations that led to a tensor as SVG: boxes with name and shape, parameters with name and bytes.

    Parameters
    ----------
    output : tensor
        A result of recorded operations, such as `model(x)` or a loss.
    model : Module, optional
        Its parameters' names label the leaves.
    path : path, optional
        File to write.

    Raises
    ------
    GraphError
        For a tensor that is not the result of a recorded operation.
    DTypeError
        If `output` is not a tensor or `model` not a Module.
    FormatError
        If the file cannot be written.

    Examples
    --------
    >>> import rbe
    >>> model = rbe.nn.Sequential(rbe.RBELinear(64, 8), rbe.nn.ReLU())
    >>> svg = rbe.visualization.graph(model(rbe.zeros(2, 64)), model)
    >>> [name in svg for name in ("packed_linear", "relu", "0.weight", "0.bias")]
    [True, True, True, True]
    """
    if not isinstance(output, RBETensor):
        raise DTypeError("graph", "a tensor", describe(output))
    if output.grad_fn is None:
        raise GraphError("graph", "the result of a recorded operation", "a leaf or a tensor computed without recording")
    names = {hash(p): (name, p) for name, p in parameters_of("graph", model)} if model is not None else {}
    boxes, edges, depth = _walk(output.grad_fn, names)
    rows: dict[int, list[Any]] = {}
    for key in boxes:
        rows.setdefault(depth[key], []).append(key)
    deepest = max(rows)
    place = {
        key: (GAP_X + i * (WIDTH + GAP_X), GAP_Y + (deepest - level) * (HEIGHT + GAP_Y))
        for level, keys in rows.items()
        for i, key in enumerate(keys)
    }
    width = GAP_X + max(len(keys) for keys in rows.values()) * (WIDTH + GAP_X)
    height = 2 * GAP_Y + len(rows) * (HEIGHT + GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    ]
    for start, end in edges:
        (x0, y0), (x1, y1) = place[start], place[end]
        line = f'x1="{x0 + WIDTH / 2}" y1="{y0 + HEIGHT}" x2="{x1 + WIDTH / 2}" y2="{y1}"'
        parts.append(f'<line {line} stroke="#555" marker-end="url(#a)"/>')
    for key, (title, text, colour) in boxes.items():
        x, y = place[key]
        parts.append(f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{colour}" stroke="#555"/>')
        for line, dy in ((title, 16), (text, 32)):
            parts.append(f'<text x="{x + WIDTH / 2}" y="{y + dy}" text-anchor="middle">{escape(line)}</text>')
    svg = "\n".join([*parts, "</svg>"])
    if path is not None:
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(svg + "\n")
        except (OSError, ValueError) as e:
            raise FormatError("graph", f"a picture that can be written at {os.fspath(path)!r}", str(e)) from e
    return svg


def _walk(
    root: Any, names: Mapping[int, tuple[str, RBETensor]]
) -> tuple[dict[Any, Any], list[tuple[Any, Any]], dict[Any, int]]:
    """Return boxes (title, text, colour), edges from inputs to results, and the longest path from each box to the root."""
    boxes: dict[Any, tuple[str, str, str]] = {}
    edges: list[tuple[Any, Any]] = []
    nodes = {root._id: root}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        boxes["node", node._id] = (node.name(), ", ".join(str(tuple(shape)) for shape in node._shapes), "#e8eefc")
        for parent in node.next_functions:
            if parent is not None:
                edges.append((("node", parent._id), ("node", node._id)))
                if parent._id not in nodes:
                    nodes[parent._id] = parent
                    waiting.append(parent)
        for leaf in node._leaves:
            name, p = names.get(leaf, ("leaf", None))
            text = "" if p is None else f"{tuple(p.shape)}, {p.nbytes:,} B"
            boxes["leaf", leaf] = (name, text, "#d9f2d9" if p is not None and p.is_packed else "#f4f4f4")
            edges.append((("leaf", leaf), ("node", node._id)))
    # Operations are numbered in the order in which they ran, so an operation comes after its inputs.
    depth: dict[Any, int] = {("node", root._id): 0}
    consumers: dict[Any, list[Any]] = {}
    for start, end in edges:
        consumers.setdefault(start, []).append(end)
    for number in sorted(nodes, reverse=True):
        key = ("node", number)
        depth[key] = max((depth[c] + 1 for c in consumers.get(key, ())), default=0)
    for key in boxes:
        if key[0] == "leaf":
            depth[key] = max(depth[c] + 1 for c in consumers[key])
    return boxes, edges, depth
