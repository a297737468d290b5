"""Normalisations that torch does not have as they are wanted here."""

from __future__ import annotations

from torch import Tensor, nn


class SequenceBatchNorm(nn.BatchNorm1d):
    """Batch normalisation (B C T) whose moments are those of the real steps (Ioffe, Szegedy 2015, arXiv 1502.03167)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise.

        Args:
            x: (B C T).
            mask: (B T), True where a step is real; steps that are not come out as zeros while training.
        """
        if mask is None or not self.training:
            return super().forward(x)
        real: Tensor = super().forward(x.transpose(1, 2)[mask])
        spread = real.new_zeros(x.shape[0], x.shape[2], x.shape[1])
        return spread.index_put((mask,), real).transpose(1, 2)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a grid (B C Y X) or a sequence (B C T)."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        normed: Tensor = super().forward(x.movedim(1, -1))
        return normed.movedim(-1, 1)


def batch_norm(image: bool, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> nn.Module:
    """For grids or for sequences."""
    return (nn.BatchNorm2d if image else SequenceBatchNorm)(channels, eps=eps, momentum=momentum)


def normalise(norm: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """Apply `norm`, with the mask where it takes one."""
    made: Tensor = norm(x, mask) if isinstance(norm, SequenceBatchNorm) else norm(x)
    return made
