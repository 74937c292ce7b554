"""The examples of the document that describes the Python bindings, each with the package's name put in."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import rbe
from rbe import callbacks, nn, training


def test_tensors_are_made_and_combined():
    from rbe import create_tensor, tensor_add, tensor_matmul

    tensor = create_tensor([1, 2, 3, 4], shape=[2, 2])
    assert str(tensor).startswith("tensor([[1., 2.]")
    assert tensor.dtype is rbe.float32
    assert tensor_add(tensor, tensor).tolist() == [[2, 4], [6, 8]]
    assert tensor_matmul(tensor, tensor).tolist() == [[7, 10], [15, 22]]
    assert create_tensor(np.arange(4.0), [2, -1]).dtype is rbe.float64


def test_variables_have_gradients():
    from rbe import backward, create_variable, operations

    x = create_variable([1.0, 4.0], requires_grad=True)
    y = create_variable([2, 3], requires_grad=True)
    loss = operations.sum(operations.mul(x, y))
    backward(loss)
    assert y.grad.tolist() == [1, 4]
    assert x.grad.tolist() == [2, 3]
    assert operations.sin(rbe.create_tensor([0.0])).item() == 0
    assert not create_variable([1.0], requires_grad=False).requires_grad


def test_a_network_is_a_list_of_layers():
    from rbe import create_tensor

    model = nn.Sequential(
        [
            nn.Linear(input_size=784, output_size=128),
            nn.ReLU(),
            nn.Dropout(p=0.2),
            nn.Linear(128, 10),
        ]
    )
    batch = create_tensor(np.random.default_rng(0).random((32, 784), dtype=np.float32), shape=[32, 784])
    assert model.forward(batch).shape == (32, 10)
    assert [name for name, _ in model.named_children()] == ["0", "1", "2", "3"]
    assert rbe.RBELinear(input_size=64, output_size=8).weight.shape == (8, 64)


def test_a_size_by_both_its_names_is_refused():
    with pytest.raises(rbe.TensorError, match="in_features or input_size"):
        nn.Linear(3, 4, input_size=3)
    with pytest.raises(rbe.DTypeError, match="list"):
        nn.Sequential([nn.ReLU()], nn.ReLU())


def test_the_module_of_tensors():
    import rbe.tensor as tensor

    assert tensor.zeros([3, 4]).shape == (3, 4)
    assert tensor.ones([2, 2]).tolist() == [[1, 1], [1, 1]]
    a, b = tensor.randn([5, 5]), tensor.randn([5, 5])
    assert rbe.equal(tensor.add(a, b), a + b)
    assert rbe.equal(tensor.transpose(a, 0, 1), a.T)
    assert tensor.reshape(tensor.zeros([3, 4]), [6, -1]).shape == (6, 2)


def test_the_module_of_tensors_and_the_function_of_its_name():
    from rbe.tensor import zeros

    assert zeros([2]).tolist() == [0, 0]
    assert rbe.tensor([1.0]).tolist() == [1.0]
    assert callable(rbe.tensor)
    names = sys.modules["rbe.tensor"].__all__
    assert all(getattr(rbe.tensor, name) is getattr(sys.modules["rbe.tensor"], name) for name in names)


def test_the_module_of_gradients():
    from rbe import autograd

    x = autograd.Variable([2.0, 3.0], requires_grad=True)
    loss = (x * x).sum()
    autograd.backward(loss)
    assert x.grad.tolist() == [4, 6]
    with autograd.no_grad():
        assert not (x * x).requires_grad
    base = rbe.tensor([1.0])
    shared = autograd.Variable(base, requires_grad=True)
    assert shared.requires_grad
    assert not base.requires_grad
    base += 1
    assert shared.tolist() == [2.0]


def test_devices_are_asked_for():
    from rbe import cuda, device, metal

    assert not cuda.is_available()
    assert not metal.is_available()
    assert str(device("cpu")) == "cpu"
    del_me = rbe.ones(100_000) + 1
    del del_me
    cuda.empty_cache()
    assert rbe.memory.pool_stats()["cached_bytes"] == 0
    with pytest.raises(rbe.DeviceError, match=r"cuda\.matmul: expected a CUDA device"):
        cuda.matmul(rbe.ones(2, 2), rbe.ones(2, 2))


def test_the_settings_for_speed():
    from rbe import memory, set_num_threads, set_simd_enabled

    with rbe.config.using():
        set_simd_enabled(True)
        assert rbe.config.get()["simd"] or rbe.isa() == "scalar"
        set_simd_enabled(False)
        assert rbe.isa() == "scalar"
        set_num_threads(8)
        assert rbe.get_num_threads() == 8
    memory.enable_memory_pool()


def test_a_scripted_function():
    from rbe import jit, operations

    @jit.script
    def f(x, y):
        z = operations.mul(x, y)
        return operations.add(operations.sin(z), x)

    x, y = rbe.create_tensor([0.5, 1.0]), rbe.create_tensor([2.0, 3.0])
    rbe.testing.assert_close(f(x, y), rbe.sin(x * y) + x)


def test_numpy_and_torch():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    t = rbe.from_numpy(a)
    assert np.shares_memory(t.numpy(), a)
    torch = pytest.importorskip("torch")
    there = t.to_torch()
    assert isinstance(there, torch.Tensor)
    there[0, 0] = 5
    assert t[0, 0].item() == 5
    assert rbe.equal(rbe.from_torch(there), t)
    with pytest.raises(rbe.DTypeError, match="to_dense"):
        rbe.RBELinear(64, 8).weight.to_torch()


@pytest.fixture
def no_callbacks():
    callbacks.clear_training_callbacks()
    yield
    callbacks.clear_training_callbacks()


def batches(labels=2, count=3):
    rng = np.random.default_rng(0)
    return [(rbe.from_numpy(rng.random((8, 4))).float(), rbe.tensor(rng.integers(0, labels, 8))) for _ in range(count)]


@pytest.mark.usefixtures("no_callbacks")
def test_a_trainer_calls_the_registered_functions():
    seen = []

    def training_callback(epoch, loss, accuracy):
        seen.append((epoch, loss, accuracy))

    callbacks.register_training_callback(training_callback)
    model = nn.Sequential([nn.Linear(4, 2)])
    optimizer = rbe.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    trainer = training.Trainer(model, optimizer, criterion=nn.CrossEntropyLoss(), progress=False)
    history = trainer.train(batches(), epochs=3)
    assert [(e["epoch"], e["loss"], e["accuracy"]) for e in history] == seen
    assert len(seen) == 3
    assert all(0 <= accuracy <= 1 for _, _, accuracy in seen)
    callbacks.unregister_training_callback(training_callback)
    trainer.train(batches(), epochs=1)
    assert len(seen) == 3


@pytest.mark.usefixtures("no_callbacks")
def test_a_trainer_without_classes_has_no_accuracy():
    seen = []
    callbacks.register_training_callback(lambda *values: seen.append(values))
    model = nn.Linear(4, 2)
    data = [(x, rbe.zeros(8, 2)) for x, _ in batches()]
    for loss in (nn.MSELoss(), nn.CrossEntropyLoss()):
        training.Trainer(model, rbe.optim.SGD(model.parameters(), lr=0.1), loss, progress=False).train(data)
    assert [epoch for epoch, _, _ in seen] == [1, 1]
    assert all(math.isnan(accuracy) for _, _, accuracy in seen)
    with pytest.raises(rbe.DTypeError, match="epoch"):
        callbacks.register_training_callback(3)
    with pytest.raises(rbe.TensorError, match="loss or criterion"):
        training.Trainer(model, rbe.optim.SGD(model.parameters(), lr=0.1))


def test_pictures():
    pytest.importorskip("matplotlib")
    from rbe import visualization as viz

    ax = viz.plot_training_history([1.0, 0.5, 0.25], [0.1, 0.5, 0.9])
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1.0, 0.5, 0.25], [0.1, 0.5, 0.9]]
    ax = viz.visualize_tensor(rbe.arange(6).reshape(2, 3).float(), title="Weights")
    assert ax.get_title() == "Weights"
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0, 1, 2], [3, 4, 5]])
    assert viz.visualize_tensor(rbe.ones(3)).lines[0].get_ydata().tolist() == [1, 1, 1]
    assert viz.visualize_tensor(rbe.zeros(2, 3, 4)).images[0].get_array().shape == (6, 4)
    assert viz.visualize_tensor(rbe.RBELinear(64, 8).weight).get_title() == "packed (8, 64)"
    with pytest.raises(rbe.DTypeError, match="visualize_tensor"):
        viz.visualize_tensor("text")


MODELS = {
    "dense": lambda: nn.Sequential([nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10)]),
    "packed": lambda: nn.Sequential([rbe.RBELinear(64, 32), rbe.RBEActivation(), nn.Linear(32, 10)]),
    "images": lambda: nn.Sequential([nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 30 * 30, 10)]),
    "words": lambda: nn.Sequential([nn.Embedding(10, 4), nn.Linear(4, 2)]),
    "recurrent": lambda: nn.LSTM(5, 6),
    "normed": lambda: nn.Sequential([nn.LayerNorm(8), nn.Linear(8, 2)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_of_a_model_without_an_input(name):
    model = MODELS[name]()
    svg = rbe.visualization.plot_model_graph(model)
    names = [name for name, _ in model.named_parameters()]
    assert names
    assert all(f">{name}<" in svg for name in names)
    assert model.training


def test_the_graph_of_a_model_that_tells_no_input():
    with pytest.raises(rbe.TensorError, match="an input"):
        rbe.visualization.plot_model_graph(nn.ReLU())
    model = nn.Sequential(nn.ReLU(), nn.LazyLinear(3))
    assert "relu" in rbe.visualization.plot_model_graph(model, (2, 5))
    assert "relu" in rbe.visualization.plot_model_graph(model, rbe.zeros(2, 5))


def test_a_tensor_is_compared_with_numbers():
    from rbe import create_tensor, tensor_add, testing

    result = tensor_add(create_tensor([1, 2, 3]), create_tensor([4, 5, 6]))
    testing.assert_tensor_equal(result, [5, 7, 9])
    testing.assert_tensor_equal(result / 10, [0.5, 0.7, 0.9])
    for wrong in ([5, 7, 8], [5, 7], [[5, 7, 9]]):
        with pytest.raises(AssertionError):
            testing.assert_tensor_equal(result, wrong)


def test_the_profiler_prints_its_table(capsys):
    from rbe import profiler

    with profiler.profile() as prof:
        rbe.ones(3) + 1
    prof.print_stats()
    out = capsys.readouterr().out
    assert out == prof.table() + "\n"
    assert "add" in out


def test_errors_of_tensors():
    with pytest.raises(rbe.TensorError, match="reshape"):
        rbe.create_tensor([1, 2, 3], shape=[2, 2])
    with pytest.raises(rbe.DeviceError):
        rbe.create_tensor([1.0]).to("cuda:0")


def test_the_module_of_settings():
    from rbe import config, float64

    with config.using():
        config.set_default_device("cpu")
        with pytest.raises(rbe.DeviceError, match="cuda:0"):
            config.set_default_device("cuda:0")
        config.set_default_dtype(float64)
        assert rbe.create_tensor([1]).dtype is float64
        config.set_thread_pool_size(16)
        assert rbe.get_num_threads() == 16


def test_fast_math_changes_the_precision_of_packed_products_and_nothing_else():
    rbe.manual_seed(0)
    packed, dense, x = rbe.RBELinear(300, 70), nn.Linear(300, 70), rbe.randn(33, 300)
    found = {}
    with rbe.config.using():
        for enabled in (True, False):
            rbe.config.enable_fast_math(enabled)
            found[enabled] = packed(x), dense(x), rbe.exp(x)
            before = rbe.config.get()
            assert before["packed_matmul_precision"] == ("int8" if enabled else "float32")
    assert not rbe.equal(found[True][0], found[False][0])
    rbe.testing.assert_close(found[True][0], found[False][0], rtol=0.05, atol=0.05)
    assert rbe.equal(found[True][1], found[False][1])
    assert rbe.equal(found[True][2], found[False][2])


def run(code, **env):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RBE_LOG")}
    return subprocess.run(
        [sys.executable, "-c", code], env={**kept, **env}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_variables_of_the_environment():
    result = run("import rbe; print(rbe.get_num_threads())", RBE_NUM_THREADS="8", RBE_LOG_LEVEL="info")
    assert result.stdout == "8\n"
    assert "rbe INFO: version" in result.stderr
    assert "INFO" not in run("import rbe", RBE_LOG="error", RBE_LOG_LEVEL="info").stderr
    assert "RBE_LOG_LEVEL: expected" in run("import rbe", RBE_LOG_LEVEL="loud").stderr


def test_an_unknown_variable_is_a_warning():
    result = run("import rbe", RBE_CUDA_DEVICE="0", RBE_NUM_THREAD="2")
    assert result.returncode == 0
    assert "RuntimeWarning: the environment variable RBE_CUDA_DEVICE has no effect: rbe reads RBE_NUM_THREADS" in result.stderr
    assert "RBE_NUM_THREAD has no effect: did you mean RBE_NUM_THREADS?" in result.stderr
    assert run("import rbe", RBE_DATA="/data").stderr == ""
