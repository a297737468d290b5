"""Which of two is better, how sure that is, and what it would take to be sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from triarch.core.results import Interval
from triarch.measure.statistics import LEVEL, Array, Strata, chance, parts

# What is assumed of the variance between seeds, as a part of that between items, and how many degrees of freedom the
# assumption counts for beside the seeds at hand: see `bench/LOG.md`.
SEEDS_SHARE, SEEDS_FREEDOM = 1e-3, 2.0
MOST_SEEDS, MOST_ITEMS = 50, 100


@dataclass(frozen=True)
class Difference:
    """Score of A minus score of B.

    Attributes:
        interval: in which it lies, with the probability `level`.
        probability: that A's score is the greater.
    """

    mean: float
    interval: Interval
    probability: float = 0.5
    level: float = LEVEL

    @property
    def clear(self) -> bool:
        """The interval does not contain zero."""
        return self.interval[0] > 0 or self.interval[1] < 0

    @property
    def turned(self) -> Difference:
        """B minus A."""
        return Difference(-self.mean, (-self.interval[1], -self.interval[0]), 1 - self.probability, self.level)


@dataclass(frozen=True)
class Comparison:
    """A and B on the same items, and from what their difference could be mere chance.

    A score varies with the items that were drawn, with the seed of the training, and by how items and seeds meet. Items
    are paired; what the seeds add is estimated from those at hand, of A and B together, and from what is usual (an
    estimate moderated so is Smyth's, 2004, "Linear models and empirical Bayes methods"); the interval is Student's with
    Satterthwaite's degrees of freedom. To draw two or three seeds anew, as a bootstrap does, tells too little of them:
    of two equal models it finds one better in up to 21% of cases, this in up to 6% (tests/measure/test_comparison.py).

    Attributes:
        mean: of the difference.
        items: variance by the items, seeds and items together included; `freedom` is its degrees of freedom.
        mixed: what of `items` more seeds would make smaller, times their number.
        seeds: variance between the scores of seeds, beyond that.
        assumed: the same with `mixed`, and `seed_freedom` its degrees of freedom.
        trained: seeds of A and B; 0: one without chance.
    """

    mean: float
    items: float
    freedom: float
    mixed: float
    seeds: float
    assumed: float
    seed_freedom: float
    trained: tuple[int, int]

    def difference(self, level: float = LEVEL) -> Difference:
        """With its interval and probability."""
        error, freedom = self._error(0, 1.0)
        half = float(t.isf((1 - level) / 2, freedom)) * error
        sure = float(t.cdf(self.mean / error, freedom)) if error else 0.5 + 0.5 * float(np.sign(self.mean))
        return Difference(self.mean, (self.mean - half, self.mean + half), sure, level)

    def more_seeds(self, margin: float = 0.0, level: float = LEVEL) -> int | None:
        """How many more seeds of each would make a difference of this size clear; None: no number would."""
        return next((more for more in range(MOST_SEEDS) if self._settled(more, 1.0, margin, level)), None)

    def more_items(self, margin: float = 0.0, level: float = LEVEL) -> float | None:
        """How many times as many items would, with the seeds at hand; None: not a hundred times as many."""
        steps = np.geomspace(1, MOST_ITEMS, 200)
        return next((float(times) for times in steps if self._settled(0, float(times), margin, level)), None)

    def _settled(self, more: int, times: float, margin: float, level: float) -> bool:
        error, freedom = self._error(more, times)
        return abs(self.mean) > max(margin, float(t.isf((1 - level) / 2, freedom)) * error)

    def _error(self, more: int, times: float) -> tuple[float, float]:
        """Standard error and degrees of freedom, with so many more seeds and so many times the items."""
        trained = [seeds for seeds in self.trained if seeds]
        now, then = (sum(1 / (seeds + extra) for seeds in trained) for extra in (0, more))
        items = max(0.0, self.items - self.mixed * (now - then)) / times
        seeds, known = self.seeds * then, (max(0.0, self.assumed - self.mixed) + self.mixed / times) * then
        freedom = self.seed_freedom + more * len(trained)
        variance = items + seeds
        weight = items**2 / (times * self.freedom) + (known**2 / freedom if freedom else 0.0)
        return sqrt(variance), variance**2 / weight if weight else inf


def compare(a: NDArray[np.floating], b: NDArray[np.floating], strata: Strata = None) -> Comparison:
    """Compare the values of A and B.

    Args:
        a: value of each seed and item (S, I); or (I) of what has no seed, but is the same each time.
        b: the same of B, on the same items.
        strata: (I); items were drawn in each, and each counts alike.
    """
    sides = [np.atleast_2d(np.asarray(side, dtype=np.float64)) for side in (a, b)]
    dealt = parts(sides[0].shape[1], strata)
    per_item = sides[0].mean(axis=0) - sides[1].mean(axis=0)
    items, freedom = chance(per_item, dealt)
    trained = tuple(len(side) if given.ndim == 2 else 0 for side, given in zip(sides, (a, b)))
    drawn = [side for side, seeds in zip(sides, trained) if seeds]
    mixed, seeds, assumed, seed_freedom = _between(drawn, dealt) if drawn else (0.0, 0.0, 0.0, 0.0)
    mean = _score(per_item, dealt)
    return Comparison(mean, items, freedom, mixed, seeds, assumed, seed_freedom, (trained[0], trained[1]))


def paired_difference(
    a: NDArray[np.floating], b: NDArray[np.floating], strata: Strata = None, level: float = LEVEL
) -> Difference:
    """The difference of A and B with its interval, see `compare`."""
    return compare(a, b, strata).difference(level)


def _between(sides: Sequence[Array], dealt: Sequence[NDArray[np.int64]]) -> tuple[float, float, float, float]:
    """Of a score of one seed: its variance by how items and seeds meet; that between seeds beyond it; the sum of both
    as it was estimated; and the degrees of freedom.
    """
    usual = SEEDS_SHARE * float(np.mean([sum(side[:, rows].var() for rows in dealt) / len(dealt) for side in sides]))
    several = [side for side in sides if len(side) > 1]
    freedom = sum(len(side) - 1 for side in several)
    mixed, between = 0.0, 0.0
    for side in several:
        share = (len(side) - 1) / freedom
        scores = [_score(seed, dealt) for seed in side]
        each = [side[:, rows].var(axis=0, ddof=1).mean() / len(rows) for rows in dealt]
        mixed += share * float(np.sum(each)) / len(dealt) ** 2
        between += share * float(np.var(scores, ddof=1))
    total = (freedom * between + SEEDS_FREEDOM * (usual + mixed)) / (freedom + SEEDS_FREEDOM)
    return mixed, max(0.0, total - mixed), total, freedom + SEEDS_FREEDOM


def _score(values: Array, dealt: Sequence[NDArray[np.int64]]) -> float:
    return float(np.mean([values[rows].mean() for rows in dealt]))
