"""Classification: which one of K classes an item belongs to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.results import BALANCED, Metric
from triarch.core.spec import Spec
from triarch.core.types import Batch, Features, FeatureShape

RARE = 0.2


class Head(nn.Module):
    """logits = W pooled + b."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, num_classes)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """→ (B K)."""
        logits: Tensor = self.linear(features.pooled)
        return logits


class Classify:
    """Cross-entropy; scored by accuracy, balanced where the rarest class is below a fifth of its equal share."""

    name = "classify"
    causal = False

    def __init__(self, spec: Spec | None = None) -> None:
        balanced = spec is not None and spec.target.rarest < RARE
        self.scores: tuple[Metric, ...] = (
            Metric("accuracy", "max"),
            Metric(f"{BALANCED}accuracy", "max"),
            Metric("loss", "min"),
        )
        self.primary = self.scores[1 if balanced else 0]

    def view(self, spec: Spec) -> Spec:
        """As it is."""
        return spec

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """The batch as it is."""
        return batch

    def head(self, shape: FeatureShape, spec: Spec) -> nn.Module:
        """A linear layer on `pooled`."""
        return Head(shape.pooled_dim, spec.num_classes)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy in nats of logits (B K); the target is class numbers (B) or their shares (B K)."""
        assert batch.target is not None
        return F.cross_entropy(output, batch.target)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Accuracy (0 or 1) and cross-entropy of each item; balanced accuracy is accuracy, averaged by class."""
        assert batch.target is not None
        return {
            **self.judge(output.argmax(dim=1), batch),
            "loss": F.cross_entropy(output, batch.target, reduction="none"),
        }

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Whether each answer (B) is right; of probabilities (B K) the cross-entropy too."""
        if answers.ndim == 2:
            return self.metrics(answers.clamp(min=torch.finfo(torch.float64).eps).log().float(), batch)
        assert batch.target is not None
        right = answers.eq(batch.target).float()
        return dict.fromkeys({"accuracy": None, self.primary.name: None}, right)

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """Probabilities (B K)."""
        return output.softmax(dim=1)
