"""The peak of live tensor bytes: measured on tensors of the CPU, foretold inside `weightless`."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from triarch.core.types import Batch
from triarch.measure.count import weight_bytes

MOMENTS = 2


class _Live(TorchDispatchMode):
    """Follows every storage from the operator that makes it to its end."""

    def __init__(self, held: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = held
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, torch.Tensor):
                self._follow(leaf.untyped_storage(), 0)
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._follow(leaf.untyped_storage(), leaf.untyped_storage().nbytes())
        return made

    def _follow(self, storage: torch.UntypedStorage, size: int) -> None:
        """From now on, unless it is known: `size` is 0 where it was live before."""
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._end, storage._cdata, size)

    def _end(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def peak_bytes(run: Callable[[], object], held: int) -> int:
    """The greatest sum of live tensor bytes while `run` runs.

    Args:
        held: bytes that are live all the time: weights and input.
    """
    with torch.inference_mode(False), torch.no_grad(), _Live(held) as live:
        run()
    peak: int = live.peak
    return peak


def inference_peak(model: nn.Module, batch: Batch) -> int:
    """The peak while `model` answers `batch`, both of them included."""
    return peak_bytes(lambda: model(batch), weight_bytes(model) + batch_bytes(batch))


def training_peak(model: nn.Module, loss: Callable[[], Tensor], held: int = 0) -> int:
    """The peak in a step of training with AdamW, once it is under way.

    Weights, two moments and what the way back needs of the way forth; gradients: those of the step before stay until
    the loss is known, as in the loop.

    Args:
        model: in training mode.
        loss: runs it on a batch; a single value.
        held: bytes that are live besides: the batch.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with _Live(held + weight_bytes(model) + MOMENTS * sum(one.nbytes for one in trained)) as live:
        for parameter in trained:
            parameter.grad = torch.empty_like(parameter)
        value = loss()
        model.zero_grad()
        value.backward()
        model.zero_grad()
    peak: int = live.peak
    return peak


def batch_bytes(batch: Batch) -> int:
    """Bytes of its tensors."""
    return sum(value.nbytes for value in batch.tensors().values())
