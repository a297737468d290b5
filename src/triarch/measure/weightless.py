"""A CPU without weight: modules and batches whose tensors have sizes, but no storage and no numbers.

Other than on the meta device everything goes the way it goes on a CPU, so that what is held, and when, is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from triarch.core.types import Batch
from triarch.measure.kernels import Kernels

M = TypeVar("M", bound=nn.Module)


@contextmanager
def weightless(module: M) -> Iterator[M]:
    """Inside, a twin of `module`, which is on the meta device, on the CPU; tensors that are made there are as empty."""
    mode = FakeTensorMode()
    twin = deepcopy(module)
    known: dict[Tensor, Tensor] = {}

    def empty(tensor: Tensor) -> Tensor:
        if tensor not in known:
            made = FakeTensor(mode, tensor.detach(), torch.device("cpu"))
            known[tensor] = nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made
        return known[tensor]

    for part in twin.modules():
        stores: tuple[dict[str, Any], ...] = (part._parameters, part._buffers)
        for held in stores:
            for name, tensor in held.items():
                if tensor is not None:
                    held[name] = empty(tensor)
        if isinstance(part, nn.RNNBase):
            part._init_flat_weights()
    with mode, Kernels():
        yield twin


def like(batch: Batch, rows: int) -> Batch:
    """A batch of `rows` items as long as those of `batch`, without padding; called inside `weightless`."""
    values = replace(batch, mask=None).tensors().items()
    made: dict[str, Any] = {name: torch.empty(rows, *value.shape[1:], dtype=value.dtype) for name, value in values}
    return Batch(**made)
