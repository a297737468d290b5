"""Masked language modelling: which tokens were hidden in a text, seen from both sides (Devlin et al. 2019, arXiv
1810.04805).

Of the tokens 15% are sought; of these 80% are shown as [MASK], 10% as some other token and 10% as they are. With whole
words (Cui et al. 2019, arXiv 1906.08101) they are drawn word by word, and one draw decides how a word is shown; what
would make more than 15% is left out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.errors import InputError
from triarch.core.results import Metric
from triarch.core.spec import GOES_ON, IS_OPEN, Spec
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
        self.joins: tuple[Tensor, Tensor] | None = None
        if spec is not None:
            if spec.target.mask is None:
                raise InputError(
                    f"the tokenizer of {spec.name} has no [MASK]", "--objective causal, or another tokenizer"
                )
            self.vocab_size, self.mask = spec.vocab_size, spec.target.mask
            self.ordinary = torch.ones(spec.vocab_size, dtype=torch.bool)
            self.ordinary[list(spec.target.special)] = False
            if spec.target.words:
                kinds = torch.tensor([int(kind) for kind in spec.target.words])
                self.joins = kinds.bitwise_and(GOES_ON).bool(), kinds.bitwise_and(IS_OPEN).bool()
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
        first = self._first(ids, free)
        sought = _drawn(draw[0].gather(1, first), first, free)
        how = draw[1].gather(1, first)
        shown = torch.where(how < HIDDEN, self.mask, ids)
        shown = torch.where((how >= HIDDEN) & (how < HIDDEN + SWAPPED), other, shown)
        hidden = ids.masked_fill(~sought, NOTHING)
        return replace(batch, input=torch.where(sought, shown, ids), mask=mask, target=hidden)

    def _first(self, ids: Tensor, free: Tensor) -> Tensor:
        """Where the word of each token begins (B T), of those that are `free`; without whole words, where it stands."""
        places = torch.arange(ids.shape[1]).expand_as(ids)
        if self.joins is None:
            return places
        goes_on, is_open = self.joins
        joined = free[:, 1:] & free[:, :-1] & goes_on[ids[:, 1:]] & is_open[ids[:, :-1]]
        return places.masked_fill(F.pad(joined, (1, 0)), 0).cummax(dim=1).values

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


def _drawn(draw: Tensor, first: Tensor, free: Tensor) -> Tensor:
    """Which tokens are sought (B T): words with the least numbers, up to 15% of their row, or of the first a part.

    Args:
        draw: (B T), the number of each token's word.
        first: (B T), where that begins.
        free: (B T), the tokens that count.
    """
    count = (free.sum(dim=1, keepdim=True) * SOUGHT).round().clamp(min=1)
    rank = draw.masked_fill(~free, 2.0).argsort(dim=1, stable=True).argsort(dim=1)
    size = torch.zeros_like(first).scatter_add(1, first, free.long()).gather(1, first)
    within = torch.arange(first.shape[1]) - first
    before = rank - within
    return free & ((before + size <= count) | ((before == 0) & (within < count)))
