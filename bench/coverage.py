"""How often the intervals that triarch states hold the truth, on trainings that were recorded.

The items of confirm and the seeds that were recorded are taken for all there are, so that the truth, the score on
all of them, is known. A sample is drawn from them with replacement: items, and seeds as a verdict has them. In a task
the best of every family at its best learning rate on select is compared with that of every other.

With two seeds a sample of three is often one seed thrice, and then an interval knows nothing of what seeds do; where
all seeds are in sample and truth alike ("seeds all") it allows for more than is asked of it. Both are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regret import selected
from replay_table import Table
from strategies import Key
from triarch.measure.comparison import paired_difference
from triarch.measure.statistics import score, score_interval

LEVELS = (0.9, 0.95)
ITEMS = (100, 300)
SEEDS = 3  # of a verdict
Array = NDArray[np.float64]


def covered(tables: Sequence[Table], draws: int) -> dict[str, Any]:
    """How often intervals of differences, and of scores, hold the truth: kind → level → items → share, its error.

    Args:
        draws: of each pair, or finalist, and number of items.
    """
    held: dict[str, dict[str, dict[str, list[list[bool]]]]] = {}
    for place, table in enumerate(tables):
        finals = [_values(table, key) for key in finalists(table)]
        for items in ITEMS:
            random = np.random.default_rng((place, items))
            for level in LEVELS:
                for kind, tries in _tries(table, finals, items, level, draws, random).items():
                    held.setdefault(kind, {}).setdefault(f"{level:g}", {}).setdefault(str(items), []).append(tries)
    return {
        kind: {
            level: {items: _share(tries) for items, tries in by_items.items()} for level, by_items in by_level.items()
        }
        for kind, by_level in held.items()
    }


def finalists(table: Table) -> list[Key]:
    """Of every family the best on select."""
    seen, best = selected(table), {}
    for key in sorted(seen, key=lambda key: table.metric.gain(seen[key])):
        best[table.about["models"][key[0]]["family"]] = key
    return list(best.values())


def _values(table: Table, key: Key) -> Array:
    """The metric of each seed and item (S, I)."""
    trials = [table.trials[*key, seed] for seed in table.about["seeds"]]
    return np.stack([trial.values for trial in trials if trial.confirm is not None])


def _tries(
    table: Table, finals: Sequence[Array], items: int, level: float, draws: int, random: np.random.Generator
) -> dict[str, list[bool]]:
    """Whether each interval held the truth."""
    tries: dict[str, list[bool]] = {"difference, seeds drawn": [], "difference, seeds all": [], "score": []}
    for one, other in combinations(finals, 2):
        truth = _mean(table, one) - _mean(table, other)
        for _ in range(draws):
            rows = random.integers(one.shape[1], size=items)
            strata = None if table.strata is None else table.strata[rows]
            ours, theirs = (values[random.integers(len(values), size=SEEDS)] for values in (one, other))
            sides = {"drawn": (ours, theirs), "all": (one, other)}
            for name, (first, second) in sides.items():
                told = paired_difference(first[:, rows], second[:, rows], strata=strata, level=level).interval
                tries[f"difference, seeds {name}"].append(told[0] <= truth <= told[1])
    for values in finals:
        for _ in range(draws):
            rows, seed = random.integers(values.shape[1], size=items), int(random.integers(len(values)))
            strata = None if table.strata is None else table.strata[rows]
            low, high = score_interval(values[seed, rows], strata, level)
            tries["score"].append(low <= _mean(table, values[seed : seed + 1]) <= high)
    return tries


def _mean(table: Table, values: Array) -> float:
    """Score of all seeds and items."""
    return float(np.mean([score(row, table.strata) for row in values]))


def _share(tries: list[list[bool]]) -> list[float]:
    """How often in all, and the standard error over tasks."""
    means = [float(np.mean(one)) for one in tries]
    error = float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
    return [round(float(np.mean(means)), 4), round(error, 4)]
