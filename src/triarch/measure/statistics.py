"""How sure a score is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from triarch.core.results import Interval

LEVEL = 0.95

Array = NDArray[np.float64]
Strata = NDArray[np.int64] | None


def score(values: NDArray[np.floating], strata: Strata = None) -> float:
    """Mean over items (I); with `strata`, the mean of the means of each."""
    values = np.asarray(values, dtype=np.float64)
    return float(np.mean([values[rows].mean() for rows in parts(len(values), strata)]))


def score_interval(values: NDArray[np.floating], strata: Strata = None, level: float = LEVEL) -> Interval:
    """Interval of `score`: Wilson's where each item is right or wrong, else Student's.

    With strata Wilson's is taken at the number of items that would make a plain mean as sure.
    """
    values = np.asarray(values, dtype=np.float64)
    dealt = parts(len(values), strata)
    if np.isin(values, (0.0, 1.0)).all():
        items = max(1, round(len(dealt) ** 2 / sum(1 / len(rows) for rows in dealt)))
        right = round(score(values, strata) * items)
        interval = binomtest(right, items).proportion_ci(level, method="wilson")
        return float(interval.low), float(interval.high)
    variance, freedom = chance(np.asarray(values, dtype=np.float64), dealt)
    mean, half = score(values, strata), float(t.isf((1 - level) / 2, freedom) * np.sqrt(variance))
    return mean - half, mean + half


def parts(items: int, strata: Strata) -> list[NDArray[np.int64]]:
    """The items of each stratum."""
    if strata is None:
        return [np.arange(items)]
    return [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]


def chance(values: Array, dealt: Sequence[NDArray[np.int64]]) -> tuple[float, float]:
    """Variance of the score of items (I) that were drawn by lot, and its degrees of freedom (Satterthwaite 1946).

    A stratum of one item has the variance that the others have on average.
    """
    counts = np.array([len(rows) for rows in dealt])
    several = [values[rows].var(ddof=1) for rows in dealt if len(rows) > 1]
    usual = float(np.mean(several)) if several else 0.0
    spread = np.array([values[rows].var(ddof=1) if len(rows) > 1 else usual for rows in dealt])
    each = spread / counts / len(dealt) ** 2
    total = float(each.sum())
    weight = float((each**2 / np.maximum(counts - 1, 1)).sum())
    return total, total**2 / weight if weight else float(max(1, counts.sum() - len(dealt)))
