"""Element types beside torch's: names, promotion, conversion, exchange, and the results of arithmetic."""

import itertools

import numpy as np
import pytest
import rbe
from beside_torch import torch

pytestmark = pytest.mark.torch

NAMES = [dtype.name for dtype in rbe.dtypes.ALL]
PAIRS = list(itertools.product(NAMES, NAMES))
BITS = np.arange(1 << 16, dtype=np.uint16)


def both(values, name):
    """Return a tensor of each library."""
    wide = np.asarray(values)
    return rbe.tensor(wide).to(name), torch.tensor(wide).to(getattr(torch, name))


def assert_same(found, expected):
    assert found.dtype.name == str(expected.dtype).removeprefix("torch.")
    assert tuple(found.shape) == tuple(expected.shape)
    ours, theirs = found.detach().double().numpy(), expected.detach().double().numpy()
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_promotion_is_torchs(a, b):
    wanted = str(torch.promote_types(getattr(torch, a), getattr(torch, b))).removeprefix("torch.")
    assert rbe.promote_types(a, b).name == wanted
    assert rbe.can_cast(getattr(rbe, a), getattr(rbe, b)) == torch.can_cast(getattr(torch, a), getattr(torch, b))
    for shape_a, shape_b in itertools.product([(), (2,)], repeat=2):
        ours, theirs = zip(both(np.ones(shape_a), a), both(np.ones(shape_b), b), strict=True)
        assert rbe.result_type(*ours).name == str(torch.result_type(*theirs)).removeprefix("torch.")
        assert_same(ours[0] * ours[1], theirs[0] * theirs[1])
        assert_same(rbe.where(rbe.tensor([True, False]), *ours), torch.where(torch.tensor([True, False]), *theirs))
    assert_same(rbe.cat([both([1], a)[0], both([0], b)[0]]), torch.cat([both([1], a)[1], both([0], b)[1]]))


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_python_promote_as_in_torch(name):
    for shape, number in itertools.product([(), (2,)], [True, 3, 1.5]):
        ours, theirs = both(np.ones(shape), name)
        assert rbe.result_type(ours, number).name == str(torch.result_type(theirs, number)).removeprefix("torch.")
        assert_same(ours + number, theirs + number)
        assert_same(number * ours, number * theirs)


@pytest.mark.parametrize(("a", "b"), [(a, b) for a, b in PAIRS if a != b])
def test_conversions_are_torchs(a, b):
    values = np.array([0.0, 1.0, 2.5, 100.7, 126.0] if a != "bool" else [0.0, 1.0])
    if a not in ("bool", "uint8"):
        values = np.append(values, -values)
    if b != "uint8" or a.startswith("int"):  # of negative floats as unsigned integers nothing is defined
        ours, theirs = both(values, a)
        assert_same(ours.to(b), theirs.to(getattr(torch, b)))
    for number in (rbe.tensor([3]), torch.tensor([3])):
        assert number.type() == type(number).__module__.split(".")[0] + ".LongTensor"


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_all_short_floats_and_ties_convert_as_in_torch(name):
    theirs = torch.from_numpy(BITS.view(np.int16)).view(getattr(torch, name))
    ours = rbe.from_torch(theirs)
    assert ours.dtype.name == name
    np.testing.assert_array_equal(ours.float().numpy(), theirs.float().numpy())
    finite = theirs[torch.isfinite(theirs)].float().sort().values
    middle = (finite[1:] + finite[:-1]) / 2
    for values in (middle, torch.nextafter(middle, torch.tensor(torch.inf)), torch.nextafter(middle, torch.tensor(-torch.inf))):
        ours = rbe.from_torch(values).to(name)
        np.testing.assert_array_equal(ours.float().numpy(), values.to(theirs.dtype).float().numpy())


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_shared_both_ways(name):
    theirs = torch.tensor([[1, 0], [0, 1]]).to(getattr(torch, name))
    ours = rbe.from_torch(theirs.T)
    theirs[1, 0] = 1
    assert_same(ours, theirs.T)
    back = rbe.to_torch(ours)
    assert back.data_ptr() == theirs.data_ptr()
    assert_same(ours, back)


