"""Caches of keys and values: allocated once, written in place, a ring where attention has a window.

Row b's step at place p lies in slot p mod S of its row, S being the number of slots. So rows of one batch may stand at
different places, what lies beyond a row's place is written over when it comes there, and to go back is to say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slots:
    """Where the T steps of one pass go and which keys they are shown: the same for all layers.

    Attributes:
        position: (B), or (1) where they are one, the place of each row's first step.
        steps: (B), how many of the T are real; None: all.
        width: T.
        reached: the foremost of `position`.
        even: whether all rows stand there.
        size: S.
        window: how many steps are kept; None: all.
    """

    position: Tensor
    steps: Tensor | None
    width: int
    reached: int
    even: bool
    size: int
    window: int | None

    @property
    def apart(self) -> bool:
        """Whether the steps of this pass would write over some that they are to see, so that they come after them."""
        return self.window is not None and self.width > 1 and self.reached + self.width > self.size

    @property
    def used(self) -> int:
        """Slots to be read, the first ones."""
        return min(self.reached + (0 if self.apart else self.width), self.size)

    @property
    def first_chunk(self) -> bool:
        """Whether each step sees all steps of this pass before it, and there are no others."""
        return self.reached == 0 and not self.apart

    @property
    def all_seen(self) -> bool:
        """Whether there is one step, and it sees all that is read."""
        return self.width == 1 and self.even

    @cached_property
    def places(self) -> Tensor:
        """The places (B S') or (S') of the keys that are read; below zero: nothing is there; ahead of its row: old."""
        last = self.position[:, None] + (-1 if self.apart else self.width - 1)
        slot = torch.arange(self.used, device=last.device)
        if self.window is None:
            return slot
        held = last - (last - slot).remainder(self.size)
        if self.width > 1 and not self.apart:  # nothing was written over, and the last steps may be padding
            return slot
        return torch.cat((held, self._coming), dim=1) if self.apart else held

    @cached_property
    def _coming(self) -> Tensor:
        """The places (B T) of the steps of this pass."""
        return self.position[:, None] + torch.arange(self.width, device=self.position.device)

    @cached_property
    def _index(self) -> tuple[Tensor, Tensor]:
        """The rows (B 1) and the slots (B T) of the steps of this pass."""
        rows = torch.arange(len(self.position), device=self.position.device)[:, None]
        return rows, self._coming.remainder(self.size)

    def put(self, buffer: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
        """Write, and read.

        Args:
            buffer: keys or values (B N S H); written to, unless gradients are wanted.
            new: those of this pass, (B N T H).

        Returns:
            What is read, (B N S' H), and the buffer as it is then.
        """
        if new.requires_grad:
            buffer = buffer.clone()
        if self.apart:
            return torch.cat((buffer[:, :, : self.used], new), dim=2), self._turned(buffer, new)
        if self.even:
            start = self.reached % self.size
            buffer[:, :, start : start + self.width] = new
        else:
            buffer.transpose(1, 2)[self._index] = new.transpose(1, 2)
        return buffer[:, :, : self.used], buffer

    def _turned(self, buffer: Tensor, new: Tensor) -> Tensor:
        """The ring with the last real steps in it."""
        steps = self.width if self.steps is None else self.steps[:, None]
        last = self.position[:, None] + steps - 1
        slot = torch.arange(self.size, device=new.device)
        step = last - (last - slot).remainder(self.size) - self.position[:, None]
        index = step.clamp(min=0)[:, None, :, None].expand(len(new), new.shape[1], -1, new.shape[3])
        return torch.where((step >= 0)[:, None, :, None], new.gather(2, index), buffer)
