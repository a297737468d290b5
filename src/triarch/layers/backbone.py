"""The contract that every architecture keeps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triarch.core.state import State
from triarch.core.types import Features, FeatureShape


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
            context: features to attend to, for architectures with the ability `cross`.

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
