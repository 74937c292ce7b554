"""What the examples share: a run of one model, a table, a picture."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rbe
from tqdm import tqdm


@dataclass
class Run:
    """One trained model and what its training cost."""

    name: str
    model: rbe.nn.Module
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    score: float = float("nan")
    state_bytes: int = 0

    @property
    def weight_bytes(self) -> int:
        """Bytes of all parameters."""
        return sum(p.nbytes for p in self.model.parameters())

    @property
    def training_bytes(self) -> int:
        """Bytes of parameters, the largest gradients seen, and optimiser state."""
        return self.weight_bytes + self.state_bytes


def fit(
    run: Run,
    batches: Iterable[tuple[rbe.RBETensor, rbe.RBETensor]],
    steps: int,
    optimizer: Any,
    schedule: Any,
    after: Callable[[int], str | None] = lambda step: None,
) -> None:
    """Train for a number of steps with a progress bar; Ctrl-C stops early and keeps what was learned."""
    loss_of = rbe.nn.CrossEntropyLoss()
    gradient_bytes = 0
    started = time.perf_counter()
    run.model.train()
    with tqdm(total=steps, desc=f"{run.name:>6}", unit="step", smoothing=0.05) as bar:
        try:
            for step, (x, y) in zip(range(steps), batches, strict=False):
                optimizer.zero_grad()
                loss = loss_of(run.model(x), y)
                loss.backward()
                if step == 0:
                    gradient_bytes = sum(p.grad.nbytes for p in run.model.parameters() if p.grad is not None)
                optimizer.step()
                schedule.step()
                run.losses.append(loss.item())
                note = after(step)
                if note or step % 20 == 0:
                    bar.set_postfix_str(f"loss {np.mean(run.losses[-50:]):.3f}" + (f", {note}" if note else ""), refresh=False)
                bar.update()
        except KeyboardInterrupt:
            tqdm.write("stopped early; evaluating and saving what was learned")
    run.seconds = time.perf_counter() - started
    run.state_bytes = optimizer.state_bytes + gradient_bytes


def table(runs: list[Run], score: str, form: str) -> str:
    """Return a table of score, bytes and seconds."""
    head = f"{'':>8} {score:>16} {'weight bytes':>14} {'training bytes':>15} {'seconds':>9}"
    rows = [f"{r.name:>8} {r.score:>16{form}} {r.weight_bytes:>14,} {r.training_bytes:>15,} {r.seconds:>9.1f}" for r in runs]
    return "\n".join([head, *rows])


def picture(path: Path, runs: list[Run], title: str) -> None:
    """Draw the loss curves, and the points of the packed model's blocks on the Poincaré disk."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Circle

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5))
    for run in runs:
        width = max(len(run.losses) // 100, 1)
        smooth = np.convolve(run.losses, np.ones(width) / width, "valid")
        left.plot(np.arange(len(smooth)) + width, smooth, label=run.name)
    left.set(xlabel="step", ylabel="training loss (nats)", yscale="log", title=title)
    left.legend()
    for name, p in runs[0].model.named_parameters():
        if p.is_packed:
            z = p.lo.reshape(-1, 2)
            right.scatter(z[:, 0], z[:, 1], s=2, alpha=0.4, label=name, rasterized=True)
    right.add_patch(Circle((0, 0), 1, fill=False, color="0.5"))
    right.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xlabel="z0", ylabel="z1")
    right.set_title("blocks on the Poincaré disk")
    right.legend(markerscale=4, fontsize=8, loc="upper right")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
