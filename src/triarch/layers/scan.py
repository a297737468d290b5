"""The linear recurrence h_t = a_t ⊙ h_{t-1} + b_t, and the state at the true end of each row.

On a CPU the steps are taken one after another, each written in place: it reads and writes every number once, which no
parallel scan does, and its gradient is the same recurrence from right to left. Elsewhere, and where the computation is
traced, rows are cut into √T chunks that go side by side. Neither divides or takes a logarithm, so `a` may be anything.
Steps beyond a row's end never reach its real steps; the state at the end is read off by `at_end`.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triarch.layers.precision import in_float32


@in_float32
def scan(a: Tensor, b: Tensor, before: Tensor | None = None) -> Tensor:
    """All states h of the recurrence.

    Second derivatives are refused on the CPU.

    Args:
        a: (B T D), what is kept of the state.
        b: (B T D), what is added to it.
        before: (B D), the state before the first step; None: zeros.

    Returns:
        (B T D).
    """
    if b.device.type == "meta":  # where nothing is computed, one call of as many multiply–adds stands for all steps
        return torch.addcmul(b, a, b)
    if before is None:
        before = b.new_zeros(b.shape[0], b.shape[2])
    if not step_by_step(b):
        return chunked_scan(a, b, before)
    made: Tensor = _Steps.apply(a, b, before)  # type: ignore[no-untyped-call]
    return made


def step_by_step(x: Tensor) -> bool:
    """Whether a loop over the steps is the fast way for `x`."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def at_end(h: Tensor, steps: Tensor, before: Tensor) -> Tensor:
    """The state of each row after its `steps` (B) real steps of `h` (B T D); `before` (B D) where it has none."""
    last = h[torch.arange(len(h), device=h.device), (steps - 1).clamp(min=0)]
    return torch.where((steps > 0)[:, None], last, before)


class _Steps(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, before: Tensor) -> Tensor:
        h = torch.empty_like(b, memory_format=torch.contiguous_format)
        held = before
        for keep, add, out in zip(a.unbind(1), b.unbind(1), h.unbind(1)):
            held = torch.addcmul(add, keep, held, out=out)
        ctx.save_for_backward(a, h, before)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, h, before = ctx.saved_tensors
        grad_b = torch.empty_like(h)
        held = grad.new_zeros(before.shape)
        following = torch.zeros_like(before)
        for keep, add, out in zip(*(reversed(part.unbind(1)) for part in (a, grad, grad_b))):
            held, following = torch.addcmul(add, following, held, out=out), keep
        grad_a = torch.empty_like(h)
        torch.mul(grad_b[:, 0], before, out=grad_a[:, 0])
        torch.mul(grad_b[:, 1:], h[:, :-1], out=grad_a[:, 1:])
        return grad_a, grad_b, following * held


def chunked_scan(a: Tensor, b: Tensor, before: Tensor) -> Tensor:
    """As `scan`, in 2√T dependent operations; for any device, tracing and derivative."""
    length = b.shape[1]
    size = isqrt(max(1, length - 1)) + 1
    spare = -length % size
    a, b = (F.pad(part, (0, 0, 0, spare)).unflatten(1, (-1, size)) for part in (a, b))
    made, decay = [b[:, :, 0]], [a[:, :, 0]]
    for step in range(1, size):
        made.append(a[:, :, step] * made[-1] + b[:, :, step])
        decay.append(a[:, :, step] * decay[-1])
    inside, kept = torch.stack(made, dim=2), torch.stack(decay, dim=2)
    carried = [before]
    for chunk in range(b.shape[1] - 1):
        carried.append(inside[:, chunk, -1] + kept[:, chunk, -1] * carried[-1])
    return (inside + kept * torch.stack(carried, dim=1)[:, :, None]).flatten(1, 2)[:, :length]
