"""Parameters and multiply–adds, counted without allocating or computing anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

# Operators that hide multiply–adds in one call. On the meta device attention takes itself apart into products, which
# are counted; if one of these is met whole, a count would silently miss it.
OPAQUE = (
    "mkldnn_rnn_layer", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_cudnn_rnn",
    "_transformer_encoder_layer_fwd", "_native_multi_head_attention", "_scaled_dot_product_flash_attention_for_cpu",
)  # fmt: skip
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


class _Refuse(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func._schema.name.partition("::")[2]
        if name in OPAQUE:
            raise ValueError(f"the multiply–adds of {name} cannot be counted")
        return func(*args, **(kwargs or {}))


class _Recurrences(TorchFunctionMode):
    """Counts a whole recurrence at once instead of step by step: every weight is used once a step."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = getattr(func, "__name__", "")
        if name not in RECURRENT or len(args) != 9:
            return func(*args, **(kwargs or {}))
        x, before, weights, _, _, _, _, bidirectional, _ = args
        steps = x.shape[0] * x.shape[1]
        self.macs += steps * sum(weight.numel() for weight in weights if weight.ndim == 2)
        hidden = before[0] if isinstance(before, tuple) else before
        values = x.new_empty(*x.shape[:2], (1 + bidirectional) * hidden.shape[-1])
        return (values, *before) if isinstance(before, tuple) else (values, before)


def params(module: nn.Module) -> int:
    """Parameters, tied ones once; no buffers."""
    return sum(parameter.numel() for parameter in module.parameters())


def weight_bytes(module: nn.Module) -> int:
    """Bytes of parameters and buffers."""
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def macs(module: nn.Module, run: Callable[[], object]) -> int:
    """Multiply–adds of the matrix products and convolutions in `run`, which calls `module`.

    Args:
        module: on the meta device.
        run: its inputs are on the meta device too.

    Raises:
        ValueError: an operator was met whose multiply–adds are not known.
    """
    was_training = module.training
    module.eval()
    try:
        with (
            torch.no_grad(),
            FlopCounterMode(display=False) as counter,
            _Refuse(),
            _Recurrences() as recurrences,
        ):
            run()
    finally:
        module.train(was_training)
    total: int = counter.get_total_flops() // 2 + recurrences.macs
    return total