def test_files_of_short_floats_are_exchanged(tmp_path):
    files = pytest.importorskip("safetensors.torch")
    tensors = {name: torch.tensor([1, 2, 0]).to(getattr(torch, name)) for name in NAMES}
    files.save_file(tensors, tmp_path / "x")
    found = rbe.load(tmp_path / "x")
    rbe.save(tmp_path / "y", found)
    again = files.load_file(tmp_path / "y")
    for name, t in tensors.items():
        assert_same(found[name], t)
        assert again[name].dtype is t.dtype
        assert torch.equal(again[name], t)


UNARY = {
    "neg": lambda x: -x,
    "abs": lambda x: x.abs(),
    "sign": lambda x: x.sign(),
    "square": lambda x: x.square(),
    "sum": lambda x: x.sum(),
    "sum over an axis": lambda x: x.sum(0),
    "prod": lambda x: x[:2].prod(),
    "cumsum": lambda x: x.cumsum(0),
    "max": lambda x: x.max(),
    "amin": lambda x: x.amin(0),
    "sort": lambda x: x.sort(0)[0],
    "argmax": lambda x: x.argmax(),
    "sqrt": lambda x: x.abs().sqrt(),
    "relu": lambda x: x.relu(),
    "flip": lambda x: x.flip(0),
    "power": lambda x: x**2,
    "division": lambda x: x / 2,
    "floor division": lambda x: x // 2,
    "remainder": lambda x: x % 3,
    "clamp": lambda x: x.clamp(1, 3),
    "comparison": lambda x: x > 1,
    "product": lambda x: x * 3,
    "sum with a float": lambda x: x + 0.1,
    "times a float": lambda x: x * 0.3,
    "cubes": lambda x: x * x * x,
    "masked": lambda x: x.masked_fill(x == x.max(), 0),
    "nonzero": lambda x: x.nonzero(),
    "cast": lambda x: x.to(x.dtype),
    "matmul": lambda x: x @ x.T,
    "any": lambda x: x.any().to(x.dtype),  # torch's type is uint8 for uint8 alone
    "topk": lambda x: x.topk(2, 0)[0],
    "tril": lambda x: x.tril(),
    "isnan": lambda x: x.isnan(),
}


@pytest.mark.parametrize("case", UNARY)
@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("bool", "float32", "float64", "int64")])
def test_functions_give_torchs_types_and_values(name, case):
    ours, theirs = both([[1, 5, 3], [7, 2, 100], [0, 4, 11]], name)
    assert_same(UNARY[case](ours), UNARY[case](theirs))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "bool"])
@pytest.mark.parametrize("reduce", ["sum", "prod", "amax", "amin"])
def test_scattered_values_are_torchs(name, reduce):
    (x, theirs), (values, others) = both([1, 2, 3], name), both([5, 0, 7, 2], name)
    places = [0, 0, 1, 0]
    for include in (True, False):
        found = x.scatter_reduce(0, rbe.tensor(places), values, reduce, include_self=include)
        assert_same(found, theirs.scatter_reduce(0, torch.tensor(places), others, reduce, include_self=include))
    assert_same(x.scatter(0, rbe.tensor([1, 0, 2, 2]), values), theirs.scatter(0, torch.tensor([1, 0, 2, 2]), others))
    assert_same(x.index_add(0, rbe.tensor(places), values), theirs.index_add(0, torch.tensor(places), others))
    if not x.is_floating_point():
        assert_same(values.bincount(), others.bincount())


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_gradients_are_torchs(name):
    values = np.random.default_rng(2).standard_normal((4, 6))
    ours, theirs = both(values, name)
    ours.requires_grad_()
    theirs.requires_grad_()
    for x in (ours, theirs):
        (x.exp() * x)[1:].sum().backward()
    assert ours.grad.dtype is ours.dtype
    eps = rbe.finfo(name).eps
    np.testing.assert_allclose(ours.grad.float().numpy(), theirs.grad.float().numpy(), rtol=4 * eps, atol=4 * eps)


