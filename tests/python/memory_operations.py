"""Operations that run under a limit of the address space: NAME, what is built before, and what is called."""

import os
import sys
import tempfile

import rbe
from rbe import nn

F = nn.functional


SIDE = 1024


folder = tempfile.mkdtemp(prefix="limits") if len(sys.argv) > 1 else ""


class Net(nn.Module):
    """Layers of every kind of state."""

    def __init__(self):
        super().__init__()
        self.packed = nn.RBELinear(512, 512)
        self.norm = nn.BatchNorm1d(512)
        self.activation = rbe.RBEActivation(512)
        self.dense = nn.Linear(512, 16)

    def forward(self, x):
        return self.dense(self.activation(self.norm(self.packed(x))))


def trained(optimizer, **options):
    """Return a net, its optimiser, a batch and its targets after one step."""
    net = Net()
    optimizer = optimizer(net.parameters(), **options)
    x, y = rbe.randn(256, 512), rbe.randn(256, 16)
    optimizer.zero_grad()
    F.mse_loss(net(x), y).backward()
    optimizer.step()
    optimizer.zero_grad()
    return net, optimizer, x, y


def square():
    return rbe.randn(SIDE, SIDE)


def gradients(layer, *inputs):
    """Return a function that runs a layer forward and backward, and its parameters."""

    def run():
        layer.zero_grad()
        out = layer(*inputs)
        (out[0] if isinstance(out, tuple) else out).sum().backward()

    return run, list(layer.parameters())


def unary(f):
    x = square()
    return lambda: f(x), None


def training(optimizer=rbe.optim.HybridOptimizer, **options):
    net, optimizer, x, y = trained(optimizer, **options)

    def run():
        optimizer.zero_grad()
        F.mse_loss(net(x), y).backward()
        optimizer.step()

    return run, None  # passes that succeed change what they should


def stepping(optimizer, **options):
    net, optimizer, x, y = trained(optimizer, **options)
    F.mse_loss(net(x), y).backward()
    return optimizer.step, (dict(net.state_dict()), optimizer)


def accumulating():
    net, _, x, y = trained(rbe.optim.HybridOptimizer)
    F.mse_loss(net(x), y).backward()
    loss = F.mse_loss(net(x), y)
    return lambda: loss.backward(retain_graph=True), net


def in_place(f):
    x, y = square(), square()
    return lambda: f(x, y), {"x": x}


def saving():
    state = {"a": square(), "w": nn.RBELinear(SIDE, SIDE).weight}
    path = os.path.join(folder, "file")
    rbe.save(path, state)
    return lambda: rbe.save(path, state), lambda: open(path, "rb").read()


def loading():
    path = os.path.join(folder, "file")
    rbe.save(path, {"a": rbe.randn(SIDE, 2 * SIDE), "w": nn.RBELinear(4 * SIDE, 8 * SIDE).weight})
    return lambda: rbe.load(path), None


def loading_state():
    net, optimizer, x, y = trained(rbe.optim.HybridOptimizer)
    path = os.path.join(folder, "file")
    rbe.save(path, {"net": net.state_dict(), "optimizer": optimizer.state_dict()})
    F.mse_loss(net(x), y).backward()
    optimizer.step()

    def run():
        state = rbe.load(path)
        optimizer.load_state_dict(state["optimizer"])

    return run, optimizer


def picked():
    x, rows = square(), rbe.randint(0, SIDE, (2 * SIDE,))
    return lambda: x[rows], None


def picked_gradient():
    x, rows = square().requires_grad_(), rbe.randint(0, SIDE, (2 * SIDE,))

    def run():
        x.grad = None
        (x[rows] * 2).sum().backward()

    return run, {"x": x}


def put():
    x, rows, y = square(), rbe.randint(0, SIDE, (SIDE,)), square()

    def run():
        x[rows] = y

    return run, {"x": x}


def sampling():
    return lambda: rbe.randn(SIDE, SIDE), None


def shuffling():
    return lambda: rbe.randperm(SIDE * SIDE), None


def dropping():
    x = square()
    return lambda: F.dropout(x, 0.5), None


def attending(**options):
    q, k, v = (rbe.randn(4, 8, 256, 64).requires_grad_() for _ in range(3))

    def run():
        q.grad = k.grad = v.grad = None
        F.scaled_dot_product_attention(q, k, v, **options).sum().backward()

    return run, {"q": q}


def dropping_attention():
    q = rbe.randn(4, 8, 256, 64)
    return lambda: F.scaled_dot_product_attention(q, q, q, dropout_p=0.5), None


def embedding(table):
    return gradients(table(4 * SIDE, 256), rbe.randint(0, 4 * SIDE, (64, 64)))


def clipping():
    net, _, x, y = trained(rbe.optim.HybridOptimizer)
    F.mse_loss(net(x) * 1e3, y).backward()
    return lambda: nn.utils.clip_grad_norm_(net.parameters(), 1.0), net


def reading_gradient():
    layer = nn.RBELinear(SIDE, SIDE)
    layer(rbe.randn(64, SIDE)).sum().backward()

    def run():
        gradient = layer.weight.grad
        return gradient.hi, gradient.lo, gradient.interaction

    return run, layer


def normalising():
    layer, x = nn.BatchNorm1d(SIDE), rbe.randn(1024, SIDE)
    return lambda: layer(x), layer


def fused():
    f = rbe.jit.script(lambda x, y: (x * y + x).tanh())
    x, y = square(), square()
    f(x, y)
    return lambda: f(x, y), None


def segments():
    layer = nn.Linear(SIDE, SIDE)
    x = rbe.randn(256, SIDE)

    def run():
        layer.zero_grad()
        rbe.autograd.checkpoint(lambda x: layer(layer(x).relu()), x).sum().backward()

    return run, list(layer.parameters())


