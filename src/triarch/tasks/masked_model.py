"""Masked language modelling: which tokens were hidden in a text, seen from both sides (Devlin et al. 2019, arXiv
1810.04805).

Of the tokens 15% are sought; of these 80% are shown as [MASK], 10% as some other token and 10% as they are.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.errors import InputError
from triarch.core.results import Metric
from triarch.core.spec import Spec
from triarch.core.types import NOTHING, Batch, Features, FeatureShape
from triarch.layers.vocabulary import Vocabulary
from triarch.tasks.language_model import each_token, mean

SOUGHT, HIDDEN, SWAPPED = 0.15, 0.8, 0.1


class Head(nn.Module):
    """logits = E norm(gelu(W x)) + b, as in BERT; where it is known what is sought, what that costs instead."""

    def __init__(self, dim: int, vocab_size: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.dense = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim, eps=eps)
        self.vocabulary = Vocabulary(dim, vocab_size, bias=True)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """→ (B T V); with a target see `Vocabulary.nats`, of the steps S alone at which something is sought."""
        if batch.target is not None:
            where = batch.target.ne(NOTHING).int().topk(most(batch.target.shape[1]), dim=1).indices
            values = features.values.take_along_dim(where[..., None], dim=1)
            return self.vocabulary.nats(self._turned(values), batch.target.gather(1, where))
        logits: Tensor = self.vocabulary(self._turned(features.values))
        return logits

    def _turned(self, values: Tensor) -> Tensor:
        turned: Tensor = self.norm(F.gelu(self.dense(values)))
        return turned


class MaskedModel:
    """Cross-entropy of the hidden tokens.

    Raises:
        InputError: the tokenizer of the data has no token to hide others with.
    """

    name = "masked-model"
    causal = False

    def __init__(self, spec: Spec | None = None) -> None:
        self.vocab_size, self.mask, self.ordinary = 0, 0, torch.empty(0, dtype=torch.bool)
        if spec is not None:
            if spec.target.mask is None:
                raise InputError(
                    f"the tokenizer of {spec.name} has no [MASK]", "--objective causal, or another tokenizer"
                )
            self.vocab_size, self.mask = spec.vocab_size, spec.target.mask
            self.ordinary = torch.ones(spec.vocab_size, dtype=torch.bool)
            self.ordinary[list(spec.target.special)] = False
        self.scores: tuple[Metric, ...] = (Metric("loss", "min"), Metric("accuracy", "max"))
        self.primary = self.scores[0]

    def view(self, spec: Spec) -> Spec:
        """As it is."""
        return spec

    def prepare(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        """Blocks (B T+1) → their last T tokens, some of them hidden, and as target (B T) those that were.

        Args:
            generator: says which; None: always the same for the same batch.
        """
        ids, mask = batch.input[:, 1:], None if batch.mask is None else batch.mask[:, 1:]
        generator = generator or torch.Generator().manual_seed(0)
        draw = torch.rand(2, *ids.shape, generator=generator)
        others = self.ordinary.nonzero().flatten()
        other = others[torch.randint(len(others), ids.shape, generator=generator)]
        free = self.ordinary[ids]
        free = free if mask is None else free & mask
        sought = free & _least(draw[0].masked_fill(~free, 2.0))
        shown = torch.where(draw[1] < HIDDEN, self.mask, ids)
        shown = torch.where((draw[1] >= HIDDEN) & (draw[1] < HIDDEN + SWAPPED), other, shown)
        hidden = ids.masked_fill(~sought, NOTHING)
        return replace(batch, input=torch.where(sought, shown, ids), mask=mask, target=hidden)

    def head(self, shape: FeatureShape, spec: Spec) -> nn.Module:
        """The vocabulary, at every step.

        Raises:
            ValueError: the backbone does not make one feature of each token.
        """
        each_token(shape)
        return Head(shape.dim, spec.vocab_size, spec.target.logits.eps)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy of a hidden token in nats, which in training is what the head gives."""
        return mean(output, batch)

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Mean cross-entropy of the hidden tokens of each block in nats, and the share of them that is found."""
        assert batch.target is not None
        nats, right = (output.sum(dim=1) / batch.target.ne(NOTHING).sum(dim=1).clamp(min=1)[:, None]).unbind(dim=1)
        return {"loss": nats, "accuracy": right}

    def judge(self, answers: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of the nats that something else takes for a hidden token of each block (B)."""
        return {"loss": answers}

    def decode(self, output: Tensor, batch: Batch) -> Tensor:
        """The nats of a hidden token in each block (B)."""
        return self.metrics(output, batch)["loss"]


def most(steps: int) -> int:
    """The most tokens that are sought in a row of so many steps."""
    return max(1, math.ceil(steps * SOUGHT))


def _least(draw: Tensor) -> Tensor:
    """The 15% of each row's steps with the least numbers, one at least; those above 1 do not count."""
    free = draw.le(1).sum(dim=1, keepdim=True)
    count = (free * SOUGHT).round().clamp(min=1)
    return draw.argsort(dim=1).argsort(dim=1) < count
