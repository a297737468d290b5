"""How sure a score, and a difference of scores, is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from triarch.core.results import Interval

LEVEL = 0.95
RESAMPLES = 4_000
CHUNK = 2_000_000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A minus B, with its 95% interval."""

    mean: float
    interval: Interval

    @property
    def clear(self) -> bool:
        """The interval does not contain zero."""
        return self.interval[0] > 0 or self.interval[1] < 0


def score_interval(values: NDArray[np.floating]) -> Interval:
    """95% interval of the mean over items (I): Wilson's where each is right or wrong, else a bootstrap of items."""
    values = np.asarray(values, dtype=np.float64)
    if np.isin(values, (0.0, 1.0)).all():
        interval = binomtest(int(values.sum()), len(values)).proportion_ci(LEVEL, method="wilson")
        return float(interval.low), float(interval.high)
    return paired_difference(values[None], np.zeros((1, len(values)))).interval


def paired_difference(a: NDArray[np.floating], b: NDArray[np.floating], seed: int = 0) -> Difference:
    """Mean of A minus mean of B, with a hierarchical bootstrap: seeds of each, then the items that both share.

    Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks" (arXiv 2103.03098).

    Args:
        a: value of each seed and item (S, I).
        b: (S', I), the same items.
        seed: of the resampling.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    random = np.random.default_rng(seed)
    items = first.shape[1]
    # Items with the same values are interchangeable: resampling their few kinds is resampling them.
    kinds, counts = np.unique(np.concatenate((first, second)), axis=1, return_counts=True)
    left, right = kinds[: len(first)], kinds[len(first) :]
    chunk = max(1, CHUNK // len(counts))
    means: list[Array] = []
    for start in range(0, RESAMPLES, chunk):
        count = min(chunk, RESAMPLES - start)
        weights = random.multinomial(items, counts / items, size=count) / items
        means.append(_resampled(left, weights, random) - _resampled(right, weights, random))
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(np.concatenate(means), (tail, 100 - tail))
    return Difference(float(first.mean() - second.mean()), (float(low), float(high)))


def _resampled(values: Array, weights: Array, random: np.random.Generator) -> Array:
    """Means of resampled seeds on resampled items: (resamples)."""
    seeds = len(values)
    chosen = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=len(weights)) / seeds
    means: Array = (chosen * (weights @ values.T)).sum(axis=1)
    return means
