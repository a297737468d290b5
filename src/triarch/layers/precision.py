"""What autocast must leave in float32: a recurrence, whose rounding would add up over its steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def in_float32(compute: Callable[P, R]) -> Callable[P, R]:
    """`compute`, whose arguments are tensors or None, in float32 where autocast is on; else as it is."""

    @wraps(compute)
    def wide(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next(part.device.type for part in args if isinstance(part, Tensor))
        if device == "meta" or not torch.is_autocast_enabled(device):
            return compute(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return compute(*map(_wide, args), **{name: _wide(part) for name, part in kwargs.items()})  # type: ignore[arg-type]

    return wide


def _wide(part: object) -> object:
    return part.float() if isinstance(part, Tensor) else part
