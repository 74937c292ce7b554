"""Loss of a small network with a trainable activation, for several rates of the activation's charges.

Prints the mean loss of the last ten steps for eight seeds and each rate: a rate is good when no seed diverges.
"""

import argparse

import numpy as np
import rbe
from rbe import nn

SEEDS, STEPS, BATCH, INPUTS, CLASSES = 8, 300, 96, 20, 5


def train(seed, lr_hi):
    rbe.manual_seed(seed)
    layers = [nn.Linear(INPUTS, 150), nn.BatchNorm1d(150), nn.ReLU(), rbe.RBELinear(150, 203), nn.BatchNorm1d(203)]
    activation, last = rbe.RBEActivation(), rbe.RBELinear(203, CLASSES)
    model = nn.Sequential(*layers, activation, last)
    others = [p for layer in [*layers, last] for p in layer.parameters()]
    groups = [{"params": others}, {"params": list(activation.parameters()), "lr_hi": lr_hi}]
    optimizer = rbe.optim.HybridOptimizer(groups, seed=seed)
    losses = []
    for _ in range(STEPS):
        x = rbe.randn(BATCH, INPUTS)
        loss = nn.functional.cross_entropy(model(x), x[:, :CLASSES].argmax(1))
        optimizer.step_with_autodiff(loss)
        losses.append(loss.item())
    return np.mean(losses[-10:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[5.0, 0.5, 0.05, 0.0], help="lr_hi of the activation")
    for rate in parser.parse_args().rates:
        print(f"lr_hi {rate:<5}", *(f"{train(seed, rate):7.3f}" for seed in range(SEEDS)))


if __name__ == "__main__":
    main()
