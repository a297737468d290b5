"""One training of a race: begun, paused at a rung, gone on with later, and returned to after a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triarch.core.machine import computing
from triarch.data.dataset import Dataset
from triarch.tasks.task import Task
from triarch.training.checkpoint import load_checkpoint, save_checkpoint
from triarch.training.evaluate import Scores, evaluate
from triarch.training.loop import Trainer
from triarch.training.recipe import Recipe
from triarch.training.start import resolve, start


class Trial:
    """A trainer with a torch generator of its own, so that trials in one process do not disturb each other.

    Args:
        weights: with which it begins; None: they are drawn.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, task: Task, weights: Mapping[str, Tensor] | None = None
    ) -> None:
        self.recipe, self.dataset, self.task = resolve(recipe, dataset), dataset.folded(recipe.fold), task
        with computing(recipe.threads, recipe.seed):
            self.trainer = start(self.recipe, dataset, task, weights)
            self._generator = torch.get_rng_state()

    def run(
        self, seconds: float | None, finish: bool, deadline: float | None = None, steps: int | None = None,
        after_step: Callable[[Trainer], bool] | None = None,
    ) -> None:  # fmt: skip
        """Train until `seconds` in all are spent or `steps` in all are done; see `Trainer.run`.

        Raises:
            Diverged: the loss has blown up.
        """
        with computing(self.recipe.threads, self.recipe.seed, flush_denormals=True):
            torch.set_rng_state(self._generator)
            self.trainer.run(steps, seconds, finish, deadline, after_step)
            self._generator = torch.get_rng_state()

    def scores(self, rows: NDArray[np.int64]) -> Scores:
        """Of the trainer's result on the items `rows`."""
        with computing(self.recipe.threads):
            return evaluate(self.trainer.result, self.task, self.dataset.batches(rows))

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        with computing(self.recipe.threads, self.recipe.seed):
            torch.set_rng_state(self._generator)
            save_checkpoint(self.trainer, path)

    def load(self, path: Path) -> None:
        """Go back to a checkpoint of this recipe."""
        with computing(self.recipe.threads, self.recipe.seed):
            load_checkpoint(self.trainer, path)
            self._generator = torch.get_rng_state()
