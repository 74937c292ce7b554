"""Public functions given what they do not take raise errors of the package that name the argument."""

import contextlib
import copy
import functools
import importlib
import inspect
import pickle
import pkgutil
import types

import numpy as np
import pytest
import rbe
from rbe import nn
from rbe._guard import guarded

F = nn.functional

JUNK = {
    "integer": 3,
    "number": 2.5,
    "text": "x",
    "bytes": b"",
    "none": None,
    "list": [1.0, 2.0],
    "empty": (),
    "dict": {"a": 1},
    "array": np.ones((2, 3), np.float32),
    "object": object(),
    "class": int,
    "function": len,
    "slice": slice(None),
    "layer": nn.Linear(2, 2),
}
TENSORS = {
    "tensor": rbe.ones(2, 3),
    "scalar": rbe.tensor(1.5),
    "empty tensor": rbe.zeros(0),
    "packed": nn.RBELinear(64, 2).weight.detach(),
}


def required(function):
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD]


def truths(function):
    """Parameters that are to be True or False, and nothing else."""
    return [p.name for p in inspect.signature(function).parameters.values() if p.annotation is bool]


def first_is_a_tensor(function):
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first is not None and first.annotation is rbe.RBETensor


def names(module):
    return module.__all__ if hasattr(module, "__all__") else [n for n in vars(module) if not n.startswith("_")]


FUNCTIONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (F, rbe, nn.init, nn.utils)
    for name in names(module)
    if isinstance(getattr(module, name), types.FunctionType) and not name.startswith("set_")  # settings of the process
}


def modules():
    """The public modules, without those whose optional packages are not installed."""
    for found in pkgutil.walk_packages(rbe.__path__, "rbe."):
        if not any(part.startswith("_") for part in found.name.split(".")) and found.name != "rbe.testing.plugin":
            with contextlib.suppress(rbe.DependencyError):
                yield importlib.import_module(found.name)


MODULES = list(modules())
# What other modules of the package are exported by another name, or not at all, but can be imported.
FUNCTIONS |= {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in names(module)
    if isinstance(getattr(module, name), types.FunctionType)
    and getattr(module, name).__module__.startswith("rbe.")
    and getattr(module, name) not in FUNCTIONS.values()
    and not name.startswith(("set_", "assert_"))  # settings of the process, and what fails on purpose
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_raise_errors_of_the_package(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for those that write files
    function = FUNCTIONS[name]
    wanted = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD
    ]
    for junk in {**JUNK, **TENSORS}.values():
        for rest in ({}, {p: rbe.ones(2, 3) for p in wanted[1:]}):
            arguments = {**{p: junk for p in wanted}, **rest}
            # Python's own words for a wrong type or value say what came; others would only say what went wrong inside.
            with contextlib.suppress(rbe.RBEError, TypeError, ValueError):
                function(*arguments.values())


# A helper is refused another argument first.
CONVERTS = {"rbe.creation.finish"}


@pytest.mark.parametrize("name", sorted(n for n in FUNCTIONS if first_is_a_tensor(FUNCTIONS[n]) and n not in CONVERTS))
def test_a_first_argument_that_is_no_tensor_is_named(name):
    function = FUNCTIONS[name]
    first, *others = required(function)
    for kind in ("integer", "text", "none", "list", "object", "class", "layer"):
        with pytest.raises(rbe.DTypeError, match=rf"expected a tensor.* as {first}\b"):
            function(JUNK[kind], *(rbe.ones(2, 3) for _ in others))


LAYERS = {
    layer.__class__.__name__: layer
    for layer in (
        nn.ReLU(), nn.LeakyReLU(), nn.ELU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(), nn.Softmax(-1), nn.LogSoftmax(-1),
        nn.Linear(3, 2), nn.RBELinear(3, 2), nn.Conv1d(1, 1, 2), nn.Conv2d(1, 1, 2), nn.RBEConv1d(1, 1, 2), nn.RBEConv2d(1, 1, 2),
        nn.MaxPool1d(2), nn.MaxPool2d(2), nn.AvgPool1d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool1d(2), nn.AdaptiveAvgPool2d(2),
        nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.RMSNorm(3), nn.Dropout(), nn.Flatten(), nn.Unfold(2),
        nn.Fold(2, 2), nn.RNN(3, 2), nn.LSTM(3, 2), nn.GRU(3, 2), nn.RNNCell(3, 2), nn.LSTMCell(3, 2), nn.GRUCell(3, 2), nn.RBELSTM(3, 2),
        nn.Embedding(3, 2), nn.RBEEmbedding(3, 2), nn.RBEActivation(3), nn.LazyLinear(2), nn.LazyConv1d(1, 2), nn.LazyBatchNorm1d(),
        nn.TransformerEncoderLayer(4, 2), nn.Sequential(nn.Linear(3, 2)), nn.Identity(),
    )
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layers_name_the_argument(name):
    layer = LAYERS[name]
    for junk in JUNK.values():
        if name == "Identity":
            assert layer(junk) is junk
            continue
        with pytest.raises(rbe.DTypeError, match="tensor"):
            layer(junk)
        with pytest.raises(rbe.DTypeError, match="tensor"):
            layer.forward(junk)


LOSSES = [
    nn.MSELoss,
    nn.L1Loss,
    nn.CrossEntropyLoss,
    nn.NLLLoss,
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
    nn.KLDivLoss,
    nn.HuberLoss,
    nn.SmoothL1Loss,
]


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_name_the_argument(loss):
    for kind, junk in JUNK.items():
        if kind == "array":  # which may stand in for a tensor
            continue
        with pytest.raises(rbe.DTypeError, match="tensor as input"):
            loss()(junk, rbe.ones(2, 3))
        with pytest.raises(rbe.DTypeError, match="target"):
            loss()(rbe.ones(2, 3), junk)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: F.relu(3), "relu: expected a tensor as input, got int 3"),
        (lambda: F.linear(rbe.ones(2, 3), [1.0]), "linear: expected a tensor as weight, got list [1.0]"),
        (lambda: rbe.cat([rbe.ones(2), 3]), "cat: expected a tensor as tensors[1], got int 3"),
        (lambda: nn.Linear("10", 3), "Linear: expected an integer or None as in_features, got str '10'"),
        (lambda: nn.RNN("10", 5), "RNN: expected an integer as input_size, got str '10'"),
        (
            lambda: nn.Linear(3, 2)(np.ones(3)),
            "Linear: expected a tensor as input, got ndarray array([1., 1., 1.])",
        ),
        (lambda: rbe.ones(2).view_as(int), "view_as: expected a tensor as other, got type <class 'int'>"),
        (lambda: nn.init.zeros_(None), "expected a tensor as tensor, got NoneType None"),
    ],
)
def test_what_the_errors_say(call, says):
    with pytest.raises(rbe.DTypeError) as caught:
        call()
    assert says in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_errors_of_no_single_argument_are_of_the_package_too():
    for call, kind in (
        (lambda: rbe.le(2, 1 << 64), rbe.TensorError),
        (lambda: rbe.data.StackDataset([1], [2])[5], rbe.OutOfRangeError),
        (lambda: rbe.data.Subset({"a": 1}, ["b"])[0], rbe.UnknownNameError),
    ):
        with pytest.raises(kind):
            call()


