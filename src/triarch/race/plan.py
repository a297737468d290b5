"""How the seconds of a race are shared out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np

from triarch.core.budget import Budget
from triarch.data.dataset import Dataset
from triarch.race.candidates import Entry, in_order
from triarch.race.trial import Trial
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe

BASELINES, MEASURING = 0.15, 0.05
HALVING = 0.45
REDUCTION = 3
LEARNING_RATES = 3
SEEDS = 3
SHORTEST_TRIAL = 0.7
SHORTEST_FINAL = 1.5
FEWEST_STEPS = 60
# Multiply–adds a second that no machine of the kind reaches in training; only to refuse giants without trying them.
FAST = 2e11


def reserve(budget: Budget) -> float:
    """Seconds kept for the end: confirm, artifact, report."""
    return min(0.2 * budget.seconds, 3.0 + 0.01 * budget.seconds)


@dataclass(frozen=True)
class Heat:
    """The trials of one family: each model at the same number of learning rates.

    Attributes:
        rungs: trials at each rung of the halving; one survives the last.
        seconds: for the whole heat.
    """

    family: str
    models: list[str]
    rates: dict[str, list[float]]
    rungs: list[int]
    seconds: float


def heats(entries: Sequence[Entry], dataset: Dataset, task: Task, base: Recipe, seconds: float) -> list[Heat]:
    """Plan the halving: every family has the same time and the same number of learning rates.

    Candidates that have no turn are told why.

    Args:
        base: what the trainings have in common.
        seconds: for all heats together.
    """
    families = sorted({entry.counted.family for entry in entries})
    share = seconds / len(families)
    trials = max(1, int(share / 2 / SHORTEST_TRIAL))
    rates = min(LEARNING_RATES, trials)
    planned = []
    for family in families:
        chosen = _affordable(
            in_order([entry for entry in entries if entry.counted.family == family]),
            dataset, task, base, most=max(1, trials // rates), rates=rates, share=share,
        )  # fmt: skip
        grid = {entry.model: _grid(entry.architecture.learning_rates, rates) for entry in chosen}
        rungs = _rungs(len(chosen) * rates)
        planned.append(Heat(family, [entry.model for entry in chosen], grid, rungs, share))
    return planned


def seeds(seconds: float, finalists: int) -> int:
    """How many seeds each finalist gets."""
    return int(min(SEEDS, max(1, seconds / finalists / SHORTEST_FINAL)))


def _rungs(trials: int) -> list[int]:
    counts = []
    while trials > 1:
        counts.append(trials)
        trials = ceil(trials / REDUCTION)
    return counts


def _grid(limits: tuple[float, float], count: int) -> list[float]:
    if count == 1:
        return [float(np.sqrt(limits[0] * limits[1]))]
    return [float(rate) for rate in np.geomspace(*limits, count)]


def _affordable(
    family: list[Entry], dataset: Dataset, task: Task, base: Recipe, most: int, rates: int, share: float
) -> list[Entry]:
    """The first `most` whose trials are long enough to tell something; at least one."""
    chosen: list[Entry] = []
    slowest = share / max(1, ceil(log(most * rates, REDUCTION))) / (most * rates) / FEWEST_STEPS
    for entry in family:
        if len(chosen) == most:
            entry.counted.reason = f"its turn did not come: {base.seconds:g} s are enough for {most} of a family"
            continue
        step = 3 * entry.counted.macs * base.batch_size / FAST
        if step <= slowest:
            step = _step_seconds(entry, dataset, task, base)
        if step > slowest and (chosen or entry is not family[-1]):
            entry.counted.reason = f"too slow: a step takes {step:.2g} s, a trial has {FEWEST_STEPS * slowest:.2g} s"
            continue
        chosen.append(entry)
    return chosen


def _step_seconds(entry: Entry, dataset: Dataset, task: Task, base: Recipe) -> float:
    """A training step's time: the second of two."""
    trial = Trial(base.model_copy(update={"model": entry.model, "seconds": None, "steps": 2}), dataset, task)
    times = [time.perf_counter()]

    def clock(_: object) -> bool:
        times.append(time.perf_counter())
        return False

    trial.run(seconds=60, finish=True, after_step=clock)
    return times[-1] - times[-2]
