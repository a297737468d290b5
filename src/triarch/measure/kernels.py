"""Recurrences and attention, which do much in one call: what they compute and hold, and stand-ins that only say so.

Where nothing is computed, on the meta device or a weightless CPU, a recurrence and, on the meta device, attention are
not run either: tensors of the same sizes are made in their place. Nor is it known there which places a mask holds:
all of them, as in a batch without padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

Shape = Sequence[int]

RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
# Of torch's GRU and RNN, in widths of the state, for each step of a row: what enters the gates; what training holds.
GATES = {"gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
HELD = {"gru": 7, "rnn_tanh": 1, "rnn_relu": 1}
PAGE, LINE = 4096, 16
# Queries and keys of a block of torch's attention on a CPU.
FEW, SOME, MANY, KEYS = 32, 64, 256, 512


def attention_macs(query: Shape, key: Shape, value: Shape, causal: bool, products: tuple[int, int] = (1, 1)) -> int:
    """Multiply–adds of attention as torch computes it on a CPU: of a causal half only the blocks that reach into it.

    A block is 32 queries, or 64 from 192 steps on, or 256 from 768 on, by 512 keys.

    Args:
        query, key, value: shapes (B N T H), (B N S H), (B N S H').
        products: of the width H and of H', 1 and 1 forth, 3 and 2 back, where the scores are computed again.
    """
    *rows, steps, width = query
    keys = key[-2]
    pairs = steps * keys
    if causal:
        size = MANY if steps >= 768 else SOME if steps >= 192 else FEW
        starts = range(0, steps, size)
        ends = [min(start + size, steps) for start in starts]
        pairs = sum((end - start) * min(keys, KEYS * ceil(end / KEYS)) for start, end in zip(starts, ends))
    return torch.Size(rows).numel() * pairs * (products[0] * width + products[1] * value[-1])


def lstm_reserve(steps: int, rows: int, in_dim: int, dim: int) -> int:
    """Bytes that oneDNN's LSTM holds of one layer and direction for the way back.

    Gates, and for each of two layers and T+1 steps five states: hidden and its gradient, of the step and of the layer,
    and the cell and its. Lines are filled up, and each part begins a page.
    """
    wide = _line(max(in_dim, dim))
    states = 2 * (steps + 1) * rows
    parts = (steps * rows * _line(4 * dim), steps * rows * _line(dim), *[states * wide] * 3, *[states * dim] * 2)
    return sum(PAGE * ceil(4 * part / PAGE) for part in parts)


def _line(numbers: int) -> int:
    """Numbers in a row of a matrix whose rows begin on a line of the cache; never 1024 bytes apart, or a multiple."""
    filled = LINE * ceil(numbers / LINE)
    return filled + LINE * (filled % 256 == 0)


class Kernels(TorchFunctionMode):
    """Puts stand-ins in the place of recurrences, of what a mask picks, and, on the meta device, of attention.

    Attributes:
        macs: multiply–adds of what they stand for. A recurrence uses each weight once a step, and twice on the way
            back: for the gradient of what it weighs, whether that is asked for or not, and for its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        # The fourth argument of a packed recurrence is its weights.
        if name in RECURRENT and isinstance(args[3], bool) and _nothing_is_computed(args[0]):
            return self._recur(name, *args)
        if name == "scaled_dot_product_attention" and args[0].is_meta and not torch.is_grad_enabled():
            return self._attend(*args, **kwargs)
        if func is Tensor.__getitem__ and _is_mask(args[1]) and _nothing_is_computed(args[0]):
            return args[0].flatten(0, args[1].ndim - 1).clone()
        if func is Tensor.index_put and _is_mask(*args[1]) and _nothing_is_computed(args[0]):
            return args[2].reshape(args[0].shape).clone()
        return func(*args, **kwargs)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> Tensor:  # fmt: skip
        self.macs += attention_macs(query.shape, key.shape, value.shape, is_causal)
        return query.new_empty(*query.shape[:-1], value.shape[-1])

    def _recur(
        self, name: str, x: Tensor, before: Tensor | tuple[Tensor, Tensor], weights: Sequence[Tensor], biases: bool,
        depth: int, dropout: float, training: bool, bidirectional: bool, batch_first: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        hidden = before[0] if isinstance(before, tuple) else before
        directions, per_layer = 1 + bidirectional, len(weights) // len(hidden)
        after = []
        for layer in range(depth):
            made = []
            for number in range(directions * layer, directions * (layer + 1)):
                own = weights[per_layer * number : per_layer * (number + 1)]
                held = torch.is_grad_enabled() and any(weight.requires_grad for weight in own)
                one: Tensor = _Layer.apply(self, name, batch_first, held, x, hidden[number], *own)  # type: ignore[no-untyped-call]
                made.append(one)
                after.append(one.select(1 if batch_first else 0, -1))
            x = torch.cat(made, dim=-1) if bidirectional else made[0]
        last = torch.stack(after)
        return (x, last, torch.empty_like(before[1])) if isinstance(before, tuple) else (x, last)


class _Layer(torch.autograd.Function):
    """The sizes of one layer of a recurrence in one direction: (B T in_dim), or (T B in_dim), → (B T D)."""

    @staticmethod
    def forward(
        ctx: Any, kernels: Kernels, name: str, batch_first: bool, held: bool, x: Tensor, hidden: Tensor,
        *weights: Tensor,
    ) -> Tensor:  # fmt: skip
        along = x.transpose(0, 1).contiguous() if batch_first else x
        (steps, rows, in_dim), dim = along.shape, hidden.shape[-1]
        ctx.kernels, ctx.batch_first = kernels, batch_first
        ctx.macs = steps * rows * sum(weight.numel() for weight in weights if weight.ndim == 2)
        kernels.macs += ctx.macs
        if name == "lstm":
            reserve = x.new_empty(lstm_reserve(steps, rows, in_dim, dim) * held, dtype=torch.uint8)
            made = x.new_empty(steps, rows, dim)
        else:
            entered = x.new_empty(steps, rows, GATES[name] * dim)
            along = along if held else along.new_empty(0)
            entered = entered.clone()
            reserve = x.new_empty(steps, rows, (HELD[name] if held else 1) * dim)
            made = x.new_empty(steps, rows, dim)
        ctx.save_for_backward(along, hidden, reserve, *weights)
        return made.transpose(0, 1) if batch_first else made

    @staticmethod
    def backward(ctx: Any, _grad: Tensor) -> tuple[Tensor | None, ...]:
        along, hidden, _, *weights = ctx.saved_tensors
        ctx.kernels.macs += 2 * ctx.macs
        into = torch.empty_like(along)
        grads = (torch.empty_like(part) for part in weights)
        into = into.transpose(0, 1) if ctx.batch_first else into
        return None, None, None, None, into, torch.empty_like(hidden), *grads


def _is_mask(*places: Any) -> bool:
    """Whether what a tensor is indexed by says of each place whether it is meant."""
    return isinstance(places[0], Tensor) and places[0].dtype == torch.bool


def _nothing_is_computed(x: Tensor) -> bool:
    return x.is_meta or isinstance(x, FakeTensor)
