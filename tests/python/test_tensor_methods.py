"""Methods and functions under torch's names, with torch's meaning."""

import copy
import operator
import pickle

import numpy as np
import pytest
import rbe
from inputs import Inputs

RNG = Inputs(5)


class Named(rbe.RBETensor):
    """A subclass that pickle can find."""


@pytest.mark.parametrize("name", ["sum", "mean", "logsumexp", "any", "all", "var", "std", "argmax", "argmin"])
def test_dim_and_keepdim_are_axis_and_keepdims(name):
    t = RNG.tensor(3, 4)
    a, b = getattr(t, name)(axis=1, keepdims=True), getattr(t, name)(dim=1, keepdim=True)
    assert a.shape == b.shape == (3, 1)
    assert rbe.equal(a, b)
    assert rbe.equal(getattr(rbe, name)(t, dim=1), getattr(t, name)(1))
    with pytest.raises(TypeError, match="axis and dim"):
        getattr(t, name)(axis=1, dim=1)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_takes_dim(name):
    t = RNG.tensor(3, 4)
    assert rbe.equal(getattr(t, name)(dim=0), getattr(t, name)(0))
    assert rbe.equal(getattr(t, name)(), getattr(rbe, name)(t, dim=-1))


@pytest.mark.parametrize("name", ["max", "min"])
def test_max_and_min_have_torchs_forms(name):
    a, b = RNG.array(3, 4), RNG.array(3, 4)
    t = rbe.tensor(a, requires_grad=True)
    whole = getattr(t, name)()
    assert whole.item() == getattr(a, name)()
    values, indices = result = getattr(t, name)(1)
    assert result.values is values
    np.testing.assert_array_equal(values.detach().numpy(), getattr(a, name)(1))
    np.testing.assert_array_equal(indices.numpy(), getattr(a, "arg" + name)(1))
    assert getattr(t, name)(dim=0, keepdim=True).values.shape == (1, 4)
    np.testing.assert_array_equal(getattr(t, name)(rbe.tensor(b)).detach().numpy(), getattr(np, name + "imum")(a, b))
    np.testing.assert_array_equal(getattr(rbe, "a" + name)(t, (0, 1)).item(), getattr(a, name)())
    values.sum().backward()
    want = np.zeros((3, 4))
    want[np.arange(3), getattr(a, "arg" + name)(1)] = 1
    np.testing.assert_array_equal(t.grad.numpy(), want)
    with pytest.raises(rbe.TensorError):
        getattr(rbe.zeros(0), name)()
    with pytest.raises(rbe.OutOfRangeError):
        getattr(t, name)(2)


def test_view_never_copies():
    t = rbe.arange(6).reshape(2, 3)
    t.view(3, 2)[0, 0] = 9
    assert t[0, 0].item() == 9
    assert t.T.view(3, 2).shape == (3, 2)
    assert t[:, :1].view(2).shape == (2,)
    with pytest.raises(rbe.ShapeError, match="use reshape"):
        t.T.view(6)
    assert t.T.reshape(6).tolist() == [9, 3, 1, 4, 2, 5]
    assert rbe.zeros(0, 3).view(3, 0).shape == (3, 0)


def test_shapes_by_other_tensors_and_axes():
    t = rbe.arange(6).reshape(2, 3)
    assert t.view_as(rbe.zeros(3, 2)).shape == (3, 2)
    assert t.T.reshape_as(rbe.zeros(6)).shape == (6,)
    assert rbe.zeros(1, 3).expand_as(t).shape == (2, 3)
    assert t.type_as(rbe.zeros(1)).dtype is rbe.float32
    assert [u.tolist() for u in t.unbind(1)] == [[0, 3], [1, 4], [2, 5]]
    assert t.t().shape == (3, 2)
    assert (t.dim(), t.size(), t.size(-1), t.nelement()) == (2, (2, 3), 3, 6)
    assert rbe.zeros(2, 3, 4).flatten(1).shape == (2, 12)
    assert rbe.tensor(1.0).flatten().shape == (1,)
    assert t.unsqueeze(dim=0).squeeze(dim=0).transpose(dim0=0, dim1=1).shape == (3, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.size(2),
        lambda t: t.flatten(5),
        lambda t: t.split(1, 2),
        lambda t: t.chunk(2, -3),
        lambda t: t.unbind(2),
        lambda t: t.sum(2),
        lambda t: t.transpose(0, 2),
        lambda t: t.unsqueeze(4),
        lambda t: t.argmax(3),
        lambda t: t.softmax(2),
        lambda t: t.gather(2, rbe.zeros(2, 3, dtype=rbe.int64)),
    ],
)
def test_axes_outside_are_refused(call):
    with pytest.raises(rbe.OutOfRangeError, match="axis"):
        call(rbe.zeros(2, 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda: rbe.zeros(2, 3).flatten(1, 0),
        lambda: rbe.zeros(2, 3).chunk(0),
        lambda: rbe.zeros(2, 3).split(0),
        lambda: rbe.zeros(2, 3).split([1, 2]),
        lambda: rbe.zeros(2, 3).expand(3, -1),
        lambda: rbe.zeros(2, 3, 4).t(),
        lambda: rbe.zeros(-1),
        lambda: rbe.rand(2, -3),
        lambda: rbe.tensor([[1, 2], [3]]),
    ],
)
def test_shapes_that_cannot_be_are_refused(call):
    with pytest.raises(rbe.ShapeError):
        call()


