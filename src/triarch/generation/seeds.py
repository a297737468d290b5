"""Random numbers of a text: a function of its own seed alone, whatever stands beside it in a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

AT_ONCE = 256


class Uniforms:
    """A stream of numbers from 0 to below 1 for each row.

    Args:
        seeds: one for each row, 0 or more.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._drawn = np.zeros((len(seeds), 0))
        self._next = 0

    def next(self) -> Tensor:
        """The next number of every row (B)."""
        if self._next == self._drawn.shape[1]:
            self._drawn, self._next = np.stack([one.random(AT_ONCE) for one in self._generators]), 0
        self._next += 1
        return torch.from_numpy(self._drawn[:, self._next - 1].copy())

    def of(self, row: int, count: int) -> list[float]:
        """`count` numbers of one row; not to be mixed with `next`."""
        numbers: list[float] = self._generators[row].random(count).tolist()
        return numbers

    def rows(self, index: list[int]) -> None:
        """Keep these rows, in this order."""
        self._generators = [self._generators[row] for row in index]
        self._drawn = self._drawn[index]
