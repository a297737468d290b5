"""Batches of pairs of texts, bounded by the steps that they take with their padding."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

EXACT, COARSER, SMALLER = 8, 1.15, 0.997


class Buckets:
    """Which items stand beside each other, and where their order is cut.

    A bucket holds items whose texts are of like length, and so are their answers. Items are ordered by bucket, answers
    upwards, texts up and down in turns, and at random within a bucket; so where a batch is full depends on the buckets
    alone, and each epoch has as many batches.

    Args:
        sides: steps of each item's text and answer (I 2).
        most: steps of a batch, items times the longest of both; an item that is longer is a batch alone.
    """

    def __init__(self, sides: NDArray[np.int64], most: int) -> None:
        texts, answers = _levels(sides).T
        turned = np.where(answers % 2, -texts, texts)
        _, self._bucket = np.unique(np.stack((answers, turned), axis=1), axis=0, return_inverse=True)
        longest = np.zeros((self._bucket.max() + 1, 2), dtype=np.int64)
        np.maximum.at(longest, self._bucket, sides)
        counts = np.bincount(self._bucket)
        self._cuts = _cuts(counts, longest, most)
        while most > 1 and len(lower := _cuts(counts, longest, most := int(SMALLER * most))) == len(self._cuts):
            self._cuts = lower  # no batch more, so they are more even
        self.batches = len(self._cuts) + 1

    def epoch(self, random: np.random.Generator) -> list[NDArray[np.int64]]:
        """The places of the items of each batch, all once."""
        order = random.permutation(len(self._bucket))
        batches = np.split(order[np.argsort(self._bucket[order], kind="stable")], self._cuts)
        return [batches[number] for number in random.permutation(len(batches))]


def usual(sides: NDArray[np.int64], items: int) -> int:
    """The bound at which a batch holds about `items` of these (I 2)."""
    return ceil(items * float(sides.sum(axis=1).mean()))


def _levels(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same number for lengths that are alike: short ones are apart, longer ones within a seventh or so."""
    grid = [*range(EXACT)]
    while grid[-1] < lengths.max():
        grid.append(ceil(grid[-1] * COARSER))
    return np.searchsorted(grid, lengths)


def _cuts(counts: NDArray[np.int64], longest: NDArray[np.int64], most: int) -> list[int]:
    """The places at which a batch is full, of buckets of so many items, whose longest are `longest` (K 2)."""
    cuts: list[int] = []
    begin = place = 0
    widest = np.zeros(2, dtype=np.int64)
    for count, bucket in zip(counts.tolist(), longest):
        end = place + count
        while place < end:
            wider = np.maximum(widest, bucket)
            full = begin + max(most // int(wider.sum()), 0 if place > begin else 1)
            if full <= place:
                cuts.append(place)
                begin, widest = place, np.zeros_like(widest)
            else:
                place, widest = min(full, end), wider
    return cuts
