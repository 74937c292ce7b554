"""A pole on a cart, to be kept upright by pushing the cart left or right: the environment of the scripts that learn by reward."""

import math
import random


class Pole:
    """Euler steps of 0.02 s of the cart and pole of Barto, Sutton and Anderson (1983), with a reward of 1 for each.

    Observations are position and speed of the cart, angle and angular speed of the pole, in SI units.
    """

    most = 200

    def __init__(self, seed):
        self.random = random.Random(seed)

    def reset(self):
        self.state = [self.random.uniform(-0.05, 0.05) for _ in range(4)]
        self.steps = 0
        return self.state

    def step(self, action):
        x, v, angle, w = self.state
        force = 10.0 if action else -10.0
        pushed = (force + 0.05 * w * w * math.sin(angle)) / 1.1
        turn = (9.8 * math.sin(angle) - pushed * math.cos(angle)) / (0.5 * (4 / 3 - 0.1 * math.cos(angle) ** 2 / 1.1))
        speedup = pushed - 0.05 * turn * math.cos(angle) / 1.1
        self.state = [x + 0.02 * v, v + 0.02 * speedup, angle + 0.02 * w, w + 0.02 * turn]
        self.steps += 1
        fell = abs(self.state[0]) > 2.4 or abs(self.state[2]) > math.radians(12)
        return self.state, 1.0, fell, self.steps >= self.most
