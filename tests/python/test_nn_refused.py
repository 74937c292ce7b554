"""Layers, losses and sequences that torch's scripts use: what they refuse, each with an error of its type."""

import pytest
import rbe
from rbe import nn

F, RNN = nn.functional, nn.utils.rnn
X = rbe.ones(2, 4, 5, 5)

CALLS = {
    "channels that groups do not divide": (rbe.ShapeError, lambda: nn.ConvTranspose2d(4, 6, 3, groups=4)),
    "an output_padding as long as the stride": (rbe.TensorError, lambda: nn.ConvTranspose2d(4, 6, 3, 2, output_padding=2)(X)),
    "a padding that takes all": (rbe.ShapeError, lambda: F.conv_transpose2d(rbe.ones(1, 4, 1, 1), rbe.ones(4, 2, 2, 2), padding=1)),
    "a bias of another length": (rbe.ShapeError, lambda: F.conv_transpose2d(X, rbe.ones(4, 2, 3, 3), rbe.ones(4))),
    "filters of other channels": (rbe.ShapeError, lambda: F.conv_transpose2d(X, rbe.ones(3, 2, 3, 3))),
    "integers in a convolution": (rbe.DTypeError, lambda: F.conv_transpose1d(rbe.ones(1, 4, 5).long(), rbe.ones(4, 2, 3).long())),
    "a padding mode of a transpose": (rbe.TensorError, lambda: nn.ConvTranspose1d(4, 4, 3, padding_mode="reflect")),
    "an unknown mode": (rbe.TensorError, lambda: F.interpolate(X, 4, mode="linearly")),
    "a mode for other axes": (rbe.ShapeError, lambda: F.interpolate(X, 4, mode="linear")),
    "neither size nor factor": (rbe.TensorError, lambda: F.interpolate(X)),
    "size and factor": (rbe.TensorError, lambda: F.interpolate(X, 4, 2.0)),
    "a negative factor": (rbe.TensorError, lambda: F.interpolate(X, scale_factor=-1.0)),
    "an empty result": (rbe.ShapeError, lambda: F.interpolate(X, scale_factor=0.1)),
    "antialias of nearest elements": (rbe.TensorError, lambda: F.interpolate(X, 4, antialias=True)),
    "align_corners of nearest elements": (rbe.TensorError, lambda: F.interpolate(X, 4, align_corners=True)),
    "planes with more bytes than addresses": (rbe.OutOfMemoryError, lambda: F.interpolate(X, 1 << 40, mode="bilinear")),
    "channels that are no square": (rbe.ShapeError, lambda: F.pixel_shuffle(rbe.ones(1, 3, 2, 2), 2)),
    "a height that is no multiple": (rbe.ShapeError, lambda: F.pixel_unshuffle(X, 2)),
    "a factor of 0": (rbe.TensorError, lambda: F.pixel_shuffle(X, 0)),
    "channels of another number": (rbe.ShapeError, lambda: nn.InstanceNorm2d(3)(X)),
    "one element a channel": (rbe.ShapeError, lambda: nn.InstanceNorm1d(4)(rbe.ones(2, 4, 1))),
    "another number of sides": (rbe.ShapeError, lambda: nn.ZeroPad2d((1, 2, 3))),
    "a mirror longer than the axis": (rbe.ShapeError, lambda: nn.ReflectionPad2d(5)(X)),
    "channels of a vector": (rbe.ShapeError, lambda: nn.Dropout2d()(rbe.ones(4))),
    "a probability above 1": (rbe.TensorError, lambda: nn.Dropout1d(1.5)),
    "an odd axis to gate": (rbe.ShapeError, lambda: nn.GLU(-1)(X)),
    "slopes of other channels": (rbe.ShapeError, lambda: nn.PReLU(3)(X)),
    "bounds in the wrong order": (rbe.TensorError, lambda: nn.Hardtanh(1.0, -1.0)),
    "vectors of other lengths": (rbe.ShapeError, lambda: nn.Bilinear(4, 5, 6)(rbe.ones(2, 4), rbe.ones(2, 4))),
    "no parts": (rbe.TensorError, lambda: nn.AdaptiveMaxPool2d(0)(X)),
    "another reduction": (rbe.TensorError, lambda: nn.MarginRankingLoss(reduction="median")),
    "a margin of 0": (rbe.TensorError, lambda: nn.TripletMarginLoss(margin=0.0)),
    "a negative variance": (rbe.TensorError, lambda: F.gaussian_nll_loss(rbe.ones(2), rbe.ones(2), rbe.tensor([1.0, -1.0]))),
    "variances of another shape": (rbe.ShapeError, lambda: F.gaussian_nll_loss(rbe.ones(4, 3), rbe.ones(4, 3), rbe.ones(2, 3))),
    "a blank that is no class": (rbe.OutOfRangeError, lambda: F.ctc_loss(rbe.zeros(3, 1, 2), rbe.tensor([[1]]), [3], [1], blank=2)),
    "a target that is no class": (rbe.OutOfRangeError, lambda: F.ctc_loss(rbe.zeros(3, 1, 2), rbe.tensor([[5]]), [3], [1])),
    "a length that is too long": (rbe.OutOfRangeError, lambda: F.ctc_loss(rbe.zeros(3, 1, 2), rbe.tensor([[1]]), [4], [1])),
    "lengths of another number": (rbe.ShapeError, lambda: F.ctc_loss(rbe.zeros(3, 1, 2), rbe.tensor([[1]]), [3, 3], [1])),
    "lengths that increase": (rbe.TensorError, lambda: RNN.pack_padded_sequence(rbe.ones(4, 2, 3), [1, 4])),
    "a length of 0": (rbe.OutOfRangeError, lambda: RNN.pack_padded_sequence(rbe.ones(4, 2, 3), [4, 0])),
    "sequences of other widths": (rbe.ShapeError, lambda: RNN.pad_sequence([rbe.ones(2, 3), rbe.ones(2, 4)])),
    "no sequences": (rbe.ShapeError, lambda: RNN.pad_sequence([])),
    "a width of packed sequences": (rbe.ShapeError, lambda: nn.GRU(4, 5)(RNN.pack_sequence([rbe.ones(2, 3)]))),
    "sequences of another width": (rbe.ShapeError, lambda: nn.Transformer(16, 4, 1, 1, 8)(rbe.ones(3, 2, 16), rbe.ones(3, 2, 8))),
    "samples of another number": (rbe.ShapeError, lambda: nn.Transformer(16, 4, 1, 1, 8)(rbe.ones(3, 2, 16), rbe.ones(3, 1, 16))),
    "an unknown activation": (rbe.TensorError, lambda: nn.TransformerDecoderLayer(16, 4, activation="sine")),
    "a weight_norm twice": (rbe.GraphError, lambda: nn.utils.weight_norm(nn.utils.weight_norm(nn.Linear(2, 2)))),
    "a weight_norm of packed weights": (rbe.DTypeError, lambda: nn.utils.weight_norm(nn.RBELinear(64, 2))),
    "a rho above 1": (rbe.TensorError, lambda: rbe.optim.Adadelta([nn.Parameter(rbe.ones(2))], rho=1.5)),
    "a momentum_decay below 0": (rbe.TensorError, lambda: rbe.optim.NAdam([nn.Parameter(rbe.ones(2))], momentum_decay=-1.0)),
}  # fmt: skip


