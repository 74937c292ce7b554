import numpy as np
import pytest
import rbe
from inputs import Inputs
from rbe import nn
from rbe.optim import SGD, Adagrad, Adam, AdamW, HybridOptimizer, Lion, RMSprop
from rbe.optim.lr_scheduler import CosineAnnealingLR, LambdaLR


def build():
    return nn.Sequential(
        nn.RBELinear(40, 32), nn.BatchNorm1d(32), nn.RBEActivation(32), nn.RBELinear(32, 32), nn.ReLU(), nn.Linear(32, 5)
    )


def batch(i):
    rng = Inputs(i)
    y = rng.integers(0, 5, 64)
    x = rng.array(64, 40, dtype=np.float32)
    x[np.arange(64), y] += 3
    return rbe.tensor(x), rbe.tensor(y)


def train(model, optimizer, steps, start=0, schedule=None):
    losses = []
    for i in range(start, start + steps):
        x, y = batch(i)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        losses.append(loss.item())
    return losses


def fingerprint(model):
    parts = []
    for t in model.state_dict().values():
        parts.append((t.hi.tobytes(), t.lo.tobytes()) if t.is_packed else t.numpy().tobytes())
    return parts


def test_packed_networks_learn():
    rbe.manual_seed(0)
    model = nn.Sequential(nn.RBELinear(40, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.RBELinear(64, 5))
    optimizer = HybridOptimizer(model.parameters())
    losses = train(model, optimizer, 200, schedule=CosineAnnealingLR(optimizer, 200))
    assert np.mean(losses[-10:]) < 0.3 * losses[0]


def test_activations_learn_amplitude_and_angle():
    rbe.manual_seed(0)
    act = nn.RBEActivation(3, family="circular")
    optimizer = HybridOptimizer(act.parameters(), lr_hi=0.0, lr_lo=0.05)
    schedule = CosineAnnealingLR(optimizer, 400)
    amplitude, angle = np.array([0.5, 1.0, 2.0]), np.array([0.3, -0.5, 1.0])
    for _ in range(400):
        x = rbe.randn(64, 3)
        target = rbe.tensor((amplitude * np.sin(x.numpy() + angle)).astype(np.float32))
        optimizer.step_with_autodiff(nn.MSELoss()(act(x), target))
        schedule.step()
    z = act.weight.lo[:, 0].astype(float)
    np.testing.assert_allclose(2 * np.arctanh(np.hypot(*z.T)), amplitude, rtol=0.02)
    np.testing.assert_allclose(np.arctan2(z[:, 1], z[:, 0]), angle, atol=0.02)


def test_activations_flip_into_valid_states_only():
    act = nn.RBEActivation(40)
    optimizer = HybridOptimizer(act.parameters(), lr_hi=2.0)
    for _ in range(30):
        x = rbe.randn(16, 40)
        optimizer.step_with_autodiff(nn.MSELoss()(act(x).clamp(-5, 5), x.sin()))
    assert (act.weight.hi != 2 << 8 | 32).any()
    assert rbe.isfinite(act(rbe.randn(4, 40))).all()


def test_bits_are_equal_for_any_thread_count():
    results = []
    for threads in (1, 2, 4, 8):
        rbe.set_num_threads(threads)
        rbe.manual_seed(0)
        model = build()
        results.append((train(model, HybridOptimizer(model.parameters()), 50), fingerprint(model)))
    assert all(r == results[0] for r in results[1:])


def test_a_resumed_run_is_bit_equal(tmp_path):
    def fresh():
        rbe.manual_seed(0)
        model = build()
        optimizer = HybridOptimizer(model.parameters(), seed=4)
        return model, optimizer, CosineAnnealingLR(optimizer, 50)

    model, optimizer, schedule = fresh()
    whole = train(model, optimizer, 50, 0, schedule)

    a, opt_a, sched_a = fresh()
    first = train(a, opt_a, 20, 0, sched_a)
    rbe.save(tmp_path / "m.safetensors", a.state_dict())
    state, sched_state = opt_a.state_dict(), sched_a.state_dict()
    flat = {f"{i}.{k}": rbe.tensor(v) if k == "step" else v for i, s in state["state"].items() for k, v in s.items()}
    rbe.save(tmp_path / "o.safetensors", flat)

    b, opt_b, sched_b = fresh()
    b.load_state_dict(rbe.load(tmp_path / "m.safetensors"))
    loaded = {}
    for name, t in rbe.load(tmp_path / "o.safetensors").items():
        i, _, key = name.partition(".")
        loaded.setdefault(int(i), {})[key] = int(t.item()) if key == "step" else t
    opt_b.load_state_dict({**state, "state": loaded})
    sched_b.load_state_dict(sched_state)
    assert first + train(b, opt_b, 30, 20, sched_b) == whole
    assert fingerprint(b) == fingerprint(model)


def test_in_backward_is_the_same_rule_and_stores_no_gradient():
    results = []
    for in_backward in (False, True):
        rbe.manual_seed(0)
        model = build()
        optimizer = HybridOptimizer(model.parameters(), in_backward=in_backward)
        losses = train(model, optimizer, 20)
        results.append((losses, fingerprint(model)))
        if in_backward:
            x, y = batch(0)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            assert all(p.grad is None for p in model.parameters() if p.is_packed)
            assert all(p.grad is not None for p in model.parameters() if not p.is_packed)
    assert results[0] == results[1]


def test_the_second_step_allocates_nothing():
    model = build()
    optimizer = HybridOptimizer(model.parameters())
    batches = [batch(i) for i in range(4)]

    def step(i):
        x, y = batches[i]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

    rbe.set_num_threads(1)
    step(0)
    misses = rbe.memory.pool_stats()["misses"]
    for i in range(1, 4):
        step(i)
    assert rbe.memory.pool_stats()["misses"] == misses


def test_the_callers_gradient_is_not_changed_and_a_step_counts_once():
    model = build()
    optimizer = HybridOptimizer(model.parameters())
    x, y = batch(0)
    nn.functional.cross_entropy(model(x), y).backward()
    dense = [p for p in model.parameters() if not p.is_packed]
    before = [p.grad.numpy().copy() for p in dense]
    optimizer.step()
    for p, g in zip(dense, before, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)
    assert optimizer.state_dict()["steps"] == 1
    assert {s["step"] for s in optimizer.state_dict()["state"].values()} == {1}
    with pytest.raises(rbe.GraphError, match="zero_grad"):
        optimizer.step()
    assert optimizer.state_dict()["steps"] == 1


def test_gradients_that_are_not_finite():
    for mode in ("error", "skip"):
        rbe.manual_seed(0)
        model = build()
        optimizer = HybridOptimizer(model.parameters(), on_nonfinite=mode)
        before = fingerprint(model)
        x, y = batch(0)
        x[0, 0] = float("nan")
        model.eval()
        nn.functional.cross_entropy(model(x), y).backward()
        if mode == "error":
            with pytest.raises(rbe.NonFiniteError, match="skip"):
                optimizer.step()
        else:
            optimizer.step()
            assert optimizer.skipped == 1
        assert fingerprint(model) == before


def test_state_is_small():
    model = nn.RBELinear(1024, 1024, bias=False)
    optimizer = HybridOptimizer(model.parameters())
    assert (model.weight.nbytes + optimizer.state_bytes) / 1024**2 <= 1.6


def test_points_stay_inside_and_unused_bits_zero():
    model = nn.RBELinear(70, 9, bias=False)
    optimizer = HybridOptimizer(model.parameters(), lr_lo=3.0, lr_hi=5.0)
    for _ in range(30):
        optimizer.zero_grad()
        model(rbe.randn(8, 70)).square().sum().backward()
        optimizer.step()
    assert np.linalg.norm(model.weight.lo.astype(np.float64), axis=-1).max() <= 1 - 1e-3 + 1e-6
    assert (model.weight.hi[:, 1] >> np.uint64(6)).max() == 0
    assert optimizer.flips > 0


def test_zero_gradients_change_no_point_and_flip_no_bit():
    model = nn.RBELinear(64, 8, bias=False)
    optimizer = HybridOptimizer(model.parameters())
    hi, lo = model.weight.hi, model.weight.lo
    (model(rbe.zeros(4, 64)) * 0.0).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(model.weight.hi, hi)
    np.testing.assert_array_equal(model.weight.lo, lo)


@pytest.mark.parametrize("z", [(0.9989, 0.0), (0.7, -0.712), (1e-20, 1e-20), (0.0, 0.0)])
def test_steps_from_the_boundary_and_the_centre_stay_finite(z):
    weight = rbe.RBETensor.packed(
        np.full((2, 1), 0xFF00FF, np.uint64), np.tile(np.float32(z), (2, 1, 1)), (2, 64), requires_grad=True
    )
    optimizer = HybridOptimizer([weight])
    for _ in range(20):
        optimizer.zero_grad()
        (rbe.randn(4, 64).packed_matmul(weight) - 1.0).square().sum().backward()
        optimizer.step()
    assert np.isfinite(weight.lo).all()
    assert np.linalg.norm(weight.lo, axis=-1).max() <= 1 - 1e-3 + 1e-6


def test_groups_schedules_and_refusals():
    model = build()
    packed = [p for p in model.parameters() if p.is_packed]
    dense = [p for p in model.parameters() if not p.is_packed]
    optimizer = HybridOptimizer([{"params": packed, "lr_hi": 0.1}, {"params": dense, "lr": 1e-3}])
    LambdaLR(optimizer, lambda step: 0.5)
    assert [g["lr_hi"] for g in optimizer.param_groups] == [0.05, 0.025]
    assert [g["lr"] for g in optimizer.param_groups] == [1e-3, 5e-4]
    train(model, optimizer, 2)
    with pytest.raises(rbe.GraphError, match="twice"):
        HybridOptimizer([*dense, dense[0]])
    with pytest.raises(rbe.TensorError):
        HybridOptimizer(dense, lr_hi=-1.0)
    with pytest.raises(rbe.TensorError):
        HybridOptimizer([])
    with pytest.raises(rbe.TensorError):
        HybridOptimizer([{"params": dense, "rate": 1.0}])
    with pytest.raises(rbe.DTypeError, match="HybridOptimizer"):
        Adam(packed)
    with pytest.raises(rbe.GraphError, match="leaf"):
        SGD([rbe.ones(1, requires_grad=True) * 2.0])


def reference(rule, p, grads, lr, wd):
    """Formulas in NumPy, written from the papers."""
    m, v, b = np.zeros_like(p), np.zeros_like(p), None
    for t, g in enumerate(grads, 1):
        if rule == "adamw":
            p = p * (1 - lr * wd)
        elif rule != "lion":
            g = g + wd * p
        if rule in ("adam", "adamw"):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            p = p - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        elif rule == "sgd":
            b = g if b is None else 0.9 * b + g
            p = p - lr * (g + 0.9 * b)
        elif rule == "rmsprop":
            v = 0.99 * v + 0.01 * g * g
            p = p - lr * g / (np.sqrt(v) + 1e-8)
        elif rule == "adagrad":
            v = v + g * g
            p = p - lr * g / (np.sqrt(v) + 1e-10)
        elif rule == "lion":
            p = p * (1 - lr * wd) - lr * np.sign(0.9 * m + 0.1 * g)
            m = 0.99 * m + 0.01 * g
    return p


@pytest.mark.parametrize("rule", ["sgd", "adam", "adamw", "rmsprop", "adagrad", "lion"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dense_rules_follow_their_formulas(rule, dtype):
    make = {
        "sgd": lambda p: SGD(p, 0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
        "adam": lambda p: Adam(p, 0.01, weight_decay=0.1),
        "adamw": lambda p: AdamW(p, 0.01, weight_decay=0.1),
        "rmsprop": lambda p: RMSprop(p, 0.01, weight_decay=0.1),
        "adagrad": lambda p: Adagrad(p, 0.01, weight_decay=0.1),
        "lion": lambda p: Lion(p, 0.01, weight_decay=0.1),
    }[rule]
    rng = Inputs()
    start, grads = rng.array(33, 7), rng.array(40, 33, 7)
    p = rbe.tensor(start.astype(dtype), requires_grad=True)
    optimizer = make([p])
    for i, g in enumerate(grads):
        p.grad = rbe.tensor(g.astype(dtype))
        optimizer.step()
        if i == 20:  # a state that travels continues alike
            other = make([p])
            other.load_state_dict(optimizer.state_dict())
            optimizer = other
    want = reference(rule, start, grads, 0.01, 0.1)
    np.testing.assert_allclose(
        p.detach().numpy(), want, rtol=1e-9 if dtype == "float64" else 2e-4, atol=1e-12 if dtype == "float64" else 2e-5
    )


@pytest.mark.usefixtures("float32_products")
def test_step_with_autodiff_and_accumulation():
    rbe.manual_seed(0)
    model = build().eval()
    x, y = batch(0)
    full = nn.functional.cross_entropy(model(x), y)
    full.backward()
    whole = model[0].weight.grad.hi
    for p in model.parameters():
        p.grad = None
    for part in (slice(0, 32), slice(32, 64)):
        (nn.functional.cross_entropy(model(x[part]), y[part]) * 0.5).backward()
    np.testing.assert_allclose(model[0].weight.grad.hi, whole, rtol=1e-3, atol=1e-6)
    optimizer = HybridOptimizer(model.parameters())
    optimizer.step_with_autodiff(nn.functional.cross_entropy(model(x), y))
    assert optimizer.state_dict()["steps"] == 1


def _spoiled_step(optimizer, layers, value):
    """One step whose gradient of the first layer's weight, and of no other, contains `value`."""
    x = rbe.ones(4, layers[0].in_features)
    x[0, 0] = value
    optimizer.zero_grad()
    (layers[1](rbe.ones(4, layers[1].in_features)).sum() + layers[0](x).sum()).backward()
    optimizer.step()


def test_in_backward_leaves_out_the_step_from_the_first_bad_gradient_on():
    rbe.manual_seed(0)
    layers = [rbe.RBELinear(8, 8), rbe.RBELinear(8, 8)]
    params = [p for layer in layers for p in layer.parameters()]
    optimizer = rbe.optim.HybridOptimizer(params, in_backward=True, on_nonfinite="skip")
    before = [p.detach().numpy().copy() for p in params if not p.is_packed], layers[0].weight.lo.copy()
    _spoiled_step(optimizer, layers, float("inf"))
    assert optimizer.skipped == 1
    for now, then in zip([p.detach().numpy() for p in params if not p.is_packed], before[0], strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(layers[0].weight.lo, before[1])
    _spoiled_step(optimizer, layers, 1.0)  # the next step is whole again
    assert optimizer.skipped == 1
    assert (layers[0].weight.lo != before[1]).any()


def test_a_dropped_optimizer_leaves_the_tensors_of_another_alone():
    layer = rbe.RBELinear(8, 8, bias=False)
    first = rbe.optim.HybridOptimizer(layer.parameters(), in_backward=True)
    second = rbe.optim.HybridOptimizer(layer.parameters(), in_backward=True)
    del first
    before = layer.weight.lo.copy()
    layer(rbe.ones(2, 8)).sum().backward()
    second.step()
    assert layer.weight.grad is None
    assert (layer.weight.lo != before).any()


def test_norms_leave_impossible_flips_of_activations_out():
    act = rbe.RBEActivation(3)
    act(rbe.randn(5, 3)).sum().backward()
    assert np.isinf(act.weight.grad.hi[..., :11]).any()
    norm = rbe.nn.utils.clip_grad_norm_(act.parameters(), 1.0)
    assert np.isfinite(float(norm))
    assert np.abs(act.weight.grad.lo).max() > 0


def test_a_gradient_of_many_uses_is_folded():
    rbe.manual_seed(3)
    layer = rbe.RBELinear(64, 16, bias=False)
    xs = [rbe.randn(40, 64) for _ in range(6)]
    for x in xs:
        (layer(x) ** 2).sum().backward()
    folded = layer.weight.grad
    assert folded.nbytes < 2 * 16 * 64 * 4
    hi, lo, interaction = folded.hi, folded.lo, folded.interaction
    layer.weight.grad = None
    (layer(rbe.concat(xs)) ** 2).sum().backward()
    for a, b in zip(
        (hi, lo, interaction), (layer.weight.grad.hi, layer.weight.grad.lo, layer.weight.grad.interaction), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)
