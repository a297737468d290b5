"""Convolutions along a sequence that keep its length, leave padding alone and can go chunk by chunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SequenceConv(nn.Conv1d):
    """Dilated convolution (B C T) → (B C' T).

    Args:
        causal: a step sees itself and the past; else both sides equally.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, dilation: int, causal: bool) -> None:
        super().__init__(in_channels, out_channels, kernel_size, dilation=dilation)
        self.causal = causal
        self.reach = dilation * (kernel_size - 1)

    def forward(self, x: Tensor, mask: Tensor | None = None, before: Tensor | None = None) -> Tensor:
        """Convolve.

        Args:
            x: (B C T).
            mask: (B T), True where a step is real.
            before: (B C reach), the inputs of the steps before `x`; None: zeros.
        """
        x = zero_padding(x, mask)
        if before is not None:
            x = torch.cat((before, x), dim=-1)
        else:
            x = F.pad(x, (self.reach, 0) if self.causal else (self.reach // 2, self.reach - self.reach // 2))
        return F.conv1d(x, self.weight, self.bias, dilation=self.dilation)

    def remember(self, x: Tensor, steps: Tensor, before: Tensor) -> Tensor:
        """The last `reach` inputs of each row, after `steps` (B) real steps of `x`: (B C reach)."""
        seen = torch.cat((before, x), dim=-1)
        index = steps[:, None] + torch.arange(self.reach, device=x.device)
        return seen.gather(2, index[:, None].expand(-1, x.shape[1], -1))


class ShortConv(nn.Conv1d):
    """Causal depthwise convolution (B T D) → (B T D): each width by itself looks back over `kernel_size` steps."""

    def __init__(self, dim: int, kernel_size: int, bias: bool = True) -> None:
        super().__init__(dim, dim, kernel_size, groups=dim, bias=bias)
        self.reach = kernel_size - 1

    def forward(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        """Convolve; padding on the right is never seen by a real step.

        Args:
            x: (B T D).
            before: (B reach D), the inputs of the steps before `x`; None: zeros.
        """
        if before is None:
            before = x.new_zeros(x.shape[0], self.reach, x.shape[2])
        seen = torch.cat((before, x), dim=1)
        # As a picture one pixel high, whose channels come last, nothing is copied; and the bias is added outside, since
        # on a CPU its gradient inside costs more than the convolution.
        image = seen.transpose(1, 2)[:, :, None]
        made = F.conv2d(image, self.weight[:, :, None], groups=self.groups).squeeze(2).transpose(1, 2)
        return made if self.bias is None else made + self.bias

    def remember(self, x: Tensor, steps: Tensor, before: Tensor) -> Tensor:
        """The last `reach` inputs of each row, after `steps` (B) real steps of `x`: (B reach D)."""
        return latest(torch.cat((before, x), dim=1), steps, self.reach)


def latest(seen: Tensor, steps: Tensor, reach: int) -> Tensor:
    """Of `seen` (B reach+T …), for each row the `reach` steps that end `steps` (B) after the first `reach`."""
    index = steps[:, None] + torch.arange(reach, device=seen.device)
    return seen[torch.arange(len(seen), device=seen.device)[:, None], index]


def zero_padding(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B C T) with zeros where a step is not real."""
    return x if mask is None else x * mask[:, None].to(x.dtype)