def test_errors_of_the_user_pass():
    class Broken(nn.Module):
        def forward(self, x):
            return x.no_such_thing

    with pytest.raises(AttributeError, match="no_such_thing"):
        Broken()(rbe.ones(1))
    with pytest.raises(AttributeError, match="no_such_thing"):
        nn.Sequential(nn.ReLU(), Broken())(rbe.ones(1))

    class Odd:
        def __getattr__(self, name):
            raise KeyError(name)

    with pytest.raises(KeyError, match="relu"):
        F.relu(Odd())
    model = nn.Linear(2, 2)
    model.register_forward_hook(lambda *_: {}["missing"])
    with pytest.raises(KeyError) as caught:
        model(rbe.ones(1, 2))
    assert type(caught.value) is KeyError
    with pytest.raises(ZeroDivisionError):
        rbe.optim.SGD((1 / 0 for _ in range(3)), lr=0.1)


def test_calls_that_do_not_fit_the_parameters_are_pythons_to_refuse():
    for call in (
        lambda: F.relu(),
        lambda: F.relu(rbe.ones(1), inplce=1),
        lambda: nn.Linear(1, 2, 3, 4, 5, 6, 7),
        lambda: rbe.add(1),
    ):
        with pytest.raises(TypeError, match=r"argument") as caught:
            call()
        assert not isinstance(caught.value, rbe.RBEError)


def test_functions_stay_what_they_were():
    for function in (F.relu, rbe.exp, rbe.add, nn.init.ones_, rbe.save):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function
        assert function.__doc__
    assert str(inspect.signature(F.relu)).startswith("(input: ")
    assert F.relu.__name__ == F.relu.__qualname__ == "relu"
    assert inspect.getsource(F.silu).startswith("def silu")
    loss = functools.partial(F.cross_entropy, reduction="mean")
    assert F.denominator(loss, rbe.zeros(3, 5), rbe.tensor([1, 4, -100])) == 2


def test_wrappers_have_the_parameters_of_their_functions():
    def all_kinds(a, b=2, /, c=3, *more, d, e=5, **rest):
        return a, b, c, more, d, e, rest

    wrapped = guarded(all_kinds)
    assert wrapped is not all_kinds
    assert guarded(wrapped) is wrapped
    for args, kwargs in (
        ((1,), {"d": 4}),
        ((1, 2, 3, 4, 5), {"d": 0, "e": 1, "z": 2, "a": 9}),
        ((0,), {"c": 1, "d": 2, "b": 7}),
    ):
        assert wrapped(*args, **kwargs) == all_kinds(*args, **kwargs)
    for args, kwargs in (((), {"d": 1}), ((1,), {}), ((1, 2, 3), {"c": 4, "d": 1})):
        with pytest.raises(TypeError, match="all_kinds"):
            wrapped(*args, **kwargs)

    def only_keywords(*, a=1):
        return a

    assert guarded(only_keywords)(a=2) == 2
    assert guarded(only_keywords)() == 1
    assert guarded(lambda: 4)() == 4


