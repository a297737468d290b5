"""The finalists once more, each after it has learned the inputs of the data without their labels, and what that gave.

A twin has the model, learning rate, seeds and time of its finalist, and the settings with which inputs are learned; a
share of each final goes to these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.choice import Pretrained
from triarch.core.errors import InputError
from triarch.core.findings import Reason
from triarch.core.machine import computing
from triarch.core.results import Interval, Metric
from triarch.data.dataset import Dataset
from triarch.measure.comparison import compare
from triarch.race.arms import INPUTS, SHARE, bracketed, inputs_first
from triarch.race.candidates import Entry, entries_of
from triarch.race.costs import trained
from triarch.race.figures import gap
from triarch.race.halving import Finalist
from triarch.race.plan import Finals, explaining
from triarch.race.race import Race
from triarch.training.evaluate import evaluate
from triarch.training.inputs_first import unable

NAME = "pretraining on the inputs first"
FEWEST_ITEMS, EXPLAINED = 100, 0.5  # of confirm; the part of the time for reasons that this may take


@dataclass(frozen=True)
class Gained:
    """The score with the inputs first, and `settings`, minus that without, of a model's seeds on items of confirm."""

    model: str
    difference: float
    interval: Interval
    settings: Mapping[str, Any] = field(default_factory=dict)


def refuse_unable(dataset: Dataset, models: Sequence[str]) -> None:
    """Check that some of `models` can learn the inputs first.

    Raises:
        InputError: none can.
    """
    why_not = ""
    for model in models:
        why_not = unable(model, dataset)
        if not why_not:
            return
    raise InputError(f"--pretrain: {dataset.spec.name}: {why_not}", "leave --pretrain out")


def twins(race: Race, finalists: Sequence[Finalist], entries: Sequence[Entry]) -> tuple[list[Finalist], list[Entry]]:
    """For each finalist that begins with random weights and can learn inputs, one that does so first."""
    found, told = [], []
    by_model = {entry.model: entry for entry in entries}
    for finalist in finalists:
        entry = by_model[finalist.model]
        if entry.arm is not None:
            continue
        if why_not := unable(finalist.model, race.dataset):
            race.reporter.say(f"{finalist.model} does not learn the inputs first: {why_not}")
            continue
        name = inputs_first(finalist.model)
        own = entries_of([race.arms[name]], race.task, race.budget)[0].counted
        counted = replace(
            entry.counted, model=name, pretrained=Pretrained(INPUTS, None, counted=True), trials=0,
            params=own.params, macs=own.macs, artifact_bytes=own.artifact_bytes,
        )  # fmt: skip
        found.append(replace(finalist, model=name))
        told.append(replace(entry, counted=counted, arm=race.arms[name]))
    return found, told


def twinned(models: Iterable[str]) -> list[str]:
    """Those of `models` whose twins are among them."""
    names = list(models)
    return [model for model in names if inputs_first(model) in names]


def gains(race: Race, finals: Mapping[str, Sequence[dict[str, Any]]], plan: Finals) -> list[Reason]:
    """What learning the inputs first gave each model that did both, on items of confirm, which is open by now."""
    done = [model for model in twinned(finals) if all(_done(finals[one]) for one in (model, inputs_first(model)))]
    if not done:
        return []

    def measure() -> dict[str, Any]:
        rows = race.rows("confirm", _items(race, plan, 2 * len(done)))
        found: list[dict[str, Any]] = []
        for model in done if len(rows) else ():
            race.beat(f"{model}: {NAME}")
            first, without = (_values(race, name, finals[name], rows) for name in (inputs_first(model), model))
            apart = compare(first, without, race.strata(rows)).difference()
            found.append({"model": model, "difference": apart.mean, "interval": list(apart.interval)})
        return {"gained": found}

    made = []
    for one in race.once("inputs first", measure)["gained"]:
        settings = race.arms[inputs_first(one["model"])].settings
        gained = Gained(one["model"], one["difference"], tuple(one["interval"]), settings)
        statement = gave(gained, race.task.primary)
        made.append(Reason(gained.model, "inputs", NAME, statement, gained.difference, gained.interval))
    return made


def gave(one: Gained, metric: Metric) -> str:
    """What it gave, in a sentence; where the interval contains zero it claims nothing."""
    low, high = one.interval
    unit = " points" if metric.direction == "max" else f" {metric.name}"
    found = f"{gap(one.difference, metric)}{unit} ({gap(low, metric)} to {gap(high, metric)})"
    time = f"in the same time, {SHARE:.0%} of it for the inputs{bracketed(one.settings)}"
    if low <= 0 <= high:
        return f"{NAME}: no difference could be measured for {one.model}, {found}, {time}."
    return f"{NAME}: {found} for {one.model}, {time}."


def _items(race: Race, plan: Finals, networks: int) -> int:
    """How many items of confirm there is time to give to so many models with all their seeds; 0: too few."""
    if not race.budget.timed or not plan.closing:
        return plan.confirm
    each = plan.closing / 2 / plan.confirm  # of one model, all seeds
    items = int((race.left + EXPLAINED * explaining(race.budget)) / (networks * each))
    return min(plan.confirm, items) if items >= min(FEWEST_ITEMS, plan.confirm) else 0


def _done(results: Sequence[Mapping[str, Any]]) -> bool:
    return any(result["score"] is not None for result in results)


def _values(
    race: Race, name: str, results: Sequence[Mapping[str, Any]], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The primary metric of each seed and item: (S I)."""
    networks = [trained(race, name, result) for result in results if result["score"] is not None]
    metric = race.task.primary.name
    with computing(race.base.threads):
        scores = [evaluate(one, race.task, race.arms[name].dataset.batches(rows)) for one in networks]
    return np.stack([one.metrics[metric] for one in scores])
