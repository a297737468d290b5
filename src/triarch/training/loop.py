"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from triarch.core.errors import InputError
from triarch.core.types import Batch
from triarch.model import Model
from triarch.tasks.task import Task
from triarch.training.optimiser import make_optimiser
from triarch.training.recipe import Recipe
from triarch.training.schedule import factor, total_from

BLOWN_UP = 5.0

Tensors = list[Tensor] | tuple[Tensor, ...]


class Batches(Protocol):
    """Where training batches come from."""

    per_epoch: int

    def start(self, first: int, workers: int = 0) -> Iterator[Batch]:
        """The batches from number `first` on."""
        ...


class Diverged(InputError):
    """The loss is not a number any more, or has grown far beyond where it began."""

    def __init__(self, step: int, loss: float, lr: float) -> None:
        super().__init__(
            f"the training diverged: the loss was {loss:.4g} at step {step} with learning rate {lr:.2g}",
            f"lower it: --set optimiser.lr={lr / 10:.2g}",
        )
        self.step, self.loss, self.lr = step, loss, lr


class Trainer:
    """A training that can stop after any step and go on.

    Attributes:
        step: steps done.
        elapsed: seconds spent in `run`, interruptions left out.
        total: steps that the schedule is made for; None while only a time limit is known.
        loss: of the last step.
        notes: what of the model was not taken over from another, in words.
    """

    def __init__(self, model: Model, task: Task, batches: Batches, recipe: Recipe) -> None:
        self.model, self.task, self.batches, self.recipe = model, task, batches, recipe
        self.step, self.elapsed, self.loss = 0, 0.0, math.nan
        self.notes: list[str] = []
        self.total = recipe.schedule.steps or recipe.steps
        self.optimiser = make_optimiser(model, recipe)
        self.average = (
            AveragedModel(model, multi_avg_fn=_ema(recipe.average), use_buffers=True) if recipe.average else None
        )
        self._smooth = self._first = math.nan

    @property
    def result(self) -> Model:
        """The model to evaluate and keep: the averaged one, where there is an average."""
        return self.model if self.average is None else cast(Model, self.average.module)

    @property
    def smooth_loss(self) -> float:
        """The mean loss of about the last ten steps."""
        return self._smooth

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        assert self.recipe.optimiser.lr is not None
        return self.recipe.optimiser.lr * factor(self.recipe.schedule, self.step, self.total)

    def run(
        self, steps: int | None = None, seconds: float | None = None, finish: bool = True,
        deadline: float | None = None, after_step: Callable[[Trainer], bool] | None = None,
    ) -> None:  # fmt: skip
        """Train until the first of these is reached; without `steps` and `seconds`, those of the recipe.

        Args:
            steps: this many steps in all.
            seconds: this many of `elapsed`. The decay is begun in time to end with them.
            finish: False: stop at `seconds` in the stable phase, without a decay, to go on later.
            deadline: a value of `elapsed` at which to stop wherever the decay stands; None: there is none.
            after_step: called after each step; True stops.

        Raises:
            Diverged: the loss has blown up.
        """
        if steps is seconds is None:
            steps, seconds = self.recipe.steps, self.recipe.seconds
        self.model.train()
        batches = self.batches.start(self.step, self.recipe.workers)
        begin = time.perf_counter() - self.elapsed
        while steps is None or self.step < steps:
            if seconds is not None and self.elapsed >= seconds and not (finish and self.total):
                break
            if deadline is not None and self.elapsed >= deadline:
                break
            if finish and seconds is not None and self.total is None and self._decay_is_due(seconds):
                self.total = total_from(self.recipe.schedule, self.step)
            if self.total is not None and self.step >= self.total:
                break
            self.loss = self._step(next(batches))
            self.step += 1
            self.elapsed = time.perf_counter() - begin
            stop = after_step is not None and after_step(self)
            self.elapsed = time.perf_counter() - begin
            if stop:
                break

    def _step(self, batch: Batch) -> float:
        lr = self.lr
        for group in self.optimiser.param_groups:
            waits = self.step < group.get("begins", 0.0) * (self.total or 0)
            group["lr"] = 0.0 if waits else lr * group.get("scale", 1.0)
        batch = self.task.prepare(batch, self._random())
        with torch.autocast(batch.input.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            loss = self.task.loss(self.model(batch), batch)
        self.optimiser.zero_grad()
        loss.backward()
        if self.recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        value = loss.item()
        self._check(value, lr)
        return value

    def _random(self) -> torch.Generator:
        """The random numbers of this step: a function of seed and step alone."""
        (state,) = np.random.SeedSequence((self.recipe.seed, self.step)).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(state >> 1))

    def _check(self, loss: float, lr: float) -> None:
        if math.isnan(self._first):
            self._first = self._smooth = loss
        self._smooth = 0.9 * self._smooth + 0.1 * loss
        if not math.isfinite(loss) or self._smooth > BLOWN_UP * self._first + 1:
            raise Diverged(self.step, loss, lr)

    def _decay_is_due(self, seconds: float) -> bool:
        if self.step == 0:
            return False
        decay = total_from(self.recipe.schedule, self.step) - self.step
        return seconds - self.elapsed <= decay * self.elapsed / self.step


def _ema(decay: float | None) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """average ← d average + (1 - d) weights, where d grows to `decay` so that the start is soon forgotten."""

    @torch.no_grad()
    def update(averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        assert decay is not None
        share = min(decay, (1 + int(count)) / (10 + int(count)))
        for average, weight in zip(averages, weights):
            if average.is_floating_point():
                average.lerp_(weight, 1 - share)
            else:
                average.copy_(weight)

    return update
