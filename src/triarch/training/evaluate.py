"""Scores of a model on items it did not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from triarch.core.results import Metric
from triarch.core.types import NOTHING, Batch
from triarch.generation.settings import Settings
from triarch.measure.statistics import score
from triarch.model import Pair
from triarch.tasks.task import Task, joined


@dataclass(frozen=True)
class Scores:
    """Item by item, in ascending order of `items`.

    Attributes:
        items: (I), row numbers.
        targets: (I), labels as the data has them: class numbers, or (I H).
        metrics: metric → its value for each item (I).
        answers: (I …), the decoded outputs.
    """

    items: NDArray[np.int64]
    targets: NDArray[Any]
    metrics: dict[str, NDArray[np.float32]]
    answers: NDArray[np.float32]

    def mean(self, metric: str) -> float:
        """Over items."""
        return float(self.metrics[metric].mean(dtype=np.float64))

    def score(self, metric: Metric) -> float:
        """As the metric is averaged."""
        return score(self.metrics[metric.name], self.strata(metric))

    def summary(self, primary: Metric) -> dict[str, float]:
        """The score of each metric."""
        return {name: self.mean(name) for name in self.metrics} | {primary.name: self.score(primary)}

    def strata(self, metric: Metric) -> NDArray[np.int64] | None:
        """The groups of items (I) over which the metric is averaged first; None: there are none."""
        return self.targets if metric.by_class else None


def evaluate(model: nn.Module, task: Task, batches: Iterable[Batch], writing: Settings | None = None) -> Scores:
    """Run `model` over `batches`, whose `items` and `target` are known; a pair writes as `writing` says."""
    was_training = model.training
    model.eval()
    items, targets, metrics, answers = [], [], [], []
    with torch.inference_mode():
        for batch in batches:
            assert batch.items is not None
            assert batch.target is not None
            items.append(batch.items)
            targets.append(batch.target)
            batch = task.prepare(batch)
            if isinstance(model, Pair):
                batch = replace(batch, written=model.write(batch, writing))
            output = model(batch)
            metrics.append(task.metrics(output, batch))
            answers.append(task.decode(output, batch))
    model.train(was_training)
    rows = torch.cat(items)
    order = rows.argsort()
    return Scores(
        items=rows[order].numpy(),
        targets=joined(targets, NOTHING)[order].numpy(),
        metrics={name: torch.cat([part[name] for part in metrics])[order].numpy() for name in metrics[0]},
        answers=joined(answers, 0)[order].numpy(),
    )