def test_abstract_methods_are_an_error_of_the_package():
    for call in (
        lambda: nn.Module()(rbe.ones(1)),
        lambda: rbe.data.Dataset()[0],
        lambda: iter(rbe.data.IterableDataset()),
        lambda: iter(rbe.data.Sampler()),
        lambda: rbe.autograd.Function.apply(rbe.ones(1)),
        lambda: rbe.optim.Optimizer([rbe.ones(1, requires_grad=True)], {"lr": 0.1}),
    ):
        with pytest.raises(rbe.MissingMethodError, match="a subclass that") as caught:
            call()
        assert isinstance(caught.value, NotImplementedError)
    with pytest.raises(rbe.UnknownNameError, match="'a'") as missing:
        nn.ModuleDict()["a"]
    assert isinstance(missing.value, KeyError)


METHODS = {
    name: method for name in dir(rbe.RBETensor) if not name.startswith("_") and callable(method := getattr(rbe.RBETensor, name))
}


NUMBERS = {
    "2^70": 2**70,
    "-2^70": -(2**70),
    "2^63": 2**63,
    "-2^63": -(2**63),
    "-1": -1,
    "10^400": 10**400,
    "nan": float("nan"),
    "-inf": -float("inf"),
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_numbers_out_of_range_are_errors_of_the_package_in_methods(number):
    for method in METHODS.values():
        parameters = list(inspect.signature(method).parameters.values())[1:]
        for own in parameters:
            if own.kind in (own.VAR_POSITIONAL, own.VAR_KEYWORD):
                continue
            for rest in (1, rbe.ones(2, 3), rbe.tensor([0, 1])):
                others = [p for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD and p is not own]
                keywords = {p.name: rest for p in others if p.kind == p.POSITIONAL_OR_KEYWORD}
                positional = [rest for p in others if p.kind == p.POSITIONAL_ONLY]
                if own.kind == own.POSITIONAL_ONLY:
                    positional.insert(0, number)
                else:
                    keywords[own.name] = number
                # Python's own words for a wrong type or value say what came.
                with contextlib.suppress(rbe.RBEError, TypeError, ValueError):
                    method(rbe.ones(2, 3), *positional, **keywords)


def test_numbers_out_of_range_say_what_came():
    x = rbe.ones(2, 3)
    with pytest.raises(rbe.OutOfRangeError, match="an integer of 64 bits, got int 1180591620717411303424"):
        x.tril(2**70)
    with pytest.raises(rbe.OutOfRangeError, match="64 bits"):
        x.round(decimals=-(2**70))
    with pytest.raises(rbe.TensorError, match=r"a number that float64 holds, got int 10+…"):
        x.elu(10**400)
    with pytest.raises(rbe.OutOfRangeError, match="padding_idx, got -1"):
        x.embedding(rbe.tensor([0]), padding_idx=-1)


def test_elements_cannot_be_deleted():
    x = rbe.ones(2)
    with pytest.raises(TypeError, match="cannot be deleted"):
        del x[0]
    assert x.tolist() == [1.0, 1.0]


CLASSES = {
    f"{module.__name__}.{name}": value
    for module in (nn, rbe.optim, rbe.optim.lr_scheduler, rbe.data)
    for name, value in vars(module).items()
    if isinstance(value, type) and not name.startswith("_")
}
METHODS_OF_CLASSES = {
    f"{name}.{method}": function
    for name, cls in {**CLASSES, "rbe.RBETensor": rbe.RBETensor}.items()
    for method, function in vars(cls).items()
    if isinstance(function, types.FunctionType)
    and (method == "__init__" or not method.startswith("_"))
    and not inspect.isgeneratorfunction(inspect.unwrap(function))
}
PUBLIC = {name: function for name, function in FUNCTIONS.items() if not function.__module__.startswith("rbe._")}
WITH_TRUTHS = {name: function for name, function in {**PUBLIC, **METHODS_OF_CLASSES}.items() if truths(function)}


@pytest.mark.parametrize("name", sorted(WITH_TRUTHS))
def test_what_is_to_be_true_or_false_is_no_other_thing(name):
    function = WITH_TRUTHS[name]
    parameters = inspect.signature(function).parameters.values()
    others = dict.fromkeys(
        p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    )
    others |= dict.fromkeys(truths(function), True)
    for flag in truths(function):
        for junk in ("True", "", None, 2, 1.0, [], rbe.tensor(True)):
            with pytest.raises(rbe.DTypeError, match=f"expected True or False as {flag}, got"):
                function(**{**others, flag: junk})


def test_truth_values_of_numpy_and_bits_are_taken():
    assert len(WITH_TRUTHS) > 60
    for yes, no in ((True, False), (np.True_, np.False_), (1, 0)):
        assert nn.Linear(3, 2, bias=no).bias is None
        assert nn.RNN(3, 2, bias=yes).bias_ih_l0.shape == (2,)
        assert nn.RNN(3, 2, bidirectional=yes)(rbe.ones(1, 3))[0].shape == (1, 4)
