"""How sure a score, and a difference of scores, is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from triarch.core.results import Interval

LEVEL = 0.95
RESAMPLES = 4_000
MANY = 100
CHUNK = 2_000_000

Array = NDArray[np.float64]
Strata = NDArray[np.int64] | None


@dataclass(frozen=True)
class Difference:
    """A minus B, with its interval."""

    mean: float
    interval: Interval

    @property
    def clear(self) -> bool:
        """The interval does not contain zero."""
        return self.interval[0] > 0 or self.interval[1] < 0


def score(values: NDArray[np.floating], strata: Strata = None) -> float:
    """Mean over items (I); with `strata`, the mean of the means of each."""
    values = np.asarray(values, dtype=np.float64)
    return float(np.mean([values[rows].mean() for rows in _parts(len(values), strata)]))


def score_interval(values: NDArray[np.floating], strata: Strata = None, level: float = LEVEL) -> Interval:
    """Interval of `score`: Wilson's where each item is right or wrong, else normal, or a bootstrap of few items.

    With strata Wilson's is taken at the number of items that would make a plain mean as sure.
    """
    values = np.asarray(values, dtype=np.float64)
    parts = _parts(len(values), strata)
    if np.isin(values, (0.0, 1.0)).all():
        items = max(1, round(len(parts) ** 2 / sum(1 / len(rows) for rows in parts)))
        right = round(score(values, strata) * items)
        interval = binomtest(right, items).proportion_ci(level, method="wilson")
        return float(interval.low), float(interval.high)
    if min(len(rows) for rows in parts) >= MANY:
        error = np.sqrt(sum(values[rows].var(ddof=1) / len(rows) for rows in parts)) / len(parts)
        mean, half = score(values, strata), float(norm.isf((1 - level) / 2) * error)
        return mean - half, mean + half
    return paired_difference(values[None], np.zeros((1, len(values))), strata=strata, level=level).interval


def paired_difference(
    a: NDArray[np.floating], b: NDArray[np.floating], seed: int = 0, strata: Strata = None, level: float = LEVEL
) -> Difference:
    """Score of A minus score of B, with a hierarchical bootstrap: seeds of each, then the items that both share.

    Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks" (arXiv 2103.03098).

    Args:
        a: value of each seed and item (S, I).
        b: (S', I), the same items.
        seed: of the resampling.
        strata: (I); items are resampled inside each, and each counts alike.
        level: how often the interval should hold the truth.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    random = np.random.default_rng(seed)
    ours, theirs = (_seeds(len(values), random) for values in (first, second))
    parts = _parts(first.shape[1], strata)
    made = np.zeros(RESAMPLES)
    for rows in parts:
        made += _resampled(first[:, rows], second[:, rows], ours, theirs, random) / len(parts)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(made, (tail, 100 - tail))
    mean = np.mean([first[:, rows].mean() - second[:, rows].mean() for rows in parts])
    return Difference(float(mean), (float(low), float(high)))


def _parts(items: int, strata: Strata) -> list[NDArray[np.int64]]:
    """The items of each stratum."""
    if strata is None:
        return [np.arange(items)]
    return [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]


def _seeds(seeds: int, random: np.random.Generator) -> Array:
    """How much each seed counts in each resample: (resamples, S)."""
    return random.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds


def _resampled(first: Array, second: Array, ours: Array, theirs: Array, random: np.random.Generator) -> Array:
    """Differences of the means of resampled seeds on resampled items: (resamples)."""
    # Items with the same values are interchangeable: resampling their few kinds is resampling them.
    kinds, counts = np.unique(np.concatenate((first, second)), axis=1, return_counts=True)
    items, chunk = first.shape[1], max(1, CHUNK // len(counts))
    made = []
    for start in range(0, RESAMPLES, chunk):
        part = slice(start, min(start + chunk, RESAMPLES))
        weights = random.multinomial(items, counts / items, size=part.stop - start) / items
        means = weights @ kinds.T
        left, right = means[:, : len(first)], means[:, len(first) :]
        made.append((ours[part] * left).sum(axis=1) - (theirs[part] * right).sum(axis=1))
    return np.concatenate(made)
