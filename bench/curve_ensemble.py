"""An ensemble of power laws that tells from a trial's rungs its error at a later step, and how far it is off elsewhere.

Each member is E + A t^-α through the last 2, 3, 4 or 6 rungs with its own floor E, and one says that nothing changes
(Domhan, Springenberg, Hutter 2015, "Speeding up automatic hyperparameter optimization of deep neural networks by
extrapolation of learning curves", has more kinds). How far forecasts are off, by distance and by how little the members
agree, is fitted on other tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from replay_table import Recorded, Rung, Table
from triarch.core.results import Metric

WINDOWS, FLOORS, STEEPEST = (2, 3, 4, 6), (0.0, 0.5, 0.8), (-2.0, 0.3)
LEAST_ERROR = 0.005
PLACES = (np.arange(100) + 0.5) / 100
DISTANCES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)  # logarithms of steps, between which forecasts are off alike

Array = NDArray[np.float64]


def errors(metric: Metric, rungs: Sequence[Rung]) -> tuple[Array, Array]:
    """Steps, and what is to fall to 0, of the rungs that did not diverge."""
    there = [(rung.steps, rung.score) for rung in rungs if rung.score is not None]
    steps, scores = (np.array(part, dtype=np.float64) for part in zip(*there))
    return steps, np.maximum(scores if metric.direction == "min" else 1 - scores, LEAST_ERROR)


def members(steps: Array, values: Array, target: float) -> Array:
    """The logarithm of the error at `target` steps, for each member."""
    x, found = np.log(steps), [np.log(values[-1])]
    for window in WINDOWS:
        if window > len(values):
            continue
        part = x[-window:] - x[-window:].mean()
        for floor in FLOORS:
            least = floor * values[-window:].min()
            logs = np.log(values[-window:] - least)
            slope = np.clip((part * logs).sum() / (part**2).sum(), *STEEPEST)
            found.append(np.log(least + np.exp(logs.mean() + slope * (np.log(target) - x[-window:].mean()))))
    return np.array(found)


def seen_from(steps: Array, values: Array, target: float) -> tuple[float, float, float]:
    """The mean change that members foretell, how little they agree, and how far ahead it is; logarithms."""
    found = members(steps, values, target)
    return float(found.mean() - np.log(values[-1])), float(found.std()), float(np.log(target / steps[-1]))


class Ensemble:
    """Members, and how far forecasts are off on some tasks.

    Args:
        rows: (N 4), what was `seen_from` one rung of another, and the change that there was.
    """

    def __init__(self, rows: Array) -> None:
        change, spread, ahead, true = rows.T
        self.shift = np.linalg.lstsq(np.stack([change, ahead], axis=1), true, rcond=None)[0]
        off = true - np.stack([change, ahead], axis=1) @ self.shift
        squares = np.minimum(off**2, 4 * np.quantile(off**2, 0.9))
        self.variance = nnls(_terms(ahead, spread), squares)[0]
        scaled = off / self._width(ahead, spread)
        near = np.searchsorted(DISTANCES, ahead)
        parts = [scaled[near == part] for part in range(len(DISTANCES) + 1)]
        self._places = [np.quantile(part if len(part) else scaled, PLACES) for part in parts]

    def drawn(self, steps: Array, values: Array, target: float) -> Array:
        """The logarithm of the error at `target` steps, at each of `PLACES`."""
        change, spread, ahead = seen_from(steps, values, max(target, 1.0001 * steps[-1]))
        centre = np.log(values[-1]) + self.shift @ [change, ahead]
        width = self._width(np.array([ahead]), np.array([spread]))
        found: Array = centre + width * self._places[int(np.searchsorted(DISTANCES, ahead))]
        return found

    def _width(self, ahead: Array, spread: Array) -> Array:
        width: Array = np.sqrt(_terms(ahead, spread) @ self.variance + 1e-6)
        return width


def _terms(ahead: Array, spread: Array) -> Array:
    return np.stack([ahead, ahead**2, spread**2], axis=-1)


@cache
def pairs_of(table: Table) -> Array:
    """(N 4): what `Ensemble` is fitted on, for all pairs of rungs."""
    rows = []
    for trial in table.trials.values():
        steps, values = errors(table.metric, trial.rungs)
        for known in range(1, len(steps)):
            for later in range(known, len(steps)):
                seen = seen_from(steps[:known], values[:known], steps[later])
                rows.append((*seen, np.log(values[later] / values[known - 1])))
    return np.array(rows)


class Forecast:
    """What an ensemble, fitted on the other tasks, tells of the trials of one."""

    def __init__(self, table: Table, everything: Sequence[Table]) -> None:
        self.table = table
        rows = np.concatenate([pairs_of(other) for other in everything if other is not table])
        self.ensemble = Ensemble(rows)
        self._known: dict[tuple[str, float, int, int, int], Array] = {}

    def of(self, trial: Recorded, rung: Rung, steps: float) -> Array:
        """What is `drawn` at about `steps`, seen from `rung`; far off where it diverged."""
        place = (trial.model, trial.lr, trial.seed, rung.steps, round(10 * np.log(steps)))
        if place not in self._known:
            if rung.score is None:
                return np.full(len(PLACES), 9.0)
            known = [one for one in trial.rungs or [rung] if one.steps <= rung.steps]
            self._known[place] = self.ensemble.drawn(*errors(self.table.metric, known), steps)
        return self._known[place]


def below(one: Array, other: Array) -> float:
    """The probability that the first of two ends with the larger error, each told at `PLACES`."""
    return float((one[:, None] > other).mean())
