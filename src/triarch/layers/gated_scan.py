"""The recurrence of minGRU: h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ g(c_t), with z = σ(u).

g(c) = c + 1/2 where c ≥ 0, σ(c) elsewhere, keeps the state positive (Feng et al. 2024, arXiv 2410.01201). On a CPU
gates and recurrence go together, a block of steps that fits the cache at a time, forth and back: as operators over the
whole they wait for memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from triarch.layers.precision import in_float32
from triarch.layers.scan import scan, step_by_step

BLOCK = 1 << 17  # numbers: half a MiB, so that a block's dozen tensors stay within a few MiB of cache


@in_float32
def gated_scan(x: Tensor, before: Tensor | None = None) -> Tensor:
    """All states.

    Second derivatives are refused on the CPU.

    Args:
        x: (B T 2D), u and c side by side.
        before: (B D), the state before the first step; None: zeros.

    Returns:
        (B T D).
    """
    if before is None:
        before = x.new_zeros(x.shape[0], x.shape[2] // 2)
    if step_by_step(x):
        made: Tensor = _Blocks.apply(x, before)  # type: ignore[no-untyped-call]
        return made
    gate, candidate = x.chunk(2, dim=-1)
    z = gate.sigmoid()
    if x.device.type == "meta":  # as in `scan`
        return torch.lerp(before[:, None].expand_as(z), positive(candidate), z)
    return scan(1 - z, z * positive(candidate), before)


def positive(c: Tensor) -> Tensor:
    """g: any number → a positive one."""
    return c.clamp(max=0).sigmoid() + c.relu()


class _Blocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, before: Tensor) -> Tensor:
        z, g, h = (x.new_empty(*x.shape[:2], x.shape[2] // 2) for _ in range(3))
        size, held = _size(h), before
        for x_, z_, g_, h_ in zip(*(part.split(size, dim=1) for part in (x, z, g, h))):
            gate, candidate = x_.chunk(2, dim=-1)
            torch.sigmoid(gate, out=z_)
            torch.clamp(candidate, max=0, out=g_).sigmoid_().add_(candidate.clamp(min=0))
            for weight, new, out in zip(z_.unbind(1), g_.unbind(1), h_.unbind(1)):
                held = torch.lerp(held, new, weight, out=out)
        ctx.save_for_backward(z, g, h, before)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        z, g, h, before = ctx.saved_tensors
        size, length = _size(h), h.shape[1]
        grad_x = h.new_empty(*h.shape[:2], 2 * h.shape[2])
        carried = torch.zeros_like(before)
        for start in range((length - 1) // size * size, -1, -size):
            z_, g_, h_, grad_, out = (part[:, start : start + size] for part in (z, g, h, grad, grad_x))
            first = h[:, start - 1] if start else before
            # The gradient of each state: its own, and what the next one kept of it.
            keep, reached = 1 - z_, torch.empty_like(z_)
            held, following = carried, torch.ones_like(carried)
            for own, kept, to in zip(*(reversed(part.unbind(1)) for part in (grad_, keep, reached))):
                held, following = torch.addcmul(own, following, held, out=to), kept
            carried = following * held
            moved = torch.empty_like(z_)
            torch.sub(g_[:, :1], first[:, None], out=moved[:, :1])
            torch.sub(g_[:, 1:], h_[:, :-1], out=moved[:, 1:])
            torch.ops.aten.sigmoid_backward.grad_input(moved.mul_(reached), z_, grad_input=out[..., : z.shape[2]])
            # g' is g - g² below a half, else 1; `torch.where` on random signs is ten times a product.
            low = g_.clamp(max=0.5)
            slope = torch.addcmul(low, low, low, value=-1).add_(torch.ge(g_, 0.5, out=low), alpha=0.75)
            torch.mul(reached.mul_(z_), slope, out=out[..., z.shape[2] :])
        return grad_x, carried


def _size(h: Tensor) -> int:
    """Steps of a block."""
    return max(1, BLOCK // (h.shape[0] * h.shape[2]))
