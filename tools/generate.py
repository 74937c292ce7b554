"""Writes what follows from the declarations of operations: stubs, functions of the methods, the list of operations.

`make generate` runs it; `make lint` fails where a file is not what it writes.

* `rbe/_rbe.pyi`: methods and functions of the element-wise operations that the core declares, and all docstrings.
* `rbe/_functions.py`: a function for every method whose docstring has an example that calls the function.
* `design/operations.md`: all operations, with what they do.
"""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rbe import _rbe
from rbe._tensor import RBETensor

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "rbe_py" / "python" / "rbe" / "_rbe.pyi"
CLASS = ROOT / "rbe_py" / "python" / "rbe" / "_tensor.py"
KINDS = ROOT / "rbe_py" / "python" / "rbe" / "_methods"
FUNCTIONS = ROOT / "rbe_py" / "python" / "rbe" / "_functions.py"
PAGE = ROOT / "design" / "operations.md"

DECLARED = "    # Declared in the core: element-wise operations."
ARITHMETIC = ("add", "div", "pow", "sub")  # methods whose first operand, as functions, may be a number
PLAIN_TYPES = {
    "_Bool": "bool",
    "_bool": "bool",
    "_Float": "float",
    "_float": "float",
    "_Int": "int",
    '"RBETensor"': "RBETensor",
}
Signature = ast.FunctionDef


def docstring(text: str, indent: str) -> list[str]:
    """Return the lines of a docstring."""
    first, *rest = inspect.cleandoc(text).split("\n")
    if not rest:
        return [f'{indent}"""{first}"""']
    return [f'{indent}"""{first}', *(indent + line if line else "" for line in rest), f'{indent}"""']


def signature(source: list[str], node: Signature) -> str:
    """Return the text of a definition up to its colon."""
    text = "\n".join(source[node.lineno - 1 : node.body[0].lineno])
    end = node.body[0].col_offset if node.body[0].lineno == node.lineno else None
    if end is not None:
        return source[node.lineno - 1][:end].rstrip()
    body = "\n".join(source[node.body[0].lineno - 1 : node.body[0].lineno])
    head = text[: len(text) - len(body)] + source[node.body[0].lineno - 1][: node.body[0].col_offset]
    return head.rstrip()


def methods_of(path: Path, name: str) -> dict[str, tuple[str, Signature]]:
    """Return the public methods of a class: the text of the definition, without docstring, and its syntax tree."""
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    (body,) = [node.body for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == name]
    return {
        node.name: (signature(lines, node), node)
        for node in body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not node.decorator_list
    }


def all_methods() -> dict[str, tuple[str, Signature]]:
    """Return the public methods of tensors: of the compiled class, of the classes of formulas and of the tensor class."""
    found = methods_of(STUB, "TensorBase")
    for cls in reversed(RBETensor.__mro__[1:-2]):
        found |= methods_of(KINDS / f"{cls.__module__.rpartition('.')[2]}.py", cls.__name__)
    return found | methods_of(CLASS, "RBETensor")


def declared() -> list[tuple[str, int, bool, str, list[tuple[str, float]]]]:
    """Return the element-wise operations of the core."""
    return sorted(_rbe._OPERATIONS)


def stub() -> str:
    """Return the stub with what the core declares, and with the docstrings of all public methods."""
    text = STUB.read_text(encoding="utf-8")
    names = {name for name, _, _, in_place, _ in declared()} | {in_place for _, _, _, in_place, _ in declared()}
    lines = text.split("\n")
    tree = ast.parse(text)
    (base,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "TensorBase"]
    out: list[str] = []
    last = base.lineno
    for node in base.body:
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        between = [line for line in lines[last : start - 1] if line != DECLARED]
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.FunctionDef) and node.name in names:
            continue
        out += between
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            member = inspect.getattr_static(_rbe.TensorBase, node.name)
            out += lines[start - 1 : node.lineno - 1]
            is_setter = any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)
            if member.__doc__ and not is_setter:
                out += [signature(lines, node), *docstring(member.__doc__, "        ")]
            else:
                out += [f"{signature(lines, node)} ..."]
        else:
            out += lines[start - 1 : last]
    out.append(DECLARED)
    functions: list[str] = []
    for name, tensors, has_function, in_place, parameters in declared():
        others = ", other: Any" if tensors == 2 else "".join(f", {p}: _float = {default!r}" for p, default in parameters)
        for method in filter(None, (name, in_place)):
            out += [f"    def {method}(self{others}) -> RBETensor:"]
            out += docstring(getattr(_rbe.TensorBase, method).__doc__, "        ")
        if has_function:
            functions += [f"def {name}(input: Any{others}) -> RBETensor:", *docstring(getattr(_rbe, name).__doc__, "    ")]
    head, tail = lines[: base.lineno], lines[base.end_lineno :]
    marker = "# Functions of the element-wise operations that the core declares."
    if marker in tail:
        tail = tail[: tail.index(marker)]
    while tail and not tail[-1]:
        tail.pop()
    text = "\n".join([*head, *out, *tail, "", marker, *functions, ""])
    names = ", ".join(f'"{name}"' for name in sorted(_rbe.__all__))
    return re.sub(r"__all__ = \[.*?\]", lambda _: f"__all__ = [{names}]", text, count=1, flags=re.DOTALL)


