"""How far below the winner of an exhaustive search a strategy ends, at a share of its seconds.

The truth about a model at a learning rate is its final score on confirm, the mean of its seeds; the exhaustive winner
is the best on select, which is all that a search may look at. Regret is in points, hundredths of the score; where the
metric is to be small, in percent of the winner's. It can be below zero: the best on select need not be so on confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replay_table import Recorded, Table
from strategies import Key, Purse, Strategy

RESAMPLES = 2_000
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """One search.

    Attributes:
        spent: as a part of the exhaustive seconds.
        right: whether the family is the winner's.
    """

    regret: float
    spent: float
    right: bool


@cache
def truths(table: Table) -> dict[Key, float]:
    """Score on confirm of each model at each learning rate; as the worst there is where a seed diverged."""
    return _means(table, lambda trial: trial.confirm)


@cache
def selected(table: Table) -> dict[Key, float]:
    """Final score on select of each model at each learning rate."""
    return _means(table, lambda trial: trial.finals[-1].score if trial.confirm is not None else None)


def winner(table: Table) -> Key:
    """Of the exhaustive search: the best on select."""
    return max(selected(table), key=lambda key: table.metric.gain(selected(table)[key]))


def regret(table: Table, key: Key) -> float:
    """Of choosing `key`: in points, or in percent of the winner's score where it is to be small."""
    known, best = truths(table), truths(table)[winner(table)]
    lost = table.metric.gain(best) - table.metric.gain(known[key])
    return 100 * lost / (abs(best) if table.metric.direction == "min" else 1.0)


def search(table: Table, strategy: Strategy, share: float, seed: Sequence[int]) -> Outcome:
    """One search that may spend `share` of the exhaustive seconds."""
    random = np.random.default_rng(seed)
    purse = Purse(table, share * table.seconds, random)
    key = strategy(purse, random)
    families = {model: one["family"] for model, one in table.about["models"].items()}
    spent = share - purse.left / table.seconds
    return Outcome(regret(table, key), spent, families[key[0]] == families[winner(table)[0]])


def replayed(
    tables: Sequence[Table], strategies: Mapping[str, Strategy], shares: Sequence[float], repetitions: int
) -> dict[str, dict[float, list[list[Outcome]]]]:
    """Strategy → share → outcomes of each task and repetition; the same draws for every strategy."""
    return {
        name: {
            share: [
                [search(table, strategy, share, (place, number)) for number in range(repetitions)]
                for place, table in enumerate(tables)
            ]
            for share in shares
        }
        for name, strategy in strategies.items()
    }


def summary(outcomes: list[list[Outcome]], ours: list[list[Outcome]]) -> dict[str, Any]:
    """Figures over tasks and repetitions, with 95% intervals: tasks are resampled, then repetitions inside each.

    Args:
        ours: of the same tasks, to be compared with.
    """
    regrets, others = (np.array([[one.regret for one in row] for row in part]) for part in (outcomes, ours))
    figures: dict[str, Callable[[Array], Array]] = {
        "median": lambda values: np.median(values, axis=-1),
        "p90": lambda values: np.quantile(values, 0.9, axis=-1),
        "mean": lambda values: np.mean(values, axis=-1),
    }
    places = _resampled(*regrets.shape)
    found: dict[str, Any] = {}
    for name, figure in figures.items():
        made = figure(regrets[places].reshape(RESAMPLES, -1))
        found[name] = _told(figure(regrets.reshape(1, -1))[0], made)
    found["above_ours"] = _told(
        regrets.mean() - others.mean(), (regrets - others)[places].reshape(RESAMPLES, -1).mean(axis=1)
    )
    flat = [one for row in outcomes for one in row]
    found["spent"] = round(float(np.median([one.spent for one in flat])), 4)
    found["right_family"] = round(float(np.mean([one.right for one in flat])), 3)
    return found


def _means(table: Table, score: Callable[[Recorded], float | None]) -> dict[Key, float]:
    """The mean over seeds of a score of each model at each learning rate."""
    seen = [score(trial) for trial in table.trials.values()]
    worst = min((value for value in seen if value is not None), key=table.metric.gain)
    made: dict[Key, list[float]] = {}
    for trial, value in zip(table.trials.values(), seen):
        made.setdefault((trial.model, trial.lr), []).append(worst if value is None else value)
    return {key: float(np.mean(values)) for key, values in made.items()}


def _resampled(tasks: int, repetitions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of tasks, and of repetitions in each."""
    random = np.random.default_rng(0)
    rows = random.integers(tasks, size=(RESAMPLES, tasks, 1))
    return rows, random.integers(repetitions, size=(RESAMPLES, tasks, repetitions))


def _told(value: float, made: Array) -> list[float]:
    """A figure and its interval."""
    return [round(float(one), 3) for one in (value, *np.quantile(made, (0.025, 0.975)))]
