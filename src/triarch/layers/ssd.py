"""State-space duality: a recurrence with matrices as states, computed as attention within chunks of the sequence.

In each head h_t = exp(a dt_t) h_{t-1} + dt_t x_t b_tᵀ and y_t = h_t c_t + d x_t, with a < 0 (Dao, Gu 2024, arXiv
2405.21060). `step` is just that. `ssd` takes many steps at once: with A_l = Σ a dt up to step l, the steps of a chunk
see each other as in causal attention, by weights c_l·b_s exp(A_l - A_s) dt_s, and what came before the chunk as one
state. So nearly all the work is matrix products, and time and memory grow with the length, not with its square.

Shape letters beside the project's: S size of a state, G groups of heads that share b and c, P heads of a group, M
chunks of all rows together, L steps of a chunk.
"""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from triarch.layers.precision import in_float32

# exp is many times slower where its result underflows; log needs a positive number
LOWEST, TINY = -80.0, 1e-30


def step(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """One step, (B N H) → (B N H), and the state after it.

    Args:
        x: (B N H).
        dt: (B N), how far the step goes; 0: the state stands still.
        a, d: (N).
        b, c: (B G S), how the step is written into the state, and read from it.
        state: (B N H S).
    """
    per_group = x.shape[1] // b.shape[1]
    b, c = (part.repeat_interleave(per_group, dim=1)[:, :, None] for part in (b, c))
    state = (dt * a).exp()[..., None, None] * state + (dt[..., None] * x)[..., None] * b
    return (state * c).sum(-1) + d[:, None] * x, state


@in_float32
def ssd(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Many steps, (B T N H) → (B T N H), and the state after them.

    Args:
        x: (B T N H).
        dt: (B T N), how far each step goes; 0: the state stands still.
        a, d: (N).
        b, c: (B T G S), how a step is written into the state, and read from it.
        state: (B N H S), before the first step.
    """
    steps, heads, width = x.shape[1:]
    if steps == 1:
        y, state = step(x[:, 0], dt[:, 0], a, b[:, 0], c[:, 0], d, state)
        return y[:, None], state
    groups, size = b.shape[2:]
    # A chunk costs the square of its length, and a state: their sum is least where both are equal.
    chunks = ceil(steps / 2 ** round(log2(width * size) / 2))
    length = ceil(steps / chunks)

    def chunked(part: Tensor) -> Tensor:
        end = chunks * length - steps
        part = F.pad(part, (0, 0) * (part.ndim - 2) + (0, end)) if end else part
        return part.reshape(-1, length, *part.shape[2:])

    dt = chunked(dt).unflatten(2, (groups, -1)).permute(0, 2, 3, 1)
    y, state = _Chunks.apply(  # type: ignore[no-untyped-call]
        chunked(x).unflatten(2, (groups, -1)),
        (dt * a.view(groups, -1, 1)).cumsum(-1),
        dt.clamp(min=TINY).log(),
        chunked(b).transpose(1, 2),
        chunked(c).transpose(1, 2),
        d.view(groups, -1),
        state.unflatten(1, (groups, -1)),
    )
    return y.reshape(-1, chunks * length, heads, width)[:, :steps], state.flatten(1, 2)


class _Chunks(Function):
    """The chunks of `ssd`, with a backward pass that goes over memory less often than the one autograd would derive."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, total: Tensor, log_dt: Tensor, b: Tensor, c: Tensor, d: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """x (M L G P H), total A and log_dt (M G P L), b c (M G L S), d (G P), state (B G P H S)."""
        decay = (total[..., None] - total[..., None, :]).add_(log_dt[..., None, :])
        # Above the diagonal an exponent may be any number: 0 is put in its place, and the scores are 0 there.
        decay.clamp_(min=LOWEST).tril_().exp_()
        scores = (c @ b.mT).tril_()[:, :, None]
        weights = decay * scores
        weights.diagonal(dim1=-2, dim2=-1).add_(d[..., None])
        heads_first = x.permute(0, 2, 3, 1, 4).contiguous()
        within = weights @ heads_first

        since, until, over = _fades(total, log_dt, len(state))
        states = (_merged(x * until).mT @ b).unflatten(2, (d.shape[1], -1)).unflatten(0, (len(state), -1))
        for chunk in range(states.shape[1]):
            after = torch.addcmul(states[:, chunk], over[:, chunk], state)
            states[:, chunk] = state
            state = after
        before = _parted(c @ states.flatten(0, 1).flatten(2, 3).mT, x).mul_(since)
        ctx.save_for_backward(x, heads_first, total, log_dt, b, c, decay, scores, weights, states, before)
        return before + within.permute(0, 3, 1, 2, 4), state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_state: Tensor) -> tuple[Tensor, ...]:
        """The gradients of the seven."""
        x, heads_first, total, log_dt, b, c, decay, scores, weights, states, before = ctx.saved_tensors
        grad_heads_first = grad.permute(0, 2, 3, 1, 4).contiguous()
        within = weights.mT @ grad_heads_first
        grad_weights = grad_heads_first @ heads_first.mT
        grad_d = grad_weights.diagonal(dim1=-2, dim2=-1).sum((0, 3))
        grad_scores = grad_weights.mul_(decay).sum(2).tril_()
        # What a step does to itself does not depend on A. It is left out, since cancelled it would leave its rounding.
        exponents = grad_weights.mul_(scores)
        itself = exponents.diagonal(dim1=-2, dim2=-1).clone()
        sources = exponents.tril_(-1).sum(-2)
        grad_log_dt = sources + itself
        grad_total = exponents.sum(-1) - sources + (grad * before).sum(-1).permute(0, 2, 3, 1)

        since, until, over = _fades(total, log_dt, len(grad_state))
        read, held = _merged(grad * since), states.flatten(0, 1).flatten(2, 3)
        grad_c = grad_scores @ b + read @ held
        grad_states = (read.mT @ c).unflatten(2, (x.shape[3], -1)).unflatten(0, (len(grad_state), -1))
        grad_over = torch.empty_like(over)
        for chunk in reversed(range(states.shape[1])):
            grad_over[:, chunk] = (grad_state * states[:, chunk]).sum((-2, -1), keepdim=True)
            earlier = torch.addcmul(grad_states[:, chunk], over[:, chunk], grad_state)
            grad_states[:, chunk] = grad_state
            grad_state = earlier
        grad_held = grad_states.flatten(0, 1).flatten(2, 3)
        grad_b = grad_scores.mT @ c + _merged(x * until) @ grad_held
        grad_x = _parted(b @ grad_held.mT, x).mul_(until)

        carried = (x * grad_x).sum(-1).permute(0, 2, 3, 1)
        grad_log_dt += carried
        grad_total[..., :-1] -= carried[..., :-1]
        grad_total[..., -1] += carried[..., :-1].sum(-1) + (grad_over * over).view_as(carried[..., -1])
        grad_x += within.permute(0, 3, 1, 2, 4)
        return grad_x, grad_total, grad_log_dt, grad_b, grad_c, grad_d, grad_state


def _fades(total: Tensor, log_dt: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """What is left of the state before a chunk at each step, of each step at its end (M L G P 1), and over it all."""
    end = total[..., -1:]
    since, until, over = (part.clamp(min=LOWEST).exp() for part in (total, end - total + log_dt, end))
    since, until = (part.permute(0, 3, 1, 2)[..., None] for part in (since, until))
    return since, until, over[..., None].unflatten(0, (rows, -1))


def _merged(x: Tensor) -> Tensor:
    """(M L G P H) → (M G L P·H)."""
    return x.flatten(3).transpose(1, 2)


def _parted(merged: Tensor, like: Tensor) -> Tensor:
    """(M G L P·H) → (M L G P H)."""
    return merged.transpose(1, 2).reshape(like.shape)