def plain(annotation: ast.expr | None) -> str:
    """Return an annotation as `_functions.py` has it."""
    text = ast.unparse(annotation) if annotation is not None else "Any"
    for name, type_name in PLAIN_TYPES.items():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", type_name, text.replace("'", '"'))
    return text


def function(name: str, node: Signature, doc: str) -> list[str]:
    """Return the lines of the function that calls a method."""
    a = node.args
    positional, keyword, passed = ["input: Any"], [], []
    defaults: list[ast.expr | None] = [None] * (len(a.args) - len(a.defaults)) + list(a.defaults)
    for arg, default in zip(a.args[1:], defaults[1:], strict=True):
        positional.append(f"{arg.arg}: {plain(arg.annotation)}" + (f" = {ast.unparse(default)}" if default is not None else ""))
        passed.append(arg.arg)
    if a.vararg:
        positional.append(f"*{a.vararg.arg}: Any")
        passed.append(f"*{a.vararg.arg}")
    for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        keyword.append(f"{arg.arg}: {plain(arg.annotation)}" + (f" = {ast.unparse(default)}" if default is not None else ""))
        passed.append(f"{arg.arg}={arg.arg}")
    star = ["*"] if keyword and not a.vararg else []
    head = f"def {name}({', '.join([*positional, *star, *keyword])}) -> {plain(node.returns)}:"
    call = f".{name}({', '.join(passed)})"
    operand = f"left(input, {passed[0]})" if name in ARITHMETIC else "_rbe._as_tensor(input)"
    if plain(node.returns) == "Any":  # one of several overloads, which arguments of any type do not choose between
        body = [f"    x: Any = {operand}", f"    return x{call}"]
    else:
        body = [f"    return {operand}{call}"]
    doc = re.sub(r"\bself\b", "input", doc)
    return [head.replace("'", '"'), *docstring(doc, "    "), *body, "", ""]


def functions() -> str:
    """Return the module of functions."""
    methods = all_methods()
    rows = [name for name, _, has_function, _, _ in declared() if has_function]
    names = [
        name for name in sorted(methods)
        if name not in rows and f">>> rbe.{name}(" in (getattr(RBETensor, name).__doc__ or "")
    ]  # fmt: skip
    lines = [
        '"""Operations as functions, under torch\'s names. Written by `make generate` from the methods of the tensor class."""',
        "",
        "from collections.abc import Sequence",
        "from typing import Any",
        "",
        "from . import _rbe, linalg",
        "from ._rbe import (",
        *(f"    {name}," for name in rows),
        ")",
        "from ._results import Range, Ranked",
        "from ._tensor import RBETensor",
        "from .dtypes import DTypeLike",
        "from .functional_ops import left",
        "",
        "_Axis = int | Sequence[int] | None",
        "_Places = int | Sequence[int]",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in sorted([*rows, *names])),
        "]",
        "",
        "",
    ]
    for name in names:
        lines += function(name, methods[name][1], getattr(RBETensor, name).__doc__)
    return "\n".join(lines).rstrip("\n") + "\n"


def page() -> str:
    """Return the list of operations."""
    lines = [
        "# Operations",
        "",
        "Written by `make generate`. Every operation is a method of `RBETensor`; most are functions of the package, too, and",
        "some have a form in place.",
        "",
        "| method | function | in place | what it returns |",
        "| --- | --- | --- | --- |",
    ]
    rows = {name: (has_function, in_place) for name, _, has_function, in_place, _ in declared()}
    methods = all_methods()
    for name in sorted(methods):
        doc = getattr(RBETensor, name).__doc__ or ""
        if name.endswith("_") or not doc.startswith("Return"):
            continue
        has_function = rows[name][0] if name in rows else f">>> rbe.{name}(" in doc
        in_place = f"`{name}_`" if f"{name}_" in methods else ""
        first = doc.split("\n\n")[0].replace("\n", " ").removeprefix("Return ").replace("|", "\\|")
        lines.append(f"| `{name}` | {f'`rbe.{name}`' if has_function else ''} | {in_place} | {first} |")
    return "\n".join(lines) + "\n"


def formatted(path: Path, text: str) -> str:
    """Return Python code as ruff sorts and formats it."""
    for action in (["check", "--fix", "--select", "I,RUF022"], ["format"]):
        command: list[Any] = [sys.executable, "-m", "ruff", *action, "--quiet", "--stdin-filename", path, "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return text


def generated() -> dict[Path, str]:
    """Return the text that every generated file is to have."""
    return {STUB: formatted(STUB, stub()), FUNCTIONS: formatted(FUNCTIONS, functions()), PAGE: page()}


def main() -> int:
    """Write the files; with `--check` say which are not as they should be."""
    if "--check" in sys.argv[1:]:
        stale = [str(path.relative_to(ROOT)) for path, text in generated().items() if path.read_text(encoding="utf-8") != text]
        if stale:
            print(f"not what `make generate` writes: {', '.join(stale)}", file=sys.stderr)
        return 1 if stale else 0
    STUB.write_text(formatted(STUB, stub()), encoding="utf-8")  # first: the functions are made from its signatures
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
