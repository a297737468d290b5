"""The nearest neighbour under dynamic time warping, what series are classified by when nothing is trained."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BAND = 0.1
PAIRS, MOST_STEPS = 20_000, 500


class NearestWarped:
    """The class of the training series that is nearest, within a band of 10% of the length (Sakoe, Chiba 1978).

    Series above 500 steps are averaged down to at most that.

    Args:
        channels: of a series; it comes flattened, step by step.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def fit(self, x: NDArray[Any], y: NDArray[np.int64]) -> Self:
        """Series (I T·C) and their classes (I)."""
        self.series, self.classes = self._parted(x), y
        return self

    def predict(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Classes (I)."""
        rows = max(1, PAIRS // len(self.series))
        asked = self._parted(x)
        nearest = [
            distances(asked[start : start + rows], self.series).argmin(axis=1) for start in range(0, len(asked), rows)
        ]
        found: NDArray[np.int64] = self.classes[np.concatenate(nearest)]
        return found

    def score(self, x: NDArray[Any], y: NDArray[np.int64]) -> float:
        """The share that is right."""
        return float((self.predict(x) == y).mean())

    def _parted(self, x: NDArray[Any]) -> NDArray[Any]:
        series = x.reshape(len(x), -1, self.channels)
        factor = -(-series.shape[1] // MOST_STEPS)
        whole = series[:, : series.shape[1] // factor * factor]
        averaged: NDArray[Any] = whole.reshape(len(x), -1, factor, self.channels).mean(axis=2)
        return averaged


def distances(a: NDArray[Any], b: NDArray[Any], band: float = BAND) -> NDArray[np.floating]:
    """The squared distance of each of (I T C) to each of (J T C) along the best path within the band: (I J)."""
    steps, pairs = a.shape[1], len(a) * len(b)
    radius = max(1, round(band * steps))
    above = np.full((steps + 1, pairs), np.inf, dtype=np.float32)
    above[0] = 0
    for row in range(steps):
        here = np.full_like(above, np.inf)
        for column in range(max(0, row - radius), min(steps, row + radius + 1)):
            cost = ((a[:, None, row] - b[None, :, column]) ** 2).sum(-1).ravel()
            best = np.minimum(np.minimum(above[column], above[column + 1]), here[column])
            np.add(best, cost, out=here[column + 1])
        above = here
    return above[steps].reshape(len(a), len(b))
