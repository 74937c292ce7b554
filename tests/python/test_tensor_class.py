"""The tensor class: written in one file over one class of the compiled module, documented, and made nowhere else."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import rbe
from rbe import _functions, _rbe

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(inspect.getfile(_functions)).with_name("_tensor.py")
PUBLIC = [name for name in dir(rbe.RBETensor) if not name.startswith("_")]


def written():
    """Return the names that the file of the class defines in it."""
    (cls,) = [node for node in ast.parse(FILE.read_text(encoding="utf-8")).body if getattr(node, "name", "") == "RBETensor"]
    functions = {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}
    assigned = {target.id for node in cls.body if isinstance(node, ast.Assign) for target in node.targets}
    return functions | assigned | {node.target.id for node in cls.body if isinstance(node, ast.AnnAssign)}


def test_the_class_lies_over_one_class_of_the_compiled_module():
    assert rbe.RBETensor.__mro__ == (rbe.RBETensor, _rbe.TensorBase, object)
    assert rbe.RBEGradient.__mro__ == (rbe.RBEGradient, _rbe.GradientBase, object)


def test_nothing_is_added_to_the_class_at_import():
    made_by_python = {"__doc__", "__annotations__", "__static_attributes__", "__firstlineno__", "__annotate_func__"}
    assert set(vars(rbe.RBETensor)) - made_by_python <= written()


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_member_is_documented(name):
    assert len(inspect.getdoc(getattr(rbe.RBETensor, name)) or "") > 10


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_method_shows_its_parameters(name):
    member = getattr(rbe.RBETensor, name)
    if callable(member):
        inspect.signature(member)


def test_results_are_of_the_class():
    x = rbe.nn.Parameter(rbe.ones(2, 2))
    results = [
        x + 1,
        x.exp(),
        x.sum(),
        x[0],
        x.detach(),
        *x.split(1),
        *x.sort(),
        rbe.zeros(2),
        rbe.exp(np.ones(2)),
        rbe.cat([x, x]),
    ]
    assert {type(y) for y in results} == {rbe.RBETensor}
    x.exp().sum().backward()
    assert type(x.grad) is rbe.RBETensor


def test_only_one_class_is_that_of_the_results():
    class Second(rbe.RBETensor):
        pass

    with pytest.raises(rbe.TensorError, match="Second"):
        _rbe._class_of_results(Second)
    with pytest.raises(rbe.TensorError, match="dict"):
        _rbe._class_of_results(dict)
    assert type(rbe.ones(1)) is rbe.RBETensor


def test_the_compiled_module_asks_the_package_for_classes_only():
    imports = set()
    for path in (ROOT / "rbe_py" / "src").glob("*.rs"):
        imports |= set(re.findall(r'import\("(rbe[.\w]*)"\)', path.read_text(encoding="utf-8")))
    assert imports <= {"rbe.errors", "rbe.dtypes"}


@pytest.mark.parametrize("row", _rbe._OPERATIONS, ids=lambda row: row[0])
def test_a_declared_operation_has_all_its_forms(row):
    name, tensors, has_function, in_place, parameters = row
    x, y = rbe.tensor([0.5, 1.5]), rbe.tensor([2.0, 0.25])
    if name == "matmul":
        assert rbe.matmul(x, y).item() == x.matmul(y).item() == 1.375
        return
    if name.startswith("logical"):
        x, y = x.bool(), y.bool()
    others = (y,) if tensors == 2 else ()
    expected = getattr(x, name)(*others)
    if has_function:
        assert rbe.equal(getattr(rbe, name)(x, *others), expected)
        assert rbe.equal(getattr(rbe, name)(x.numpy(), *others), expected)
    if in_place:
        same = x.clone()
        assert getattr(same, in_place)(*others) is same
        assert rbe.equal(same, expected.to(same.dtype))
    for parameter, default in parameters:
        assert rbe.equal(getattr(x, name)(**{parameter: default}), expected)
