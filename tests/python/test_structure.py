"""How the package is built: imports run one way, and a packed layer is its dense counterpart with another kind of weight."""

import ast
import importlib
import inspect
import sys
from pathlib import Path

import pytest
import rbe
from rbe import nn
from rbe.nn.packed import Packed

PACKAGE = Path(rbe.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


# Imports


def name_of(path, package=PACKAGE):
    """The dotted name of a module."""
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, modules, package=PACKAGE):
    """Modules of the package that one imports: at its top, within functions, and for type checkers."""
    inside = [package.name, *path.relative_to(package).parts[:-1]]
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) + 1 - node.level] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            found |= {whole if (whole := f"{source}.{alias.name}") in modules else source for alias in node.names}
    return (found & modules) - {name_of(path, package)}


def circles(arrows):
    """Sets of modules each of which leads to the others."""
    ahead = {}
    for start in arrows:
        seen, waiting = set(), [start]
        while waiting:
            fresh = arrows[waiting.pop()] - seen
            seen |= fresh
            waiting += fresh
        ahead[start] = seen
    return {frozenset(b for b in ahead[a] if a in ahead[b]) for a in arrows if a in ahead[a]}


def arrows_of(package):
    files = list(package.rglob("*.py"))
    modules = {name_of(path, package) for path in files} | {f"{package.name}._rbe"}
    return {f"{package.name}._rbe": set()} | {name_of(path, package): imports(path, modules, package) for path in files}


def test_no_modules_of_the_package_import_each_other():
    found = [sorted(circle) for circle in circles(arrows_of(PACKAGE))]
    assert found == []


def test_an_import_circle_is_found_wherever_its_imports_stand(tmp_path):
    package = tmp_path / "house"
    (package / "attic").mkdir(parents=True)
    (package / "__init__.py").write_text("from .door import knock\n")
    (package / "door.py").write_text("def knock():\n    from .attic import roof\n    return roof\n")
    (package / "attic" / "__init__.py").write_text("")
    (package / "attic" / "roof.py").write_text("from ..cellar import DEPTH\n")
    (package / "cellar.py").write_text(
        "from typing import TYPE_CHECKING\nDEPTH = 3\nif TYPE_CHECKING:\n    import house.door\n"
    )
    assert circles(arrows_of(package)) == {frozenset({"house.door", "house.attic.roof", "house.cellar"})}


# Packed variants of layers

# Arguments of dense layers that their packed variants do not have. A table has no bias, to which a dtype would apply.
LEFT_OUT = {
    nn.RBEEmbedding: {"max_norm", "norm_type", "scale_grad_by_freq", "sparse", "device", "dtype"},
}

# Arguments that only the packed variants have, at the end.
ADDED = {nn.RBELinear: ["code"]}

# One example of each: arguments of both variants.
ARGUMENTS = {
    nn.RBELinear: (64, 8),
    nn.RBEConv1d: (4, 8, 3),
    nn.RBEConv2d: (4, 8, 3),
    nn.RBEConvTranspose1d: (4, 8, 3),
    nn.RBEConvTranspose2d: (4, 8, 3),
    nn.RBEEmbedding: (10, 64),
    nn.RBERNN: (64, 8),
    nn.RBELSTM: (64, 8),
    nn.RBEGRU: (64, 8),
    nn.RBEMultiheadAttention: (64, 4),
    nn.RBETransformerDecoderLayer: (64, 4, 128),
    nn.RBETransformerEncoderLayer: (64, 4, 128),
}

PACKED = [getattr(nn, name) for name in nn.__all__ if name.startswith("RBE") and name != "RBEActivation"]  # has no dense form
BY_NAME = pytest.mark.parametrize("layer", PACKED, ids=lambda layer: layer.__name__)


def dense_of(layer):
    return getattr(nn, layer.__name__.removeprefix("RBE"))


