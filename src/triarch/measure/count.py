"""Parameters and multiply–adds, counted without allocating or computing anything.

Counted are matrix products, convolutions, attention, recurrences, and the sums that are kept as they go along, step by
step: `addcmul` and `lerp`, one for each number. Additions, norms and curves are not. Attention is counted as torch
computes it on a CPU, see `kernels.attention_macs`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from triarch.measure.kernels import Kernels
from triarch.measure.operators import FORMULAS, is_opaque


class _Refuse(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if is_opaque(func):
            name = func._schema.name.partition("::")[2]
            raise ValueError(f"the multiply–adds of {name} cannot be counted")
        return func(*args, **(kwargs or {}))


def params(module: nn.Module) -> int:
    """Parameters, tied ones once; no buffers."""
    return sum(parameter.numel() for parameter in module.parameters())


def weight_bytes(module: nn.Module) -> int:
    """Bytes of parameters and buffers."""
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def macs(module: nn.Module, run: Callable[[], object]) -> int:
    """Multiply–adds of `run`, which calls `module`, in evaluation.

    Args:
        module: on the meta device.
        run: its inputs are on the meta device too.

    Raises:
        ValueError: an operator was met whose multiply–adds are not known.
    """
    with torch.no_grad():
        return _count(module, False, run)


def training_macs(module: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Multiply–adds of a step of training: forth and back, without the optimiser.

    The way back takes twice the way forth, one product for the gradient of the weights and one for that of what they
    weigh, with two exceptions: nobody asks for the gradient of the input, so a first layer that is not recurrent goes
    back at the price of once; and attention computes its scores anew, so it goes back at two and a half times.

    Args:
        module: inside `weightless`.
        loss: runs it on a batch; a single value.

    Raises:
        ValueError: an operator was met whose multiply–adds are not known.
    """
    return _count(module, True, lambda: loss().backward())


def _count(module: nn.Module, training: bool, run: Callable[[], object]) -> int:
    was_training = module.training
    module.train(training)
    try:
        with FlopCounterMode(display=False, custom_mapping=FORMULAS) as counter, _Refuse(), Kernels() as kernels:
            run()
    finally:
        module.train(was_training)
        if training:
            module.zero_grad()
    total: int = counter.get_total_flops() // 2 + kernels.macs
    return total
