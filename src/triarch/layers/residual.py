"""Residual blocks around what mixes the steps: x ← x + mixer(norm(x)), then x ← x + feed(norm(x)).

A mixer keeps the protocol of `Mixer`: a gated linear recurrence, say, or attention to the nearest steps. What each
remembers between two chunks are two tensors, so that one state serves stacks of any mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from triarch.core.state import State
from triarch.layers.pool import lengths
from triarch.layers.recurrence import reverse

Memory = tuple[Tensor, Tensor]


@dataclass
class BlockState(State):
    """The memories of the blocks, two tensors (B …) each, in their order."""

    memory: tuple[Tensor, ...]


class Mixer(nn.Module):
    """What a block does along the steps."""

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """Mix.

        Args:
            x: (B T D).
            mask: (B T), True where a step is real, padding on the right.
            places: (B T), the positions of the steps.
            before: memory of the steps before `x`; None: `x` is the whole.

        Returns:
            (B T D), and the memory after the real steps of `x` where one was given.
        """
        raise NotImplementedError

    def start(self, batch_size: int, device: torch.device | str) -> Memory:
        """The memory before the first step."""
        raise NotImplementedError


class BothWays(Mixer):
    """The sum of two mixers, one of which reads each row from its true end."""

    def __init__(self, forwards: Mixer, backwards: Mixer) -> None:
        super().__init__()
        self.forwards, self.backwards = forwards, backwards

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """(B T D) → (B T D); it has no memory."""
        ahead, _ = self.forwards(x, mask, places, None)
        back, _ = self.backwards(reverse(x, mask), mask, places, None)
        return ahead + reverse(back, mask), None


def both_ways(mixer: Callable[[], Mixer], directions: int) -> Mixer:
    """One mixer, or two where `directions` is 2."""
    if directions not in (1, 2):
        raise ValueError(f"directions is 1 or 2, not {directions}")
    return mixer() if directions == 1 else BothWays(mixer(), mixer())


class Residual(nn.Module):
    """A mixer and, unless it is None, a feed-forward part, each normalised before and on a residual path."""

    def __init__(
        self, norm: Callable[[], nn.Module], mixer: Mixer, feed: nn.Module | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.mixer_norm, self.mixer = norm(), mixer
        self.feed_norm, self.feed = norm() if feed else None, feed
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None, places: Tensor, before: Memory | None
    ) -> tuple[Tensor, Memory | None]:
        """As its mixer."""
        mixed, after = self.mixer(self.mixer_norm(x), mask, places, before)
        x = x + self.dropout(mixed)
        if self.feed_norm and self.feed:
            x = x + self.dropout(self.feed(self.feed_norm(x)))
        return x, after


class Residuals(nn.Module):
    """Blocks one after the other, and a last normalisation."""

    def __init__(self, blocks: Sequence[Residual], norm: nn.Module) -> None:
        super().__init__()
        self.blocks, self.norm = nn.ModuleList(blocks), norm

    def forward(self, x: Tensor, mask: Tensor | None, state: State | None) -> tuple[Tensor, BlockState | None]:
        """(B T D) → (B T D), and the state after `x` where one was given."""
        step = torch.arange(x.shape[1], device=x.device)
        if not isinstance(state, BlockState):
            for block in self.blocks:
                x, _ = block(x, mask, step[None], None)
            return self.norm(x), None
        places = state.position[:, None] + step
        memory: tuple[Tensor, ...] = ()
        for number, block in enumerate(self.blocks):
            x, after = block(x, mask, places, state.memory[2 * number : 2 * number + 2])
            memory += after
        return self.norm(x), BlockState(state.position + lengths(x, mask), memory)

    def start(self, batch_size: int, device: torch.device | str) -> BlockState:
        """Before the first step."""
        memories = (cast(Residual, block).mixer.start(batch_size, device) for block in self.blocks)
        return BlockState(
            position=torch.zeros(batch_size, dtype=torch.long, device=device),
            memory=tuple(part for memory in memories for part in memory),
        )
