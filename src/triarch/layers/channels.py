"""Any modality → channels first, so that one convolutional network serves grids and sequences."""

from __future__ import annotations

from torch import Tensor, nn

from triarch.core.spec import Spec
from triarch.core.types import Features
from triarch.layers.embed import Embed
from triarch.layers.pool import mean


class Channels(nn.Module):
    """Images as they are, tokens and series → (B C T).

    Args:
        spec: the data.
        token_dim: C of tokens.

    Attributes:
        image: whether there are two sides to convolve along.
        dim: C of what comes out.
    """

    def __init__(self, spec: Spec, token_dim: int) -> None:
        super().__init__()
        self.image = spec.modality == "image"
        self.embed = None if self.image else Embed(spec, None, token_dim=token_dim)
        self.dim = spec.in_channels if self.embed is None else self.embed.dim

    def forward(self, x: Tensor) -> Tensor:
        """(B C Y X) as it is; (B T) ids or (B T C) → (B C T)."""
        return x if self.embed is None else self.embed(x).transpose(1, 2)


def mean_of_places(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B C Y X) or (B C T) → (B C), padding left out."""
    return x.mean(dim=(2, 3)) if x.ndim == 4 else mean(x.transpose(1, 2), mask)


def as_features(x: Tensor, mask: Tensor | None, pooled: Tensor) -> Features:
    """(B C Y X) is a grid, (B C T) a sequence."""
    if x.ndim == 4:
        return Features(x, None, "grid", pooled)
    return Features(x.transpose(1, 2), mask, "sequence", pooled)


def every(mask: Tensor | None, stride: int) -> Tensor | None:
    """The mask (B T) after a convolution that keeps each `stride`-th step: (B ⌈T/stride⌉)."""
    return mask if mask is None or stride == 1 else mask[:, ::stride]