def test_every_packed_layer_is_exported_and_named_after_its_dense_counterpart():
    assert set(PACKED) == set(ARGUMENTS)
    mixed = {cls for cls in Packed.__subclasses__() if cls.__module__.startswith("rbe.")}
    assert mixed <= set(PACKED)
    assert all(dense_of(layer).__name__ in nn.__all__ for layer in PACKED)


@BY_NAME
def test_the_arguments_of_a_packed_layer_are_those_of_the_dense_one(layer):
    packed, dense = (dict(inspect.signature(cls).parameters) for cls in (layer, dense_of(layer)))
    kept = {name: p for name, p in dense.items() if name not in LEFT_OUT.get(layer, ())}
    added = ADDED.get(layer, [])
    assert list(packed)[len(packed) - len(added) :] == added
    packed = {name: p for name, p in packed.items() if name not in added}
    assert list(packed) == list(kept)
    assert [(p.kind, p.default) for p in packed.values()] == [(p.kind, p.default) for p in kept.values()]


@BY_NAME
def test_a_packed_layer_has_the_parameters_of_the_dense_one_with_packed_weights(layer):
    packed, dense = (dict(cls(*ARGUMENTS[layer]).named_parameters()) for cls in (layer, dense_of(layer)))
    assert list(packed) == list(dense)
    assert {name: p.shape for name, p in packed.items()} == {name: p.shape for name, p in dense.items()}
    assert [name for name, p in packed.items() if p.is_packed] == [name for name, p in dense.items() if p.ndim > 1]
    assert not any(p.is_packed for p in dense.values())


@BY_NAME
def test_dense_parameters_of_a_layer_have_its_dtype(layer):
    for cls in (layer, dense_of(layer)):
        arguments = {"dtype": rbe.float64} if "dtype" in inspect.signature(cls).parameters else {}
        dense = {name: p.dtype for name, p in cls(*ARGUMENTS[layer], **arguments).named_parameters() if not p.is_packed}
        assert set(dense.values()) <= ({rbe.float64} if arguments else {rbe.float32}), dense


def lines_of_code(cls):
    """Lines of a class without its documentation."""
    (node,) = (n for n in parsed(Path(inspect.getfile(cls))).body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    return 1 + sum(part.end_lineno - part.lineno + 1 for part in node.body[1:])


@BY_NAME
def test_a_packed_layer_is_ten_lines_at_most_and_computes_what_the_dense_one_does(layer):
    assert layer.__doc__
    assert lines_of_code(layer) <= 10
    assert "forward" not in vars(layer)
    if "Transformer" not in layer.__name__:  # which have packed layers as parts, and no packed weights of their own
        assert issubclass(layer, Packed)


@pytest.mark.usefixtures("float32_products")
def test_linear_chooses_the_product_by_the_weight():
    layer, x = nn.RBELinear(70, 8), rbe.randn(3, 70)
    want = x.packed_linear(layer.weight, layer.bias)
    for found in (layer(x), x.linear(layer.weight, layer.bias), nn.functional.linear(x, layer.weight, layer.bias)):
        assert rbe.equal(found, want)
    layer.weight = nn.Parameter(layer.weight.to_dense())
    assert rbe.allclose(layer(x), want, atol=1e-5)


# Files of the package that ask whether a tensor is packed, and how often. A product is chosen by its weight in one place: the core
# does it in linear, conv, embedding and recurrent. Here it is only the rows of a packed weight that cannot be taken apart.
CHOOSES = {"nn/functional/linear.py": 2}  # split_linear, and what embedding refuses
# Others show, save, compare, convert or refuse a tensor, which needs its form.
HANDLES = {
    "_arguments.py", "_saved.py", "_tensor.py", "autograd.py", "interop.py", "linalg/_lapack.py", "nn/_backward_hooks.py", "nn/init.py", "nn/module.py",
    "nn/transformer_stack.py", "nn/utils/clip.py", "nn/utils/weight_norm.py", "ops/operand.py", "optim/lr_scheduler/plateau.py",
    "testing/compare.py", "trainer/_weighing.py", "trainer/loop.py", "trainer/run.py", "trainer/state.py", "visualization/disk.py",
    "visualization/graph.py", "visualization/tensor.py", "visualization/weights.py",
}  # fmt: skip


def test_no_layer_asks_whether_its_weight_is_packed():
    counts = {}
    for name, path in FILES.items():
        asked = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.Attribute) and n.attr == "is_packed"]
        asked += [n for n in ast.walk(parsed(path)) if isinstance(n, ast.Constant) and n.value == "is_packed"]
        if asked:
            counts[name] = len(asked)
    assert {name: n for name, n in counts.items() if name not in HANDLES} == CHOOSES


