"""Schedules by name, and the course of their rates."""

import numpy as np
import rbe
from rbe import nn
from rbe.optim import SGD, HybridOptimizer
from rbe.optim import lr_scheduler as S

MAKE = {
    "lambda": lambda o: S.LambdaLR(o, lambda t: 1 / (1 + t)),
    "multiplicative": lambda o: S.MultiplicativeLR(o, lambda t: 0.97),
    "step": lambda o: S.StepLR(o, 3, 0.5),
    "milestones": lambda o: S.MultiStepLR(o, [4, 4, 7]),
    "constant": lambda o: S.ConstantLR(o, 0.25, 4),
    "linear": lambda o: S.LinearLR(o, 0.1, 0.8, 10),
    "exponential": lambda o: S.ExponentialLR(o, 0.9),
    "polynomial": lambda o: S.PolynomialLR(o, 9, 2.0),
    "cosine": lambda o: S.CosineAnnealingLR(o, 10, 0.001),
    "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, 4, 2),
    "one_cycle": lambda o: S.OneCycleLR(o, 0.1, 40),
    "cyclic": lambda o: S.CyclicLR(o, 0.01, 0.1, 4, mode="triangular2"),
    "sequential": lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.5, total_iters=5), S.CosineAnnealingLR(o, 25)], [5]),
    "chained": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 3), S.ExponentialLR(o, 0.9)]),
    "plateau": lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=1),
}


METRIC = [3.0, 2.0, 2.5, 2.4, 2.6, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]


def sgd(*rates, **options):
    return SGD([{"params": nn.Parameter(rbe.ones(2)), "lr": rate} for rate in rates or (1.0,)], momentum=0.9, **options)


def hybrid(lr=0.01, lr_lo=0.03, lr_hi=0.06):
    return HybridOptimizer(nn.RBELinear(8, 8).parameters(), lr=lr, lr_lo=lr_lo, lr_hi=lr_hi)


def advance(scheduler, i):
    scheduler.step(*([METRIC[i]] if isinstance(scheduler, S.ReduceLROnPlateau) else []))


def course(optimizer, schedulers, steps, group=0):
    """Return the rate at the start and after each step."""
    found = [optimizer.param_groups[group]["lr"]]
    for i in range(steps):
        for scheduler in schedulers:
            advance(scheduler, i)
        found.append(optimizer.param_groups[group]["lr"])
    return np.array(found)
