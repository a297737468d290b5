"""From features to a score for each token of the vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triarch.core.types import NOTHING
from triarch.layers.cross_entropy import each_nats, mean_nats
from triarch.layers.embed import Embed


class Vocabulary(nn.Module):
    """logits = E (W x): the embedding E of the input read backwards (Press, Wolf 2017, arXiv 1608.05859).

    W brings features to the embedding's width where these differ. Where `tie` is not called, E is a matrix of its own.

    Args:
        dim: D of the features.
        vocab_size: V.
        bias: one number for each token is added.
        soft_cap: c where logits are bent to c·tanh(logits / c).

    Attributes:
        packed: what stands for the product with E where its layout was changed.
    """

    def __init__(self, dim: int, vocab_size: int, bias: bool = False, soft_cap: float | None = None) -> None:
        super().__init__()
        self.soft_cap = soft_cap
        self.project: nn.Module = nn.Identity()
        self.embedding: nn.Module | None = nn.Embedding(vocab_size, dim)
        self.bias = nn.Parameter(self.embedding.weight.new_zeros(vocab_size)) if bias else None
        self._tied: tuple[nn.Embedding, ...] = ()
        self.packed: nn.Module | None = None
        self._dim = dim
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)

    def tie(self, embed: Embed) -> None:
        """Take the matrix of `embed`, whose module stays the owner of it."""
        table = embed.project
        assert isinstance(table, nn.Embedding)
        nn.init.normal_(table.weight, std=embed.dim**-0.5)
        if embed.dim != self._dim:
            self.project = nn.Linear(self._dim, embed.dim, bias=False)
        self.embedding, self._tied = None, (table,)

    def forward(self, x: Tensor) -> Tensor:
        """(… D) → (… V)."""
        return self._scores(self.project(x))

    def nats(self, x: Tensor, target: Tensor) -> Tensor:
        """What `target` (B T), tokens or NOTHING, costs at the features `x` (B T D).

        Returns:
            In training the mean of the sought ones, a single value; else of each (B T 2) the cross-entropy, 0 where
            nothing is sought, and 1 where the sought token has the greatest score.
        """
        flat, wanted = self.project(x).flatten(0, 1).to(self.table.dtype), target.flatten()
        if self.training and self.soft_cap is None:
            return mean_nats(flat, self.table, self.bias, wanted)
        nats, found = each_nats(self._scores, flat, wanted)
        if self.training:
            return nats.sum() / wanted.ne(NOTHING).sum()
        return torch.stack((nats, found.to(nats.dtype)), dim=-1).view(*target.shape, 2)

    @property
    def table(self) -> Tensor:
        """E (V, width of the embedding)."""
        table = self._tied[0] if self._tied else self.embedding
        assert isinstance(table, nn.Embedding)
        return table.weight

    def _scores(self, x: Tensor) -> Tensor:
        logits = nn.functional.linear(x, self.table, self.bias) if self.packed is None else self.packed(x)
        return logits if self.soft_cap is None else self.soft_cap * (logits / self.soft_cap).tanh()
