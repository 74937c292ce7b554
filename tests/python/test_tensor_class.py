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
KINDS = rbe.RBETensor.__mro__[1:-2]
PUBLIC = [name for name in dir(rbe.RBETensor) if not name.startswith("_")]


def written():
    """Return the names that the file of the class defines in it."""
    (cls,) = [node for node in ast.parse(FILE.read_text(encoding="utf-8")).body if getattr(node, "name", "") == "RBETensor"]
    functions = {node.name for node in cls.body if isinstance(node, ast.FunctionDef)}
    assigned = {target.id for node in cls.body if isinstance(node, ast.Assign) for target in node.targets}
    return functions | assigned | {node.target.id for node in cls.body if isinstance(node, ast.AnnAssign)}


def test_the_class_lies_over_one_class_of_the_compiled_module():
    assert rbe.RBETensor.__mro__ == (rbe.RBETensor, *rbe.RBETensor.__bases__[:-1], _rbe.TensorBase, object)
    assert rbe.RBEGradient.__mro__ == (rbe.RBEGradient, _rbe.GradientBase, object)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_classes_of_methods_have_no_fields_and_replace_no_method_of_another(kind):
    assert kind.__module__.startswith("rbe._methods.")
    assert kind.__slots__ == ()
    assert kind.__basicsize__ == _rbe.TensorBase.__basicsize__
    own = {name for name in vars(kind) if not name.startswith("_")}
    others = [cls for cls in (rbe.RBETensor, *KINDS, _rbe.TensorBase) if cls is not kind]
    assert {name for cls in others for name in own if name in vars(cls)} == set()


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


def same(x, y):
    return x.dtype is y.dtype and np.array_equal(x.numpy(), y.numpy(), equal_nan=x.dtype.is_floating_point)


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
        assert same(getattr(rbe, name)(x, *others), expected)
        assert same(getattr(rbe, name)(x.numpy(), *others), expected)
    if in_place:
        changed = x.clone()
        assert getattr(changed, in_place)(*others) is changed
        assert same(changed, expected.to(changed.dtype))
    for parameter, default in parameters:
        assert rbe.equal(getattr(x, name)(**{parameter: default}), expected)