INTEGERS = [0, 1, -1, 5, -8, 2**62, -(2**62)]


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor])
def test_bits_of_integers_and_truth_values(op):
    a, b = (np.array(v, np.int64) for v in zip(*[(x, y) for x in INTEGERS for y in INTEGERS], strict=True))
    assert op(rbe.tensor(a), rbe.tensor(b)).tolist() == op(a, b).tolist()
    assert op(rbe.tensor(a), 6).tolist() == op(a, 6).tolist()
    p, q = np.array([True, True, False, False]), np.array([True, False, True, False])
    got = op(rbe.tensor(p), rbe.tensor(q))
    assert got.dtype is rbe.bool
    assert got.tolist() == op(p, q).tolist()
    with pytest.raises(rbe.DTypeError, match="bitwise"):
        op(rbe.ones(2), 1)


def test_complements():
    assert (~rbe.tensor(INTEGERS)).tolist() == [~i for i in INTEGERS]
    assert (~rbe.tensor([True, False])).tolist() == [False, True]
    with pytest.raises(rbe.DTypeError):
        ~rbe.ones(2)


def test_clamp_keeps_integers_and_takes_tensors():
    t = rbe.arange(5)
    assert t.clamp(1, 3).tolist() == [1, 1, 2, 3, 3]
    assert t.clamp(1, 3).dtype is rbe.int64
    assert t.clamp(max=2**62).tolist() == [0, 1, 2, 3, 4]
    assert rbe.arange(3.0).clamp(rbe.tensor([1.0, 0.0, 5.0])).tolist() == [1, 1, 5]
    assert rbe.arange(3.0).clamp(min=0.5).tolist() == [0.5, 1, 2]
    with pytest.raises(rbe.TensorError, match="clamp"):
        t.clamp()


def test_integers_stay_exact():
    big = 2**62 + 1
    assert int(rbe.tensor(big)) == big
    assert rbe.full((2,), big).tolist() == [big, big]
    assert rbe.tensor([big]).fill_(big - 2).item() == big - 2
    assert (rbe.tensor([big]) == big - 1).tolist() == [False]
    assert [0, 1, 2][rbe.tensor(2)] == 2
    with pytest.raises(rbe.TensorError, match="int64 holds"):
        rbe.tensor(2**70)
    assert int(rbe.tensor(-1.5)) == -1
    with pytest.raises(ValueError, match="NaN"):
        int(rbe.tensor(float("nan")))
    with pytest.raises(TypeError):
        operator.index(rbe.tensor(1.0))


def test_lists_of_scalars_of_every_kind():
    assert rbe.tensor([np.int64(1), 2]).dtype is rbe.int64
    assert rbe.tensor([np.bool_(True)]).dtype is rbe.bool
    assert rbe.tensor([rbe.tensor(1), rbe.tensor(2)]).dtype is rbe.int64
    assert rbe.tensor([rbe.tensor(1.0), 2]).tolist() == [1, 2]
    assert rbe.tensor([np.ones(1), np.zeros(1)]).shape == (2, 1)
    assert rbe.tensor([rbe.ones(2), rbe.zeros(2)]).shape == (2, 2)
    assert rbe.tensor(range(3)).tolist() == [0, 1, 2]
    for wrong in (None, "a", ["a"], [None], {1, 2}, 1j):
        with pytest.raises(rbe.DTypeError):
            rbe.tensor(wrong)


def test_numbers_first_do_not_lose_digits():
    x = rbe.ones(1, dtype=rbe.float64)
    assert rbe.mul(0.1, x).item() == 0.1
    assert rbe.sub(0.3, x).item() == 0.3 - 1
    assert rbe.maximum(1.1, x).item() == 1.1
    assert rbe.where(x > 0, 0.1, x).item() == 0.1
    assert rbe.add(1, rbe.ones(1)).dtype is rbe.float32


