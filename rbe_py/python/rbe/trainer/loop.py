"""The loop of training."""

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import _rbe
from .. import callbacks as registry
from .._arguments import check, describe, real, whole
from .._logging import logger
from ..errors import DependencyError, DTypeError, TensorError
from ..nn.loss import CrossEntropyLoss, NLLLoss
from ..nn.module import Module
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim.base import Optimizer
from ..optim.lr_scheduler import ReduceLROnPlateau
from .callback import Callback, as_callback, watched
from .evaluation import Loss
from .interrupt import Interrupt
from .metric import AccuracyOfClasses, Averages, Metric
from .progress import Progress
from .run import Path, Run
from .state import State, check_generators, random_state, set_random_state

__all__ = ["Trainer"]


class Trainer(Run):
    """Train, evaluate and apply a model.

    A batch is a tuple or list whose last part is the target and whose other parts are the model's arguments; override
    `forward` and `samples` for another form. The first Ctrl-C ends `fit` after the present step: callbacks save, then
    KeyboardInterrupt is raised.

    Parameters
    ----------
    model : Module
        With packed parameters, dense ones or both.
    optimizer : Optimizer
    loss : callable
        Takes outputs and target, returns the mean over the samples of the batch. Batches are weighted by the divisor of the
        mean. Losses of this package know theirs; a user-defined one may return a pair of mean and divisor, or have a method
        `denominator` of outputs and target that returns the divisor (None: a sum).
    criterion : callable
        Another name of `loss`.
    scheduler : LRScheduler or ReduceLROnPlateau, optional
    schedule_every : {"step", "epoch"}
        When the scheduler advances; ReduceLROnPlateau always does after an epoch.
    monitor : str, optional
        Name of the value that ReduceLROnPlateau is given: default "val_loss", or "loss" without validation.
    metrics : sequence or mapping of callables, optional
        Take outputs and target, return the mean over the samples, or a pair as a loss; "accuracy" stands for
        `rbe.trainer.accuracy` without the targets that the loss ignores.
    callbacks : sequence of Callback or callable
        A plain function is called after every epoch, with the trainer; after them those of `rbe.callbacks`.
    accumulate : int
        Batches whose gradients make one step: together they are one batch of all their samples.
    clip_norm, clip_value : float, optional
        Bound of the norm of all gradients that the optimiser uses, or of each element of dense ones.
    progress : bool, optional
        Show a bar: default if tqdm is installed.

    Attributes
    ----------
    state : State
        Counters.
    history : list of dict
        For every epoch: "epoch", "step", "loss", metrics, the same with "val_" of the validation, "lr", "seconds".

    Raises
    ------
    TensorError
        For arguments outside their range, or that an optimiser working `in_backward` excludes.

    Examples
    --------
    >>> import rbe
    >>> _ = rbe.manual_seed(0)
    >>> model = rbe.nn.Sequential(rbe.RBELinear(8, 32), rbe.nn.ReLU(), rbe.nn.Linear(32, 2))
    >>> x = rbe.randn(64, 8)
    >>> data = rbe.data.TensorDataset(x, (x[:, 0] > 0).long())
    >>> trainer = rbe.Trainer(
    ...     model, rbe.optim.HybridOptimizer(model.parameters()), rbe.nn.CrossEntropyLoss(),
    ...     metrics=["accuracy"], progress=False,
    ... )
    >>> history = trainer.fit(rbe.data.DataLoader(data, 16, shuffle=True, seed=0), epochs=24)
    >>> len(history), history[-1]["step"]
    (24, 96)
    >>> trainer.evaluate(rbe.data.DataLoader(data, 16))["accuracy"] > 0.9
    True
    >>> trainer.predict(rbe.data.DataLoader(data, 16)).shape
    (64, 2)
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss: Loss | None = None,
        *,
        criterion: Loss | None = None,
        scheduler: Any = None,
        schedule_every: str = "step",
        monitor: str | None = None,
        metrics: Sequence[str | Metric] | Mapping[str, Metric] = (),
        callbacks: Sequence[Callback | Callable[["Trainer"], Any]] = (),
        accumulate: int = 1,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        progress: bool | None = None,
    ) -> None:
        self._check(optimizer, scheduler, schedule_every, accumulate, clip_norm, clip_value)
        given = [function for function in (loss, criterion) if function is not None]
        check("Trainer", len(given) == 1, "loss or criterion", f"{len(given)} of them")
        super().__init__(model, given[0], metrics)
        self.optimizer, self.scheduler = optimizer, scheduler
        self.schedule_every = "epoch" if isinstance(scheduler, ReduceLROnPlateau) else schedule_every
        self.monitor = monitor
        self.accumulate = whole("Trainer", "accumulate", accumulate, 1)
        self.clip_norm, self.clip_value = clip_norm, clip_value
        listed = [as_callback(c) for c in callbacks]
        if progress is not False and not any(isinstance(c, Progress) for c in listed):
            try:
                listed.append(Progress())
            except DependencyError:
                if progress:
                    raise
        self.callbacks = sorted(listed, key=lambda c: c.last)
        self.state, self.history, self.epochs = State(), [], 0
        self.batches_per_epoch = self._loader = self._epoch_start = self._loaded = None
        self._interrupt = Interrupt()

    def _check(self, optimizer: Any, scheduler: Any, every: Any, accumulate: Any, norm: Any, value: Any) -> None:
        op = "Trainer"
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(op, "an Optimizer", describe(optimizer))
        if scheduler is not None and not callable(getattr(scheduler, "step", None)):
            raise DTypeError(op, "a scheduler with a step, or None", describe(scheduler))
        check(op, every in ("step", "epoch"), "schedule_every 'step' or 'epoch'", every)
        whole(op, "accumulate", accumulate, 1)
        for name, bound in (("clip_norm", norm), ("clip_value", value)):
            check(op, bound is None or real(op, name, bound) > 0, f"{name} > 0", bound)
        at_once = getattr(optimizer, "in_backward", False)
        plainly = accumulate == 1 and norm is None and value is None
        got = f"accumulate={accumulate}, clip_norm={norm}, clip_value={value}"
        check(op, plainly or not at_once, "no accumulation and no clipping with in_backward", got)

    def fit(
        self,
        loader: Iterable[Any],
        validation: Iterable[Any] | None = None,
        *,
        epochs: int = 1,
        resume: bool | Path = False,
    ) -> list[dict[str, Any]]:
        """Train. Modules in evaluation mode stay in it, such as a batch normalisation that keeps its statistics.

        Parameters
        ----------
        loader : DataLoader, or anything that can be iterated over anew for every epoch
        validation : the same, optional
            Evaluated after every epoch.
        epochs : int
            In all, with those of a run that is continued.
        resume : path or bool
            A file of `save` or of a Checkpoint to continue from; True continues from the state of this trainer. The run goes
            on as if it had not been interrupted, bit for bit, also in the middle of an epoch, given the same model,
            optimiser, scheduler, callbacks and loader. (Random numbers that workers kept from epoch to epoch
            draw on their own are not part of it.)

        Returns
        -------
        list of dict
            `history`.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, once callbacks have saved.
        """
        epochs = whole("fit", "epochs", epochs, 1)
        if not isinstance(resume, bool | str | os.PathLike):
            raise DTypeError("fit", "True, False or a path as resume", describe(resume))
        if not isinstance(resume, bool):
            self.load(resume)
        elif not resume:
            self.state, self.history, self._epoch_start, self._loaded = State(), [], None, None
        if self._epoch_start is not None:
            check_generators(self._epoch_start, loader)
        if self._loaded is not None:
            set_random_state(self._loaded, loader)
            self._loaded = None
        self._loader, self.epochs, self.state.stop = loader, epochs, False
        self.batches_per_epoch = _length(loader)
        if not self.model.training:
            logger.warning("fit: the model is in evaluation mode, and stays so: call model.train() before, to train all of it")
        self._interrupt = Interrupt()
        started: list[Callback] = []
        try:
            with self._interrupt:
                for callback in self.callbacks:
                    callback.on_fit_start(self)
                    started.append(callback)
                while self.state.epoch < epochs and not self.state.stop and not self._interrupt.came:
                    self._epoch(validation)
                if self._interrupt.came:
                    self._call("on_interrupt")
        finally:
            for callback in started:
                callback.on_fit_end(self)
        if self._interrupt.came:
            raise KeyboardInterrupt
        return self.history

    def train(self, loader: Iterable[Any], epochs: int = 1, validation: Iterable[Any] | None = None) -> list[dict[str, Any]]:
        """Train as `fit`; if functions of `rbe.callbacks` are registered, measure the accuracy for losses of class numbers.

        Parameters
        ----------
        loader, validation, epochs
            As for `fit`.

        Returns
        -------
        list of dict
            `history`.
        """
        if registry.training_callbacks() and isinstance(self.loss, CrossEntropyLoss | NLLLoss):
            self.metrics.setdefault("accuracy", AccuracyOfClasses(self.loss.ignore_index))
        return self.fit(loader, validation, epochs=epochs)

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def _epoch(self, validation: Iterable[Any] | None) -> None:
        state, started = self.state, time.perf_counter()
        batches = self._batches()
        self._call("on_epoch_start")
        for group in iter(lambda: list(itertools.islice(batches, self.accumulate)), []):
            self._step(group)
            self._call("on_step_end")
            if self._interrupt.came or state.stop:
                return
        if state.batch == 0:
            raise TensorError("fit", "a loader that yields batches in every epoch", f"none in epoch {state.epoch + 1}")
        entry: dict[str, Any] = {"epoch": state.epoch + 1, "step": state.step, **state.logs}
        if validation is not None:
            before = random_state(self._loader)
            found = self._evaluate(validation, lambda: self._interrupt.came)
            if found is None:  # interrupted: the epoch is finished, with the same random numbers, when the run continues
                set_random_state(before, self._loader)
                return
            entry.update({f"val_{name}": value for name, value in found.items()})
        entry.update(lr=self.lr, seconds=time.perf_counter() - started)
        if self.scheduler is not None and self.schedule_every == "epoch":
            if isinstance(self.scheduler, ReduceLROnPlateau):
                name = self.monitor or ("loss" if validation is None else "val_loss")
                self.scheduler.step(watched(entry, name, "ReduceLROnPlateau"))
            else:
                self.scheduler.step()
        self.history.append(entry)
        state.epoch, state.batch, state.averages = state.epoch + 1, 0, Averages()
        self._epoch_start = None
        self._call("on_epoch_end")
        registry.call_training_callbacks(entry)

    def _batches(self) -> Iterator[Any]:
        """The batches of the present epoch that are not used yet."""
        if self._epoch_start is None:
            self._epoch_start = random_state(self._loader)
            fresh: Iterator[Any] = iter(self._loader)
            return fresh
        # Draw the order of the epoch again, skip the batches that were used, and restore the present random state.
        now = random_state(self._loader)
        set_random_state(self._epoch_start, self._loader)
        batches: Iterator[Any] = iter(self._loader)
        for i in range(self.state.batch):
            try:
                next(batches)
            except StopIteration:
                raise TensorError("fit", f"a loader of {self.state.batch} or more batches to continue", str(i)) from None
        set_random_state(now, self._loader)
        return batches

    def _step(self, group: list[Any]) -> None:
        """One step of the optimiser, on the gradients of all batches of a group."""
        self.optimizer.zero_grad()
        averages = self.state.averages.copy()  # a step that fails counts for nothing, and can be taken again
        self._backward(group, averages)
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        if self.clip_norm is not None:
            clip_grad_norm_(parameters, self.clip_norm)
        if self.clip_value is not None:
            clip_grad_value_((p for p in parameters if not p.is_packed), self.clip_value)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.state.averages = averages
        if self.scheduler is not None and self.schedule_every == "step":
            self.scheduler.step()
        self.state.step += 1
        self.state.batch += len(group)

    def _backward(self, group: list[Any], averages: Averages) -> None:
        """Leave the gradients of all batches of a group, as of one batch."""
        first = total = 0.0
        for batch in group:
            loss, weight = self._compute(batch, averages)
            if weight == 0:
                continue  # the mean over nothing has no gradient
            if weight is None or len(group) == 1:
                loss.backward()
                continue
            # How much all weigh is known at the end: until then the first batch has the weight 1.
            first = first or weight
            (loss * (weight / first)).backward()
            total += weight
        if total > first:
            _rbe.scale_grad([p for g in self.optimizer.param_groups for p in g["params"]], first / total)


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:
        return None
