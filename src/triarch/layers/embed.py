"""Any modality → a sequence, so that each sequence backbone serves all of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from triarch.core.spec import Spec
from triarch.layers.geometry import ImageOrder, num_steps, patch_side


class Embed(nn.Module):
    """Tokens, series, or the rows or patches of images → (B T D).

    Args:
        spec: the data.
        dim: D. None: series and images keep their values as they are, without a projection.
        token_dim: D of tokens where `dim` is None.
        image: what a step of an image is; patches are read row by row.
        scale: what comes out is multiplied by it.

    Attributes:
        dim: D of what comes out.
        stride: pixels of a step along the rows of an image; 1 for text and series.
        max_len: T of the longest item.
    """

    def __init__(
        self,
        spec: Spec,
        dim: int | None,
        *,
        token_dim: int = 0,
        image: ImageOrder = "patches",
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.modality, self.image, self.scale = spec.modality, image, scale
        self.max_len = num_steps(spec, image)
        self.stride = 1
        width = 0
        if spec.modality == "series":
            width = spec.in_channels
        elif spec.modality == "image":
            channels, rows, columns = spec.shape
            self.stride = 1 if image == "rows" else patch_side(rows, columns)
            width = channels * (columns if image == "rows" else self.stride**2)
        self.project: nn.Module
        if spec.modality == "text":
            self.dim = token_dim if dim is None else dim
            self.project = nn.Embedding(spec.vocab_size, self.dim)
        else:
            self.dim = width if dim is None else dim
            self.project = nn.Identity() if dim is None else nn.Linear(width, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B T) ids, (B T C) or (B C Y X) → (B T D)."""
        if self.modality == "image":
            x = rows(x) if self.image == "rows" else patches(x, self.stride)
        embedded: Tensor = self.project(x)
        if isinstance(self.project, nn.Linear):  # what blocks add to stays float32 under autocast
            embedded = embedded.to(self.project.weight.dtype)
        return embedded if self.scale == 1 else embedded * self.scale


def rows(x: Tensor) -> Tensor:
    """Images (B C Y X) → (B Y C·X), from top to bottom."""
    return x.transpose(1, 2).flatten(2)


def patches(x: Tensor, side: int) -> Tensor:
    """Images (B C Y X) → (B T C·side·side), row by row; the right and lower edges are filled up with zeros."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % side, 0, -height % side))
    return F.unfold(x, kernel_size=side, stride=side).transpose(1, 2)