@pytest.mark.parametrize("what", CALLS)
def test_is_refused(what):
    error, call = CALLS[what]
    with pytest.raises(error):
        call()


def test_a_state_with_a_negative_second_moment_is_refused():
    for name, entry in (("Adadelta", "acc_delta"), ("Adamax", "exp_inf"), ("RAdam", "exp_avg_sq"), ("NAdam", "mu_product")):
        p = nn.Parameter(rbe.ones(3))
        optimizer = getattr(rbe.optim, name)([p])
        p.sum().backward()
        optimizer.step()
        state = optimizer.state_dict()
        damaged = {**state["state"][0], entry: state["state"][0][entry] - 9.0}
        with pytest.raises(rbe.TensorError, match=entry):
            optimizer.load_state_dict({**state, "state": {0: damaged}})
        assert rbe.equal(optimizer.state_dict()["state"][0][entry], state["state"][0][entry])


@pytest.mark.parametrize("name", ["Adadelta", "Adamax", "NAdam", "RAdam"])
def test_steps_are_the_same_bits_for_every_number_of_threads(name):
    found, before = [], rbe.get_num_threads()
    try:
        for threads in (1, 2, 5):
            rbe.set_num_threads(threads)
            p = nn.Parameter(rbe.arange(70_001.0) / 1000.0)
            optimizer = getattr(rbe.optim, name)([p], weight_decay=0.1)
            for _ in range(8):
                optimizer.zero_grad()
                (p.sin() * p).sum().backward()
                optimizer.step()
            found.append(p.detach().numpy().tobytes())
    finally:
        rbe.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_a_transposed_convolution_is_the_same_bits_for_every_number_of_threads():
    found, before = [], rbe.get_num_threads()
    rbe.manual_seed(3)
    layer, x = nn.RBEConvTranspose2d(16, 8, 4, stride=2, padding=1), rbe.randn(9, 16, 7, 6)
    try:
        for threads in (1, 2, 5):
            rbe.set_num_threads(threads)
            layer.zero_grad()
            leaf = x.clone().requires_grad_(True)
            y = layer(leaf)
            (y * y).sum().backward()
            parts = (y.detach().numpy(), leaf.grad.numpy(), layer.bias.grad.numpy(), layer.weight.grad.hi)
            found.append(b"".join(bytes(part.tobytes()) for part in parts))
    finally:
        rbe.set_num_threads(before)
    assert found[0] == found[1] == found[2]
