"""How much a causal backbone remembers."""

from __future__ import annotations

from dataclasses import fields

from torch import Tensor

from triarch.core.state import State


def state_bytes(state: State) -> int:
    """Bytes of the tensors of `state`, on any device: caches, hidden vectors, inputs of convolutions, positions."""
    values = (getattr(state, field.name) for field in fields(state))
    parts: list[Tensor] = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return sum(part.nbytes for part in parts)
