"""The classical language model: how often a byte follows the few before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

ORDER = 5
Codes = NDArray[np.uint64]


class ByteNGrams:
    """p(b | h) = max(c(h b) - D, 0) / c(h) + D n(h) / c(h) p(b | h without its first byte), over bytes.

    Interpolated Kneser–Ney smoothing (Kneser, Ney 1995, "Improved backing-off for m-gram language modeling"; Chen,
    Goodman 1998, "An empirical study of smoothing techniques"): below the highest order c counts the different bytes
    that stand before, D is n1 / (n1 + 2 n2), of the n-grams that are there once and twice, and below order 1 all bytes
    are alike.

    Args:
        order: n, of at most 8 bytes.
    """

    def __init__(self, order: int = ORDER) -> None:
        self.order = order

    def __repr__(self) -> str:
        return f"ByteNGrams({self.order})"

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        """Count what is in `texts`."""
        codes, _ = _windows(texts, self.order)
        self._grams: list[tuple[Codes, NDArray[np.int64]]] = []
        grams, counts = np.unique(codes, return_counts=True)
        for order in range(self.order, 0, -1):
            self._grams.insert(0, (grams, counts))
            grams, counts = np.unique(_last(grams, order - 1), return_counts=True)
        return self

    def predict(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The bits of each text (I)."""
        codes, owner = _windows(texts, self.order)
        chance = np.full(len(codes), 1 / 256)
        for order, (grams, counts) in enumerate(self._grams, 1):
            seen = _last(codes, order)
            contexts, first, kinds = np.unique(grams >> np.uint64(8), return_index=True, return_counts=True)
            totals = np.add.reduceat(counts, first)
            once, twice = (int((counts == number).sum()) for number in (1, 2))
            discount = once / (once + 2 * twice) if once else 0.5
            place, known = _find(contexts, seen >> np.uint64(8))
            at, there = _find(grams, seen)
            kept = np.where(there, np.maximum(counts[at] - discount, 0), 0)
            mixed = (kept + discount * kinds[place] * chance) / totals[place]
            chance = np.where(known, mixed, chance)
        bits: NDArray[np.float64] = np.bincount(owner, -np.log2(chance), len(texts)).astype(np.float64)
        return bits


def _windows(texts: Sequence[str], order: int) -> tuple[Codes, NDArray[np.int64]]:
    """The `order` bytes up to each byte of each text, zeros before its first, as one number; and the text's number."""
    encoded = [np.frombuffer(text.encode(), dtype=np.uint8) for text in texts]
    lengths = np.array([len(content) for content in encoded], dtype=np.int64)
    flat = np.concatenate(encoded) if encoded else np.zeros(0, dtype=np.uint8)
    place = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    codes = flat.astype(np.uint64)
    for back in range(1, order):
        before = np.zeros(len(flat), dtype=np.uint64)
        before[back:] = flat[:-back] if back < len(flat) else 0
        codes |= np.where(place >= back, before, 0).astype(np.uint64) << np.uint64(8 * back)
    return codes, np.repeat(np.arange(len(texts)), lengths)


def _last(codes: Codes, order: int) -> Codes:
    """Of each number the last `order` bytes."""
    return codes & np.uint64((1 << 8 * order) - 1)


def _find(sorted_codes: Codes, wanted: Codes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of `wanted` is, or would be, and whether it is there."""
    place = np.minimum(np.searchsorted(sorted_codes, wanted), len(sorted_codes) - 1)
    return place, sorted_codes[place] == wanted
