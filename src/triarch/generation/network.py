"""What text is generated from: a causal backbone and what makes scores of its features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from triarch.core.state import State
from triarch.core.types import Features


class Causal(Protocol):
    """A module that keeps the state contract; its pooled feature is that of each row's last real step."""

    def __call__(self, x: Tensor, mask: Tensor | None, state: State | None) -> tuple[Features, State | None]: ...

    def start(self, batch_size: int, device: torch.device | str, capacity: int | None) -> State: ...

    def read(self, context: Features) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True)
class Network:
    """Token ids and a state → scores of the next token, and the state after them.

    Attributes:
        head: features (… D) → logits (… V).
        vocab_size: V.
        longest: steps that it can take at most, prompt and all; None: any number.
        context: what it attends to besides, a row for each prompt: the features of an encoder.
    """

    backbone: Causal
    head: Callable[[Tensor], Tensor]
    vocab_size: int
    longest: int | None = None
    context: Features | None = None
    device: torch.device | str = "cpu"

    def start(self, rows: int, capacity: int) -> State:
        """The state of `rows` texts before their first step, with room for `capacity` steps; the context is read."""
        state = self.backbone.start(rows, self.device, capacity)
        return state if self.context is None else replace(state, context=self.backbone.read(self.context))

    def last(self, ids: Tensor, mask: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Ids (B T) → logits (B V) after each row's last real step."""
        features, after = self.backbone(ids, mask, state)
        assert after is not None
        return self.head(features.pooled).float(), after

    def every(self, ids: Tensor, mask: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Ids (B T) → logits (B T V) after every step."""
        features, after = self.backbone(ids, mask, state)
        assert after is not None
        return self.head(features.values).float(), after
