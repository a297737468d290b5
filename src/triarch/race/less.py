"""What less data costs the winner: trained on half of its items, and for as many steps on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.machine import computing
from triarch.core.results import Interval, Metric
from triarch.core.types import Batch
from triarch.data.dataset import Dataset
from triarch.measure.comparison import paired_difference
from triarch.model import Model
from triarch.race.figures import gap, size
from triarch.race.race import Race
from triarch.race.trial import Trial
from triarch.training.evaluate import evaluate
from triarch.training.loop import Diverged, Trainer
from triarch.training.recipe import Recipe

FEWEST_ITEMS, FEWEST_STEPS, PASSES = 400, 200, 8  # of all, and over the half: with fewer, items hardly matter yet
SLOWER = 1.3


@dataclass(frozen=True)
class Halved:
    """The score with half of the items minus that with all.

    Attributes:
        items: in the half.
        steps: of both trainings.
    """

    model: str
    items: int
    steps: int
    difference: float
    interval: Interval


def suited(dataset: Dataset) -> bool:
    """Whether half of the data can be taken away: windows of a series overlap, and of tiny data too little is left."""
    return dataset.spec.target.kind == "class" and not dataset.folds and len(dataset.rows("train")) >= FEWEST_ITEMS


def halved(
    race: Race,
    model: str,
    final: Mapping[str, Any],
    network: Model,
    slot: float,
    batches: Sequence[Batch],
    until: float,
) -> Halved | None:
    """Train as a final was, on half of its items, and for as many steps on all; None where too few steps can be done.

    Args:
        final: the result of one; `network` is what it left.
        slot: seconds that it had; 0: there is no time limit, so that it need not be done again.
        batches: items on which the two are compared.
        until: `race.elapsed` at which it must be done.
    """
    recipe = Recipe(**final["recipe"])
    whole = race.arms[model].dataset.folded(recipe.fold)
    half = half_of(whole, recipe.seed)
    steps: int = final["steps"]
    if slot:
        steps = min(steps, int(steps * (until - race.elapsed) / (2 * SLOWER * slot)))
    items = len(half.rows("train"))
    if steps < max(FEWEST_STEPS, PASSES * items / recipe.batch_size):
        return None
    schedule = recipe.schedule.model_copy(update={"steps": None})
    recipe = recipe.model_copy(update={"steps": steps, "seconds": None, "fold": None, "schedule": schedule})
    networks = [
        _trained(race, model, recipe, half, until),
        _trained(race, model, recipe, whole, until) if slot else network,
    ]
    with computing(race.base.threads):
        scores = [evaluate(one, race.task, batches) for one in networks if one is not None]
    if len(scores) < len(networks):
        return None
    metric = race.task.primary
    fewer, all_of_them = (one.metrics[metric.name] for one in scores)
    apart = paired_difference((fewer - all_of_them)[None], np.zeros(len(fewer)), scores[0].strata(metric))
    return Halved(model, items, steps, apart.mean, apart.interval)


def _trained(race: Race, model: str, recipe: Recipe, dataset: Dataset, until: float) -> Model | None:
    """None where it diverged, or was not done in time."""
    trial = Trial(recipe, dataset, race.task, race.arms[model].weights)

    def late(trainer: Trainer) -> bool:
        race.beat(f"{recipe.model} on {len(dataset.rows('train')):,} items, loss {trainer.loss:.3f}")
        return race.elapsed > until

    try:
        trial.run(None, finish=True, steps=recipe.steps, after_step=late)
    except Diverged:
        return None
    return trial.trainer.result if trial.trainer.step == recipe.steps else None


def half_of(dataset: Dataset, seed: int) -> Dataset:
    """With half of the training items, drawn by lot from each class, or half of their groups."""
    rows, groups = dataset.rows("train"), dataset.source.groups
    random = np.random.default_rng(seed)
    if groups is not None:
        names = random.permutation(np.unique(groups[rows]))
        kept = rows[np.isin(groups[rows], names[: (len(names) + 1) // 2])]
    else:
        order: NDArray[np.int64] = random.permutation(rows)
        kept = np.sort(order[np.argsort(dataset.source.labels[order], kind="stable")][::2])
    return replace(dataset, splits={**dataset.splits, "train": kept})


def learns_from(one: Halved, metric: Metric) -> str:
    """What less data costs, in a sentence; where the interval contains zero it claims nothing."""
    low, high = one.interval
    half = f"{one.model}: with half of the items ({one.items:,}; {one.steps:,} steps with either)"
    if low <= 0 <= high:
        unit = "points" if metric.direction == "max" else metric.name
        return (
            f"{half} no difference of the score could be measured ({gap(low, metric)} to {gap(high, metric)} {unit})."
        )
    least, most = sorted((abs(low), abs(high)))
    by = f"by {size(one.difference, metric)} ({size(least, metric, False)} to {size(most, metric, False)})"
    if metric.gain(one.difference) < 0:
        return f"{half} the score is worse {by}: more data would help."
    return f"{half} the score is better {by}."
