"""Features: what a backbone without a head gives, a summary of each item. Nothing is sought, so nothing is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.errors import InputError
from triarch.core.results import Metric
from triarch.core.spec import Spec
from triarch.core.types import Batch, Features, FeatureShape


class Head(nn.Module):
    """The summary, brought to length 1 where that is asked for."""

    def __init__(self, unit: bool) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """→ (B P)."""
        return F.normalize(features.pooled, dim=-1) if self.unit else features.pooled


class Summarise:
    """Only answers: a task to be learned comes with `finetune`."""

    name = "features"
    causal = False

    def __init__(self, spec: Spec | None = None) -> None:
        self.primary = Metric("loss", "min")
        self.scores: tuple[Metric, ...] = (self.primary,)

    def view(self, spec: Spec) -> Spec:
        """As it is."""
        return spec

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """The batch as it is."""
        return batch

    def head(self, shape: FeatureShape, spec: Spec) -> nn.Module:
        """One without weights."""
        return Head(spec.target.unit)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """The mean square, so that what a step would cost can be told."""
        return output.square().mean()

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """There are none.

        Raises:
            InputError: always.
        """
        raise InputError(
            "this model has no head: it gives features, and none are right or wrong",
            "`triarch finetune` teaches it a task",
        )

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """As `metrics`."""
        return self.metrics(answers, batch)

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """The features (B P)."""
        return output