# Pickles name the module of a class: what was pickled must find it there again.
PICKLED = {
    "activation": "ELU GELU LeakyReLU LogSoftmax ReLU SiLU Sigmoid Softmax Softplus Tanh",
    "attention": "KeyValueCache MultiheadAttention RBEMultiheadAttention",
    "containers": "ModuleDict ModuleList ParameterList Sequential",
    "conv": "Conv1d Conv2d LazyConv1d LazyConv2d RBEConv1d RBEConv2d",
    "conv_transpose": "ConvTranspose1d ConvTranspose2d RBEConvTranspose1d RBEConvTranspose2d",
    "distance": "Bilinear CosineSimilarity PairwiseDistance",
    "dropout": "Dropout Dropout1d Dropout2d Dropout3d",
    "embedding": "RBEEmbedding",
    "instance_norm": "InstanceNorm1d InstanceNorm2d",
    "linear": "Embedding LazyLinear Linear",
    "loss": "BCELoss BCEWithLogitsLoss CosineEmbeddingLoss CrossEntropyLoss HuberLoss KLDivLoss L1Loss MSELoss NLLLoss SmoothL1Loss",
    "module": "Module",
    "norm": "BatchNorm1d BatchNorm2d GroupNorm LayerNorm LazyBatchNorm1d LazyBatchNorm2d RMSNorm",
    "packed": "RBEActivation RBELinear",
    "parameter": "Parameter",
    "pooling": "AdaptiveAvgPool1d AdaptiveAvgPool2d AvgPool1d AvgPool2d MaxPool1d MaxPool2d",
    "recurrent": "GRU LSTM RBEGRU RBELSTM RBERNN RNN",
    "recurrent_cell": "GRUCell LSTMCell RNNCell",
    "shape": "Flatten Fold Identity Unfold",
    "transformer": "RBETransformerDecoderLayer RBETransformerEncoderLayer TransformerDecoderLayer TransformerEncoderLayer",
    "transformer_stack": "Transformer TransformerDecoder TransformerEncoder",
}


@pytest.mark.parametrize("module", PICKLED)
def test_classes_are_where_pickles_look_for_them(module):
    for name in PICKLED[module].split():
        assert getattr(nn, name).__module__ == f"rbe.nn.{module}"
        assert getattr(nn, name) is getattr(importlib.import_module(f"rbe.nn.{module}"), name)


# Frames


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.RBELinear(64, 8), (2, 64)), (nn.Linear(64, 8), (2, 64))], ids=["RBELinear", "Linear"]
)
def test_the_call_of_a_linear_layer_is_three_frames(layer, shape):
    x, called = rbe.ones(*shape), []
    layer(x)
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        layer(x)
    finally:
        sys.setprofile(None)
    assert called == ["__call__", "guarded", "forward"]


# Documentation


def undocumented(body, above):
    """Names of public functions, classes and methods without a docstring."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            overloaded = any(ast.unparse(mark) == "overload" for mark in node.decorator_list)
            if not overloaded and ast.get_docstring(node) is None:
                yield above + node.name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{above}{node.name}.")


def test_everything_public_has_a_docstring():
    assert [name for file, path in FILES.items() for name in undocumented(parsed(path).body, f"{file}: ")] == []