OPERATIONS = {
    "zeros": lambda: (lambda: rbe.zeros(SIDE, 4 * SIDE), None),
    "randn": sampling,
    "randperm": shuffling,
    "arange": lambda: (lambda: rbe.arange(SIDE * SIDE), None),
    "tensor of a list": lambda: ((lambda values: lambda: rbe.tensor(values))([0.5] * (1 << 20)), None),
    "tolist": lambda: unary(lambda x: x.tolist()),
    "add": lambda: unary(lambda x: x + x),
    "exp": lambda: unary(lambda x: x.exp()),
    "compare": lambda: unary(lambda x: x.unsqueeze(0).expand(8, SIDE, SIDE) > 0),
    "broadcast": lambda: unary(lambda x: x.unsqueeze(0).expand(4, SIDE, SIDE) + 1),
    "contiguous": lambda: unary(lambda x: x.t().contiguous()),
    "cast": lambda: unary(lambda x: x.double()),
    "cat": lambda: unary(lambda x: rbe.cat([x, x])),
    "stack": lambda: unary(lambda x: rbe.stack([x, x])),
    "repeat": lambda: unary(lambda x: x.repeat(2, 2)),
    "pad": lambda: unary(lambda x: F.pad(x, (1, 1))),
    "sort": lambda: unary(lambda x: x.sort()),
    "topk": lambda: unary(lambda x: x.topk(SIDE // 2)),
    "cumsum": lambda: unary(lambda x: x.cumsum(0)),
    "sum of an axis": lambda: unary(lambda x: x.t().sum(1)),
    "softmax": lambda: unary(lambda x: x.softmax(-1)),
    "matmul": lambda: unary(lambda x: x @ x),
    "matmul in double precision": lambda: unary(lambda x: x[:256].double() @ x.double()),
    "mask": lambda: unary(lambda x: x[x > 0]),
    "nonzero": lambda: unary(lambda x: (x > 0).nonzero()),
    "where": lambda: unary(lambda x: rbe.where(x > 0, x, 0.0)),
    "index": picked,
    "gradient of an index": picked_gradient,
    "assignment to an index": put,
    "assignment": lambda: in_place(lambda x, y: x.copy_(y.t())),
    "addition in place": lambda: in_place(lambda x, y: x.add_(y.t())),
    "masked_fill": lambda: unary(lambda x: x.masked_fill(x > 0, 0.0)),
    "dropout": dropping,
    "encode": lambda: unary(lambda x: rbe.RBETensor.encode(x)),
    "to_dense": lambda: ((lambda w: lambda: w.to_dense())(nn.RBELinear(4 * SIDE, SIDE).weight), None),
    "RBELinear": lambda: (lambda: nn.RBELinear(8 * SIDE, 4 * SIDE), None),
    "linear": lambda: gradients(nn.Linear(SIDE, SIDE), rbe.randn(512, SIDE)),
    "packed linear": lambda: gradients(nn.RBELinear(SIDE, SIDE), rbe.randn(512, SIDE)),
    "activation": lambda: gradients(rbe.RBEActivation(SIDE), rbe.randn(512, SIDE)),
    "conv": lambda: gradients(nn.Conv2d(8, 16, 3), rbe.randn(16, 8, 48, 48)),
    "packed conv": lambda: gradients(nn.RBEConv2d(8, 16, 3), rbe.randn(16, 8, 48, 48)),
    "max_pool": lambda: gradients(nn.MaxPool2d(2), rbe.randn(16, 16, 64, 64).requires_grad_()),
    "unfold": lambda: ((lambda x: lambda: F.unfold(x, 3))(rbe.randn(8, 8, 64, 64)), None),
    "LSTM": lambda: gradients(nn.LSTM(128, 256), rbe.randn(24, 64, 128)),
    "packed LSTM": lambda: gradients(nn.RBELSTM(128, 256), rbe.randn(24, 64, 128)),
    "GRU": lambda: gradients(nn.GRU(128, 256), rbe.randn(24, 64, 128)),
    "attention": attending,
    "attention with dropout": dropping_attention,
    "embedding": lambda: embedding(nn.Embedding),
    "packed embedding": lambda: embedding(nn.RBEEmbedding),
    "layer norm": lambda: gradients(nn.LayerNorm(SIDE), rbe.randn(1024, SIDE)),
    "batch norm": normalising,
    "cross entropy": lambda: (
        (lambda x, y: lambda: F.cross_entropy(x, y))(rbe.randn(4, SIDE * SIDE).t(), rbe.randint(0, 4, (SIDE * SIDE,))),
        None,
    ),
    "training": training,
    "training in backward": lambda: training(in_backward=True),
    "step of HybridOptimizer": lambda: stepping(rbe.optim.HybridOptimizer),
    "exact step": lambda: stepping(rbe.optim.HybridOptimizer, evidence="exact"),
    "step of AdamW": lambda: stepping_dense(rbe.optim.AdamW),
    "step of SGD": lambda: stepping_dense(rbe.optim.SGD, lr=0.1, momentum=0.9),
    "accumulation": accumulating,
    "clip_grad_norm": clipping,
    "gradients of bits": reading_gradient,
    "jit": fused,
    "checkpoint": segments,
    "save": saving,
    "load": loading,
    "load_state_dict": loading_state,
}


def stepping_dense(optimizer, **options):
    layer = nn.Linear(2 * SIDE, SIDE)
    optimizer = optimizer(layer.parameters(), **options)
    layer(rbe.randn(16, 2 * SIDE)).sum().backward()
    return optimizer.step, (layer, optimizer)
