"""Language modelling: what the next token is, at every step of a text."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from triarch.core.results import Metric
from triarch.core.spec import Spec
from triarch.core.types import NOTHING, Batch, Features, FeatureShape
from triarch.layers.unreal import only_sizes
from triarch.layers.vocabulary import Vocabulary


class Head(nn.Module):
    """Logits over the vocabulary at every step."""

    def __init__(self, dim: int, vocab_size: int, soft_cap: float | None = None, bias: bool = False) -> None:
        super().__init__()
        self.vocabulary = Vocabulary(dim, vocab_size, bias, soft_cap)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """→ (B T V)."""
        logits: Tensor = self.vocabulary(features.values)
        return logits


class Nats(Head):
    """Logits, or where it is known what is sought, what that costs."""

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """→ (B T V); with a target see `Vocabulary.nats`."""
        if batch.target is None:
            return super().forward(features, batch)
        values, target, real = features.values, batch.target, batch.mask
        if self.training and real is not None and not only_sizes(real):
            sought = target.ne(NOTHING)
            values, target = values[sought][None], target[sought][None]
        return self.vocabulary.nats(values, target)


class LanguageModel:
    """Cross-entropy of the next token; scored by bits per byte of text, by which any tokenizers compare."""

    name = "language-model"
    causal = True

    def __init__(self, spec: Spec | None = None) -> None:
        self.scores: tuple[Metric, ...] = (Metric("bits per byte", "min"), Metric("loss", "min"))
        self.primary = self.scores[0]

    def view(self, spec: Spec) -> Spec:
        """As it is."""
        return spec

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Blocks (B T+1) → what is seen (B T), and as target what follows each step (B T), where that is sought."""
        ids, mask = batch.input, batch.mask
        target = ids[:, 1:]
        if mask is not None:
            mask = mask[:, 1:]
            target = target.masked_fill(~mask, NOTHING)
        if batch.sought is not None:
            target = target.masked_fill(~batch.sought[:, 1:], NOTHING)
        return replace(batch, input=ids[:, :-1], mask=mask, target=target, sought=None)

    def head(self, shape: FeatureShape, spec: Spec) -> nn.Module:
        """The vocabulary, at every step.

        Raises:
            ValueError: the backbone does not make one feature of each token.
        """
        each_token(shape)
        return Nats(shape.dim, spec.vocab_size, spec.target.logits.soft_cap)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy of a token in nats, which in training is what the head gives."""
        return mean(output, batch)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of each block its bits, divided by the bytes of a block, and its mean cross-entropy of a token in nats."""
        nats, count = self._nats(output, batch)
        values = {"loss": nats / count.clamp(min=1)}
        if batch.unit is not None:
            values["bits per byte"] = nats / math.log(2) / batch.unit
        return values

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of the bits that something else takes for each block (B)."""
        assert batch.unit is not None
        return {"bits per byte": answers / batch.unit}

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """The bits that each block takes (B)."""
        return self._nats(output, batch)[0] / math.log(2)

    @staticmethod
    def _nats(output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The nats of each block, and how many of its tokens are sought."""
        assert batch.target is not None
        return output[..., 0].sum(dim=1), batch.target.ne(NOTHING).sum(dim=1)


def mean(output: Tensor, batch: Batch) -> Tensor:
    """The mean cross-entropy of the sought tokens, of what `Vocabulary.nats` gives in training or else."""
    assert batch.target is not None
    return output if output.ndim == 0 else output[..., 0].sum() / batch.target.ne(NOTHING).sum()


def each_token(shape: FeatureShape) -> None:
    """Check that a backbone makes one feature of each token.

    Raises:
        ValueError: it does not.
    """
    if shape.kind != "sequence" or shape.stride != 1:
        raise ValueError("it does not make a feature of each token, which this task asks for")
