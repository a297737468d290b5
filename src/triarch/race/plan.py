"""How the seconds, or the steps, of a race are shared out."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil

import numpy as np

from triarch.core.budget import Budget
from triarch.core.results import Interval, Metric
from triarch.data.dataset import Dataset
from triarch.race.candidates import FEWEST_STEPS, Entry, in_order, least_step_seconds
from triarch.race.turns import KEPT, LEAST_STEPS, Turns, turns
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe
from triarch.training.start import step_seconds, useful_threads

BASELINES, MEASURING = 0.15, 0.05
EXPLAINING, LONGEST_EXPLAINING = 0.04, 15.0
PROBING = 3.0  # seconds until the process that measures costs has begun and told something
HALVING, SCREENING = 0.45, 0.6  # of the time for trials and finals; of that the part that screens
REDUCTION = 3
LEARNING_RATES = 3
SEEDS = 3
SHORTEST_TRIAL = 0.7
SHORTEST_FINAL = 1.5
SHORT_RACE = 100.0
EVALUATING, FEWEST_ITEMS = 0.15, 500
FINAL_EPOCHS, MOST_FINAL_STEPS = 10, 2_000
TIMING = 0.05
MODELS_BY_STEPS = 3


def reserve(budget: Budget) -> float:
    """Seconds kept for the end: measuring the finalists, confirm, reasons, artifact, report."""
    return min(0.2 * budget.seconds, 3.0 + 0.01 * budget.seconds) + measuring(budget) + explaining(budget)


def explaining(budget: Budget) -> float:
    """Of them the seconds in which it is measured what the finalists use and what they bear."""
    return min(EXPLAINING * budget.seconds, LONGEST_EXPLAINING)


def measuring(budget: Budget) -> float:
    """Of them the seconds in which the finished artifacts are held against the limits."""
    if budget.max_latency is not None:
        return min(0.2 * budget.seconds, 10.0 + 0.01 * budget.seconds)
    return min(0.2 * budget.seconds, 4.0) if budget.max_memory is not None else 0.0


@dataclass(frozen=True)
class Heat:
    """The trials of one family: each model at the same number of learning rates.

    Where several models race the first rung screens them, each at the highest of its learning rates, which is ahead
    early; the one that is kept goes on with it, and begins anew at the others.

    Attributes:
        rates: learning rates of each model; the race adds to them where the best is at their end.
        rungs: trials at each rung; one survives the last.
        kept: models after the first rung, where it screens them; 0: it does not.
        seconds: for the whole heat, if one trial ran after the other; 0 where there is no time limit.
        screening: of them for the rung that screens.
        steps: of a trial at the end of each rung; empty: as many as there is time for.
        paces: seconds of a training step of the models that were timed.
    """

    family: str
    models: list[str]
    rates: dict[str, list[float]]
    rungs: list[int]
    seconds: float
    steps: list[int] = field(default_factory=list)
    paces: dict[str, float] = field(default_factory=dict)
    kept: int = 0
    screening: float = 0.0

    def slot(self, rung: int, trials: int) -> float:
        """Seconds of each of so many trials in a rung, if one ran after the other."""
        if self.kept and rung == 0:
            return self.screening / max(1, trials)
        return (self.seconds - self.screening) / (len(self.rungs) - bool(self.kept)) / max(1, trials)


def heats(
    entries: Sequence[Entry], pace: Callable[[Entry, float], float], per_epoch: int, seconds: float,
    steps: int | None = None, workers: int = 1,
) -> list[Heat]:  # fmt: skip
    """Plan the halving: every model has the same time to be screened in, and every family the same after it.

    Those that begin with artifacts are as a family of their own here.

    All have the same number of learning rates. What replaying other plans on recorded races gave is in bench/choose.md.

    Candidates that have no turn are told why. Where `steps` are given nothing that is planned depends on a measurement:
    the first three candidates of each family race, a trial has a third of the steps at the end of its last rung, and a
    third of those of the following rung at the end of each one before.

    Args:
        pace: seconds of a training step, or less where already that is too much in so many seconds.
        per_epoch: steps.
        seconds: for halving and finals together; 0: there is no limit.
        steps: of each final.
        workers: trainings at the same time.
    """
    families = sorted({entry.group for entry in entries})
    share = HALVING * seconds / len(families)
    rates = LEARNING_RATES if steps or workers * share >= LEARNING_RATES * SHORTEST_TRIAL else 1
    alone, planned = workers * share, []
    for family in families:
        members = [entry for entry in entries if entry.group == family]
        if steps:
            found = _first(members)
        else:
            slot = partial(_first_slot, alone, rates)
            final = workers * (1 - HALVING) * seconds / len(families)
            timing = TIMING * seconds / len(families)
            found = turns(members, lambda entry: pace(entry, alone), slot, per_epoch, timing, final)
        for entry in members:
            entry.counted.reason = found.reasons.get(entry.model, "")
        chosen = found.chosen
        grid = {entry.model: _grid(entry.learning_rates, rates) for entry in chosen}
        rungs, kept = _screened(len(chosen), rates) if not steps else (_rungs(len(chosen) * rates), 0)
        ends = _ends(steps, len(rungs))
        planned.append(Heat(family, [entry.model for entry in chosen], grid, rungs, share, ends, found.paces, kept))
    each = SCREENING * len(families) * share / sum(len(heat.models) for heat in planned)
    return [_timed(heat, each * len(heat.models), (1 - SCREENING) * share) for heat in planned]


def stretch(slots: Sequence[float], workers: int) -> float:
    """By which factor slots, planned one after another, may be longer where `workers` share them, longest first."""
    ends = [0.0] * workers
    for slot in sorted(slots, reverse=True):
        heapq.heapreplace(ends, ends[0] + slot)
    return sum(slots) / max(ends) if sum(slots) > 0 else 1.0


@dataclass(frozen=True)
class Finals:
    """The finals, and the end that must still fit behind them.

    Attributes:
        slot: seconds of one final.
        select, confirm: items of each split that are evaluated.
        closing: seconds for opening the confirm split for two models.
        behind: the models that have one final only, since their trials were clearly behind.
    """

    seeds: int
    slot: float
    select: int
    confirm: int
    closing: float
    behind: list[str] = field(default_factory=list)


def plan_finals(
    seconds: float, finalists: int, item_seconds: float, select: int, confirm: int, workers: int = 1,
    least: float = SHORTEST_FINAL, behind: Sequence[str] = (), opened: int = 2, fewest: int = FEWEST_ITEMS,
) -> Finals:  # fmt: skip
    """Share out the rest of the time.

    Args:
        least: seconds of a final that is worth it: rather fewer seeds than less.
        item_seconds: evaluation of one item by the slowest finalist.
        select, confirm: sizes of the splits.
        workers: trainings at the same time.
        behind: those of the finalists that have one final only.
        opened: models that are evaluated on confirm.
        fewest: items of each split that are evaluated at least, where there are so many.
    """
    contenders = finalists - len(behind)
    room = workers * seconds / max(least, SHORTEST_FINAL)
    seeds = 1 + int(min(SEEDS - 1, max(0, (room - finalists) // contenders)))
    share = EVALUATING * max(seconds, 0.1)
    items = max(fewest, int(share / (opened * seeds) / item_seconds))
    each = seeds * min(confirm, items) * item_seconds
    slot = (seconds - opened * each) / rounds(finalists + (seeds - 1) * contenders, workers)
    looked_at = min(select, max(fewest, int(EVALUATING * max(slot, 0.1) / item_seconds)))
    return Finals(seeds, slot, looked_at, min(confirm, items), 2 * each, list(behind))


def clearly_behind(metric: Metric, intervals: Mapping[str, Interval]) -> list[str]:
    """The models whose interval ends, in the metric's direction, before that of the best begins."""
    gains = {model: sorted(map(metric.gain, interval)) for model, interval in intervals.items()}
    best = max((low for low, _ in gains.values()), default=0.0)
    return [model for model, (_, high) in gains.items() if high < best]