@pytest.mark.parametrize(
    ("op", "value"),
    [
        (operator.iadd, 2.0),
        (operator.isub, 2.0),
        (operator.imul, 3.0),
        (operator.itruediv, 2.0),
        (operator.ifloordiv, 2.0),
        (operator.imod, 2.0),
        (operator.ipow, 2.0),
    ],
)
def test_in_place_operators_change_the_memory(op, value):
    a = RNG.array(5)
    t = rbe.tensor(a)
    alias = t[1:]
    same = op(t, value)
    assert same is t
    np.testing.assert_allclose(t.numpy(), op(a.copy(), value), rtol=1e-15)
    assert rbe.equal(alias, t[1:])


def test_in_place_results_must_fit():
    ints, flags, floats = rbe.arange(3), rbe.tensor([True, False]), rbe.zeros(3)
    for change in (
        lambda: ints.__iadd__(0.5),
        lambda: ints.__itruediv__(2),
        lambda: flags.__iadd__(1),
        lambda: ints.add_(0.5),
        lambda: ints.mul_(0.5),
    ):
        with pytest.raises(rbe.DTypeError):
            change()
    with pytest.raises(rbe.ShapeError):
        floats += rbe.zeros(2, 3)
    assert ints.tolist() == [0, 1, 2]
    flags &= rbe.tensor([False, True])
    ints |= 4
    floats += rbe.ones(3, dtype=rbe.float64)
    assert (flags.tolist(), ints.tolist(), floats.dtype) == ([False, False], [4, 5, 6], rbe.float32)


def test_broadcast_views_are_not_written():
    t = rbe.zeros(1, 3).expand(2, 3)
    for change in (
        lambda: t.add_(1.0),
        lambda: t.fill_(1.0),
        lambda: t.__setitem__((0, 0), 1.0),
        lambda: t.__setitem__([0], 1.0),
    ):
        with pytest.raises(rbe.TensorError, match="clone"):
            change()
    assert t.clone().add_(1.0).tolist() == [[1, 1, 1], [1, 1, 1]]


def test_in_place_operators_and_the_tape():
    w = rbe.ones(2, requires_grad=True)
    with pytest.raises(rbe.GraphError, match="leaf"):
        w += 1.0
    total = rbe.zeros(2)
    for k in range(3):
        total += w * float(k)
    total.sum().backward()
    assert w.grad.tolist() == [3, 3]
    with rbe.no_grad():
        w -= 0.5 * w.grad
    assert w.requires_grad
    assert w.is_leaf
    assert w.tolist() == [-0.5, -0.5]
    w.data -= 0.5
    w.data = w.data * 2
    assert w.tolist() == [-2, -2]
    assert w.requires_grad
    with pytest.raises(rbe.ShapeError):
        w.data = rbe.zeros(3)


def test_devices():
    assert rbe.zeros(2, device="cpu").to("cpu", rbe.float64, non_blocking=True).dtype is rbe.float64
    t = rbe.ones(2)
    assert t.to(rbe.float32) is t
    assert t.to(rbe.float32, copy=True) is not t
    double = rbe.zeros(1, dtype="float64")
    for place in ((rbe.float32,), (t,), ("cpu", rbe.float32), ("cpu",)):
        for non_blocking in (False, True):
            assert t.to(*place, non_blocking) is t.to(*place, non_blocking, False) is t
            assert t.to(*place, non_blocking, True) is not t
    assert t.to(double, True, False).dtype is rbe.float64
    for name in ("float", "double", "long", "bool", "cpu"):
        convert = getattr(t, name)
        assert convert(memory_format=rbe.preserve_format).dtype is convert().dtype
        with pytest.raises(rbe.TensorError, match=f"{name}: expected contiguous_format"):
            convert(memory_format="channels_last")
    for flags in ((True,), (rbe.float32, True, False, True)):
        with pytest.raises(rbe.DeviceError, match="got True"):
            t.to(*flags)
    for call in (
        lambda: rbe.zeros(2, device="cuda"),
        lambda: rbe.randn(2, device="cuda:0"),
        lambda: rbe.arange(2, device="mps"),
        lambda: rbe.zeros_like(t, device="cuda"),
        lambda: t.cuda(),
        lambda: t.to(device="cuda"),
    ):
        with pytest.raises(rbe.DeviceError, match="cpu"):
            call()


