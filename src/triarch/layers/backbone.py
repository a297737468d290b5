"""The contract that every architecture keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from triarch.core.state import State
from triarch.core.types import Features, FeatureShape
from triarch.layers.cross import Cross, Memory

AnyState = TypeVar("AnyState", bound=State)


class Backbone(nn.Module):
    """Input → features; it knows nothing of the task.

    For any input the result at a step does not depend on padding, nor on the other rows of the batch. A causal
    backbone, given the state of earlier steps, makes of the chunks of a sequence what it makes of the whole.

    Attributes:
        shape: what `forward` makes.
    """

    shape: FeatureShape

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        state: State | None = None,
        context: Features | None = None,
    ) -> tuple[Features, State | None]:
        """Features of `x`.

        Args:
            x: images (B C Y X), series (B T C) or token ids (B T).
            mask: (B T), True where a step is real, padding on the right; None: all are real.
            state: of the steps before `x`, from `start` or an earlier call; None: `x` is the whole.
            context: features to attend to, for architectures with the ability `cross`; a state keeps what was read of
                it, so that later chunks do without.

        Returns:
            The features, and the state after `x` where one was given, else None.
        """
        raise NotImplementedError

    def start(self, batch_size: int, device: torch.device | str = "cpu", capacity: int | None = None) -> State:
        """The state before the first step.

        Args:
            capacity: steps that there is to be room for from the beginning, where a state grows; None: it grows.

        Raises:
            ValueError: the backbone is not causal as it was built.
        """
        raise ValueError(f"{type(self).__name__} is not causal as it was built, so it cannot go step by step")

    def read(self, context: Features) -> Memory:
        """What its layers that attend to a context keep of it, one after the other.

        Raises:
            ValueError: the backbone was built without any.
        """
        layers = [part for part in self.modules() if isinstance(part, Cross)]
        if not layers:
            raise ValueError(f"{type(self).__name__} attends to no context as it was built")
        return tuple(part for layer in layers for part in layer.read(context))

    def seen(self, state: State | None, context: Features | None) -> Memory:
        """What was read of the context before, by `state`, else what is read now; nothing where there is none."""
        if state is not None and state.context:
            return state.context
        return () if context is None else self.read(context)


def keeping(state: AnyState | None, memory: Memory) -> AnyState | None:
    """The state after a chunk, with what was read of the context in it."""
    return state if state is None or not memory else replace(state, context=memory)