def worth(paces: Sequence[float], per_epoch: int, seconds: float) -> float:
    """Seconds of a final of ten epochs, for the slowest finalist that comes so far in `seconds`; 0 where none does.

    Args:
        paces: seconds of a step of each finalist.
        per_epoch: steps.
    """
    steps = min(max(FEWEST_STEPS, FINAL_EPOCHS * per_epoch), MOST_FINAL_STEPS)
    return max((steps * pace for pace in paces if steps * pace <= seconds), default=0.0)


def rounds(pieces: int, workers: int) -> int:
    """How often each of `workers` has a turn, at most, where pieces are equally long."""
    return ceil(pieces / workers)


def _rungs(trials: int) -> list[int]:
    counts = []
    while trials > 1:
        counts.append(trials)
        trials = ceil(trials / REDUCTION)
    return counts


def _ends(steps: int | None, count: int) -> list[int]:
    """Steps at the end of each of `count` rungs, before a final of `steps`."""
    return [max(1, round(steps / REDUCTION ** (count - number))) for number in range(count)] if steps else []


def _grid(limits: tuple[float, float], count: int) -> list[float]:
    if count == 1:
        return [float(np.sqrt(limits[0] * limits[1]))]
    return [float(rate) for rate in np.geomspace(*limits, count)]