def test_creation():
    assert rbe.randint(3, (2, 4)).shape == (2, 4)
    assert rbe.randint(5, 6, (2,)).tolist() == [5, 5]
    assert rbe.randint(0, 9, size=(), dtype=rbe.float32).dtype is rbe.float32
    assert rbe.zeros((2, 3)).shape == rbe.zeros(2, 3).shape == rbe.zeros([2, 3]).shape == (2, 3)
    assert rbe.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert rbe.linspace(0, 1, 3).tolist() == [0, 0.5, 1]
    assert rbe.full_like(rbe.arange(2), 7).tolist() == [7, 7]
    for call in (lambda: rbe.arange(0, 1, 0), lambda: rbe.randint(3, 3, (1,)), lambda: rbe.manual_seed(-1)):
        with pytest.raises(rbe.TensorError):
            call()
    for call in (
        lambda: rbe.zeros(2, dtype="uint16"),
        lambda: rbe.randn(2, dtype=rbe.int64),
        lambda: rbe.rand_like(rbe.arange(2)),
    ):
        with pytest.raises(rbe.DTypeError):
            call()
    assert rbe.zeros(2, dtype=np.float64).dtype is rbe.zeros(2, dtype="float64").dtype is rbe.float64
    assert repr(rbe.float32) == "rbe.float32"
    assert pickle.loads(pickle.dumps(rbe.int64)) is rbe.int64


def test_default_dtype():
    rbe.set_default_dtype(rbe.float64)
    try:
        assert rbe.zeros(2).dtype is rbe.tensor(0.1).dtype is rbe.randn(1).dtype is rbe.float64
        assert rbe.tensor(0.1).item() == 0.1
        assert rbe.tensor([1, 2]).dtype is rbe.int64
    finally:
        rbe.set_default_dtype(rbe.float32)
    with pytest.raises(rbe.DTypeError):
        rbe.set_default_dtype(rbe.int64)


def test_copies_keep_gradients_and_subclasses():
    x = rbe.ones(2, requires_grad=True)
    (x * 3.0).sum().backward()
    twin = copy.deepcopy(x)
    twin.grad.fill_(0.0)
    assert x.grad.tolist() == [3, 3]
    assert twin.requires_grad
    shared = copy.deepcopy([x, x])
    assert shared[0] is shared[1]
    assert isinstance(pickle.loads(pickle.dumps(Named([1.0]))), Named)
    p = pickle.loads(pickle.dumps(rbe.nn.Parameter(rbe.ones(2))))
    assert isinstance(p, rbe.nn.Parameter)
    assert p.requires_grad
    w = pickle.loads(pickle.dumps(rbe.RBELinear(70, 3).weight))
    assert isinstance(w, rbe.nn.Parameter)
    assert w.is_packed


def test_repr_of_every_kind():
    x = rbe.ones(2, requires_grad=True)
    for t, text in [
        (rbe.zeros(0, 3), "tensor([], size=(0, 3))"),
        (rbe.zeros(0), "tensor([])"),
        (rbe.tensor(True), "tensor(True)"),
        (rbe.arange(3), "tensor([0, 1, 2])"),
        (rbe.tensor(1.5, requires_grad=True), "tensor(1.5, requires_grad=True)"),
        (x * 2, "tensor([2., 2.], grad_fn=<mul backward>)"),
    ]:
        assert repr(t) == text
    assert "..." in repr(rbe.zeros(2000, 3))
    w = rbe.RBETensor.packed(np.zeros((2, 1), np.uint64), np.zeros((2, 1, 2), np.float32), (2, 64))
    assert repr(w) == "RBETensor(packed, shape=(2, 64), 32 bytes, values=[0, 0, 0, 0, …])"


def test_functions_are_the_methods():
    t = rbe.tensor(RNG.random((2, 3)) + 0.5)
    for name in ("neg", "square", "reciprocal", "rsqrt", "expm1", "log1p", "floor", "ceil", "round", "sign", "isinf", "isnan"):
        assert rbe.equal(getattr(rbe, name)(t), getattr(t, name)())
    for name in ("pow", "floor_divide", "remainder", "lt", "logical_and", "logical_xor"):
        assert rbe.equal(getattr(rbe, name)(t, t + 1), getattr(t, name)(t + 1))
    assert rbe.is_tensor(t)
    assert not rbe.is_tensor(1.0)
    assert rbe.numel(t) == 6
    assert rbe.tensor([float("inf"), -float("inf"), 1.0]).isinf().tolist() == [True, True, False]


def test_contiguous_lays_a_view_out_anew():
    x = rbe.tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    for source in (x, rbe.tensor(x.tolist(), requires_grad=True), x.long()):
        turned = source.transpose(0, 1)
        assert not turned.is_contiguous()
        assert turned.contiguous().is_contiguous()
        assert turned.contiguous().tolist() == [[0, 3], [1, 4], [2, 5]]
