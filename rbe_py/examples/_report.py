"""Shared code of the examples: training runs over seeds, tables and pictures."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rbe

try:
    import matplotlib.figure
    from tqdm import tqdm
except ModuleNotFoundError as missing:  # imported now, so that a missing package is reported before the training
    raise SystemExit(f"{missing}: `make train` installs what the examples need (matplotlib, scikit-learn, tqdm)") from None

STOPPED = 130  # exit code of shells after Ctrl-C


@dataclass
class Run:
    """A trained model and the cost of its training."""

    name: str
    model: rbe.nn.Module
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    score: float = float("nan")
    gradient_bytes: int = 0
    state_bytes: int = 0
    stopped: bool = False

    @property
    def weight_bytes(self) -> int:
        """Return the bytes of all parameters."""
        return sum(p.nbytes for p in self.model.parameters())

    @property
    def training_bytes(self) -> int:
        """Return the bytes of all parameters, of their gradients after backward, and of the optimiser's state."""
        return self.weight_bytes + self.gradient_bytes + self.state_bytes


def fit(
    run: Run,
    batches: Iterable[tuple[rbe.RBETensor, rbe.RBETensor]],
    steps: int,
    optimizer: Any,
    schedule: Any,
    after: Callable[[int], str | None] = lambda step: None,
) -> None:
    """Train for a number of steps with a progress bar; Ctrl-C stops early and keeps the model."""
    loss_of = rbe.nn.CrossEntropyLoss()
    started = time.perf_counter()
    run.model.train()
    try:
        with tqdm(total=steps, desc=f"{run.name:>6}", unit="step", smoothing=0.05) as bar:
            for step, (x, y) in zip(range(steps), batches, strict=False):
                optimizer.zero_grad()
                loss = loss_of(run.model(x), y)
                loss.backward()
                if step == 0:
                    run.gradient_bytes = sum(p.grad.nbytes for p in run.model.parameters() if p.grad is not None)
                optimizer.step()
                schedule.step()
                run.losses.append(loss.item())
                note = after(step)
                if note or step % 20 == 0:
                    bar.set_postfix_str(f"loss {np.mean(run.losses[-50:]):.3f}" + (f", {note}" if note else ""), refresh=False)
                bar.update()
    except KeyboardInterrupt:
        run.stopped = True
    if run.stopped:
        print(f"stopped after {len(run.losses)} of {steps} steps; the model is evaluated and saved")
    run.seconds = time.perf_counter() - started
    run.state_bytes = optimizer.state_bytes


def side_by_side(
    train: Callable[[bool, int], Run], seeds: Iterable[int], what: str, form: str, kinds: Iterable[bool] = (True, False)
) -> list[Run]:
    """Train packed and dense models (True and False in `kinds`) with several seeds.

    Return the first of each kind with the mean scores and seconds.

    A run stopped by Ctrl-C is the last.
    """
    runs: list[Run] = []
    for packed in kinds:
        done: list[Run] = []
        for seed in seeds:
            done.append(train(packed, seed))
            if done[-1].stopped:
                break
        if len(done) > 1:
            print(f"{done[0].name}: {what} of each seed " + ", ".join(f"{r.score:{form}}" for r in done))
        done[0].score = float(np.mean([r.score for r in done]))
        done[0].seconds = float(np.mean([r.seconds for r in done]))
        runs.append(done[0])
        if done[-1].stopped:
            done[0].stopped = True
            break
    return runs


def table(runs: list[Run], score: str, form: str) -> str:
    """Return a table of score, bytes and seconds."""
    head = f"{'':>8} {score:>16} {'weight bytes':>14} {'training bytes':>15} {'seconds':>9}"
    rows = [f"{r.name:>8} {r.score:>16{form}} {r.weight_bytes:>14,} {r.training_bytes:>15,} {r.seconds:>9.1f}" for r in runs]
    return "\n".join([head, *rows])


def picture(path: Path, runs: list[Run], title: str) -> None:
    """Plot the loss curves, and the level parameters of the packed model on the Poincaré disk."""
    figure = matplotlib.figure.Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for run in runs:
        if run.losses:
            rbe.visualization.plot_history({run.name: run.losses}, smooth=max(len(run.losses) // 100, 1), ax=left)
    left.set(xlabel="step", ylabel="training loss (nats)", yscale="log", title=title)
    rbe.visualization.plot_disk(runs[0].model, ax=right)
    figure.savefig(path, dpi=120)
