"""How badly each sought token is told, without the scores of a whole batch ever being in memory at once.

Scores, their softmax and what the way back needs of it are worked out for some steps at a time, in one buffer, and in
training all on the way forth (the idea of Liger's kernel: Hsu et al. 2024, arXiv 2410.10989). With a vocabulary of
thousands of tokens the scores (B T V) would else be the largest tensor by far, and be written five times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triarch.core.types import NOTHING

# Numbers of the buffer, which shall stay near the processor; but of fewer steps a product is slow.
NUMBERS, STEPS = 1 << 21, 256


def mean_nats(x: Tensor, table: Tensor, bias: Tensor | None, target: Tensor) -> Tensor:
    """The mean cross-entropy of the sought tokens, to be made small: a single value, as `F.cross_entropy` gives it.

    Args:
        x: (M D), features.
        table, bias: (V D) and (V); scores are x tableᵀ + bias.
        target: (M), tokens or NOTHING.
    """
    mean: Tensor = _MeanNats.apply(x, table, bias, target)  # type: ignore[no-untyped-call]
    return mean


def each_nats(scores: Callable[[Tensor], Tensor], x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of each sought token, 0 of others, and whether it has the greatest score: (M) and (M).

    Args:
        scores: features → (… V).
    """
    nats, found = [], []
    for part, wanted in zip(x.split(STEPS), target.split(STEPS)):
        made = scores(part)
        nats.append(F.cross_entropy(made, wanted, ignore_index=NOTHING, reduction="none"))
        found.append(made.argmax(dim=1).eq(wanted))
    return torch.cat(nats), torch.cat(found)


class _MeanNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, bias: Tensor | None, target: Tensor) -> Tensor:
        sought = target.ne(NOTHING).to(x.dtype)
        share, right = sought / sought.sum(), target.clamp(min=0)[:, None]
        of_x, of_table, of_bias = (
            one.new_zeros(one.shape) if one is not None and asked else None
            for one, asked in zip((x, table, bias), ctx.needs_input_grad)
        )
        steps, mean = max(STEPS, NUMBERS // len(table)), x.new_zeros(())
        buffer = x.new_empty(min(steps, len(x)), len(table))
        low = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        matrix = table.to(low)
        for start in range(0, len(x), steps):
            here = slice(start, start + steps)
            part, weight, place = x[here], share[here, None], right[here]
            made = buffer[: len(part)]
            if bias is not None:
                made.copy_(bias)
            _multiply(made, part.to(low), matrix.T, add=bias is not None)
            torch.log_softmax(made, 1, out=made)
            mean -= (made.gather(1, place) * weight).sum()
            made.exp_().scatter_add_(1, place, made.new_full((), -1.0).expand_as(place))
            if of_x is not None:
                _multiply(of_x[here], made.to(low), matrix)
                of_x[here] *= weight
            if of_table is not None:
                _multiply(of_table, made.to(low).T, (part * weight).to(low), add=True)
            if of_bias is not None:
                torch.addmv(of_bias, made.T, weight[:, 0], out=of_bias)
        ctx.save_for_backward(of_x, of_table, of_bias)
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *(None if one is None else one * grad for one in ctx.saved_tensors), None


def _multiply(out: Tensor, a: Tensor, b: Tensor, add: bool = False) -> None:
    """out ← a b, or out + a b, where the factors may be of a narrower type."""
    if a.dtype == out.dtype:
        torch.addmm(out, a, b, beta=int(add), out=out)
    elif add:
        out += a @ b
    else:
        out.copy_(a @ b)
