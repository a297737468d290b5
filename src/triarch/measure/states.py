"""How much a causal backbone remembers."""

from __future__ import annotations

from triarch.core.state import State


def state_bytes(state: State) -> int:
    """Bytes of the tensors of `state`, on any device: caches, hidden vectors, inputs of convolutions, positions."""
    return sum(part.nbytes for part in state.tensors())
