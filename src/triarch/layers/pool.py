"""A sequence → one vector, padding left out."""

from __future__ import annotations

import torch
from torch import Tensor


def lengths(values: Tensor, mask: Tensor | None) -> Tensor:
    """Real steps of each row: (B)."""
    if mask is None:
        return torch.full((values.shape[0],), values.shape[1], device=values.device)
    return mask.sum(dim=1)


def last(values: Tensor, mask: Tensor | None) -> Tensor:
    """The last real step: (B T D) → (B D)."""
    if mask is None:
        return values[:, -1]
    index = (mask.sum(dim=1) - 1).clamp(min=0)
    return values[torch.arange(len(values), device=values.device), index]


def first(values: Tensor, mask: Tensor | None) -> Tensor:  # noqa: ARG001
    """The first step, which is always real: (B T D) → (B D)."""
    return values[:, 0]


def both_ends(values: Tensor, mask: Tensor | None) -> Tensor:
    """The last real step and the first: (B T D) → (B 2D)."""
    return torch.cat((last(values, mask), values[:, 0]), dim=-1)


def mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of the real steps: (B T D) → (B D)."""
    if mask is None:
        return values.mean(dim=1)
    weight = mask.unsqueeze(-1).to(values.dtype)
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def maximum(values: Tensor, mask: Tensor | None) -> Tensor:
    """The greatest value of the real steps, for each width: (B T D) → (B D)."""
    if mask is None:
        return values.amax(dim=1)
    return values.masked_fill(~mask.unsqueeze(-1), float("-inf")).amax(dim=1)
