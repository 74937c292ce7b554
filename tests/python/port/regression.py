"""A polynomial fitted by one linear layer, whose weights are changed by hand."""

from itertools import count

import torch
import torch.nn.functional as F

POLY_DEGREE = 4


def make_features(x):
    """A matrix with the columns x, x^2, x^3, x^4."""
    x = x.unsqueeze(1)
    return torch.cat([x**i for i in range(1, POLY_DEGREE + 1)], 1)


def main(folder):
    torch.manual_seed(2)
    w_target = torch.randn(POLY_DEGREE, 1) * 5
    b_target = torch.randn(1) * 5

    def f(x):
        return x.mm(w_target) + b_target.item()

    def get_batch(batch_size=32):
        random = torch.randn(batch_size)
        x = make_features(random)
        return x, f(x)

    fc = torch.nn.Linear(w_target.size(0), 1)
    first = None
    for batch_idx in count(1):
        batch_x, batch_y = get_batch()
        fc.zero_grad()
        output = F.smooth_l1_loss(fc(batch_x), batch_y)
        loss = output.item()
        first = loss if first is None else first
        output.backward()
        for param in fc.parameters():
            param.data.add_(-0.1 * param.grad)
        if loss < 1e-2 or batch_idx == 2000:
            break
    words = [f"{w:+.2f} x^{i + 1}" for i, w in enumerate(fc.weight.view(-1))]
    print(f"Loss: {loss:.6f} after {batch_idx} batches:", " ".join(words), f"{fc.bias[0]:+.2f}")
    return first, loss