def test_overflow_in_place_and_refusals_are_torchs():
    for name in ("uint8", "int8", "int16", "int32"):
        ours, theirs = both([100, 50], name)
        ours += 100
        theirs += 100
        assert_same(ours, theirs)
        for x in (ours, theirs):
            with pytest.raises((RuntimeError, rbe.DTypeError)):
                x += 0.5
    ours, theirs = both([60000.0, 1.0], "float16")
    assert_same(ours * 2, theirs * 2)
    assert_same(ours + ours, theirs + theirs)


@pytest.mark.parametrize("name", NAMES)
def test_limits_are_torchs(name):
    dtype, theirs = getattr(rbe, name), getattr(torch, name)
    if dtype.is_floating_point:
        ours, limits = rbe.finfo(dtype), torch.finfo(theirs)
        for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
            assert getattr(ours, field) == pytest.approx(getattr(limits, field), rel=1e-12) if field != "dtype" else True
        assert ours.dtype == limits.dtype
    elif name != "bool":
        ours, limits = rbe.iinfo(dtype), torch.iinfo(theirs)
        assert (ours.bits, ours.max, ours.min, ours.dtype) == (limits.bits, limits.max, limits.min, limits.dtype)
    with pytest.raises(rbe.DTypeError):
        (rbe.iinfo if dtype.is_floating_point else rbe.finfo)(dtype)
    assert (dtype.itemsize, dtype.is_signed) == (theirs.itemsize, theirs.is_signed)


METHODS = ["half", "bfloat16", "float", "double", "long", "int", "short", "char", "byte", "bool"]


@pytest.mark.parametrize("method", METHODS)
def test_methods_and_constructors_have_torchs_names(method):
    ours, theirs = rbe.tensor([1, 0]), torch.tensor([1, 0])
    found, expected = getattr(ours, method)(), getattr(theirs, method)()
    assert_same(found, expected)
    assert found.type().removeprefix("rbe.") == expected.type().removeprefix("torch.")
    word = found.type().removeprefix("rbe.")
    make, their_make = getattr(rbe, word), getattr(torch, word)
    assert_same(make([1, 0, 2]), their_make([1, 0, 2]))
    assert make(2, 3).shape == tuple(their_make(2, 3).shape)
    assert make().shape == tuple(their_make().shape)
    assert isinstance(found, make)
    assert isinstance(found, rbe.Tensor)
    assert isinstance(ours, make) == (method == "long")
    for given in (f"torch.{word}", word, make, getattr(rbe, found.dtype.name)):
        assert ours.type(given).dtype is found.dtype
    assert rbe.is_floating_point(found) == torch.is_floating_point(expected)
    if hasattr(torch, method) and method != "bool":
        assert getattr(rbe, method, None) is None or getattr(rbe, method) is found.dtype


def test_tensor_is_the_class_of_all_tensors():
    assert isinstance(rbe.ones(2), rbe.Tensor)
    assert isinstance(rbe.nn.Linear(2, 2).weight, rbe.Tensor)
    assert not isinstance(np.ones(2), rbe.Tensor)
    assert issubclass(rbe.RBETensor, rbe.Tensor)
    assert rbe.Tensor.add(rbe.ones(1), 1).item() == 2
    assert_same(rbe.Tensor([[1, 2]]), torch.Tensor([[1, 2]]))
    assert_same(rbe.Tensor(np.arange(3)), torch.Tensor(np.arange(3)))
    with pytest.raises(rbe.RBEError):
        rbe.Tensor(-1)
