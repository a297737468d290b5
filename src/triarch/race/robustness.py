"""What a change of the items does to the score of trained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from triarch.core.findings import Effect
from triarch.core.machine import computing
from triarch.core.types import Batch
from triarch.measure.comparison import paired_difference
from triarch.measure.statistics import score as mean_score
from triarch.model import Model
from triarch.race.changes import Altered
from triarch.tasks.task import Task
from triarch.training.evaluate import evaluate


class Bench:
    """Trained networks and the items on which they are compared with themselves.

    Args:
        networks: model → its seeds.
        batches: the items as they are.
        seed: of what is drawn.
    """

    def __init__(
        self, networks: Mapping[str, Sequence[Model]], task: Task, batches: Sequence[Batch], threads: int, seed: int
    ) -> None:
        self.networks, self.task, self.batches, self.threads, self.seed = networks, task, batches, threads, seed
        self._before: dict[str, NDArray[np.float32]] = {}
        self._strata: NDArray[np.int64] | None = None
        self._changed: tuple[str, Sequence[Batch]] = "", []

    def effect(self, model: str, change: Altered) -> Effect:
        """The score with the change minus the score without, paired on seeds and items."""
        if self._changed[0] != change.name:
            self._changed = change.name, change.batches(self.batches, self.seed)
        before, after = self.before(model), self._values(model, self._changed[1])
        found = paired_difference(after - before, np.zeros(before.shape[1]), self._strata)
        score = float(np.mean([mean_score(one, self._strata) for one in after]))
        return Effect(model, change.name, score, found.mean, found.interval)

    def before(self, model: str) -> NDArray[np.float32]:
        """The primary metric of each seed and item as it is: (S I)."""
        if model not in self._before:
            self._before[model] = self._values(model, self.batches)
        return self._before[model]

    def _values(self, model: str, batches: Sequence[Batch]) -> NDArray[np.float32]:
        with computing(self.threads):
            scores = [evaluate(network, self.task, batches) for network in self.networks[model]]
        self._strata = scores[0].strata(self.task.primary)
        return np.stack([one.metrics[self.task.primary.name] for one in scores])