def _screened(models: int, rates: int) -> tuple[list[int], int]:
    """Trials at each rung, and how many models are kept after the first."""
    if models == 1 or rates == 1:
        return _rungs(models * rates), 0
    return [models, *_rungs(KEPT * rates)], KEPT


def _timed(heat: Heat, screening: float, seconds: float) -> Heat:
    """With so many seconds for screening, where there is any, and so many for what comes after."""
    return replace(heat, seconds=screening + seconds, screening=screening if heat.kept else 0.0)


def _first_slot(share: float, rates: int, models: int) -> float:
    """Seconds of each trial in the first rung, where all families have as many; 0 where any trial were too short."""
    rungs, kept = _screened(models, rates)
    heat = _timed(Heat("", [], {}, rungs or [1], share, kept=kept), SCREENING * share, (1 - SCREENING) * share)
    slots = [heat.slot(rung, trials) for rung, trials in enumerate(heat.rungs)]
    return slots[0] if min(slots) >= SHORTEST_TRIAL or models == 1 else 0.0


def _first(family: list[Entry]) -> Turns:
    """Those that race where steps are given."""
    ordered = in_order(family)
    why = f"its turn did not come: with a number of steps {MODELS_BY_STEPS} of a family race"
    reasons = {entry.model: why for entry in ordered[MODELS_BY_STEPS:]}
    return Turns(ordered[:MODELS_BY_STEPS], reasons=reasons)


def epoch_steps(dataset: Dataset, base: Recipe) -> int:
    """Training steps of an epoch."""
    items = len(dataset.splits["train"])
    return max(1, items // min(base.batch_size, items))


class Stopwatch:
    """Tells how long a training step takes."""

    def __init__(self, dataset: Dataset, task: Task, base: Recipe) -> None:
        self.dataset, self.task, self.base = dataset, task, base
        self._known: dict[str, float] = {}

    def step_seconds(self, entry: Entry, share: float) -> float:
        """The median of a few steps; of a giant, which cannot race in `share` seconds, an estimate that is too low."""
        estimate = least_step_seconds(entry.counted.macs or 0, self.base.batch_size)
        if estimate * LEAST_STEPS > share:
            return estimate
        if entry.model not in self._known:
            arm = entry.trained(self.dataset)
            self._known[entry.model] = step_seconds(arm.recipe(self.base), arm.dataset, self.task, self.base.threads)
        return self._known[entry.model]


def threads(entries: Sequence[Entry], dataset: Dataset, task: Task, base: Recipe, most: int) -> int:
    """How many threads the race should use: tried with the first candidate of each family, but not in a short race."""
    if base.seconds is None or base.seconds < SHORT_RACE:
        return 1
    scratch = [entry for entry in entries if entry.arm is None]
    families = sorted({entry.counted.family for entry in scratch})
    first = [in_order([entry for entry in scratch if entry.counted.family == family])[0] for family in families]
    recipes = [base.model_copy(update={"model": entry.model}) for entry in first]
    return useful_threads(recipes, dataset, task, most) if recipes else 1
