"""The contract that every task keeps, and the task that fits a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.results import Metric
from triarch.core.spec import Spec
from triarch.core.types import Batch, FeatureShape


class Task(Protocol):
    """What is learned. A head's output is a tensor whose first dimension is the item.

    Attributes:
        name: as `--task` takes it.
        primary: the metric that trainings are compared by.
        scores: the metrics that may be primary.
        causal: whether a backbone must not look ahead.
    """

    name: str
    causal: bool
    primary: Metric
    scores: tuple[Metric, ...]

    def view(self, spec: Spec) -> Spec:
        """The data as a backbone sees it: the shape of a prepared input in place of that of a raw one."""
        ...

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """The batch as the model shall see it: masked, shifted, or as it is."""
        ...

    def head(self, shape: FeatureShape, spec: Spec) -> nn.Module:
        """Features, and the batch that they were made of → output."""
        ...

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """What training makes small: a single value."""
        ...

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Metric → its value for each item (B) of a batch that was prepared; a score is their mean, see `Metric`.

        `loss` is among them.
        """
        ...

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Metrics of each item, the primary one among them, for bare answers: class numbers (B), their
        probabilities (B K), or values (B H).
        """
        ...

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """The answer for each item of a batch that was prepared: for classes their probabilities (B K)."""
        ...


def joined(parts: Sequence[Tensor], filler: int = 0) -> Tensor:
    """What was made of several batches, (B …) each, one below the other; tokens (B T) filled up to the longest."""
    longest = max(part.shape[1] if part.ndim == 2 else 0 for part in parts)
    return torch.cat(
        [F.pad(part, (0, longest - part.shape[1]), value=filler) if part.ndim == 2 else part for part in parts]
    )
