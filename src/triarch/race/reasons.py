"""Why the finalists stand as they do: what their trained networks use, how far back they look, and what they bear.

An ablation takes a part of every item away and scores what was trained on whole items: so it shows what a network uses,
not what it could learn to do without. What less data costs is shown by training anew. All of it is
measured on items of confirm, which the verdict has opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from triarch.core.findings import Effect, Reason
from triarch.core.machine import computing
from triarch.core.results import Interval, Metric
from triarch.core.verdict import Verdict
from triarch.data.dataset import Dataset
from triarch.measure.gradient import joined, part_left, squares
from triarch.model import Model
from triarch.race.changes import Altered, ablations, disturbances
from triarch.race.costs import trained
from triarch.race.figures import gap, power, size
from triarch.race.less import Halved, halved, learns_from, suited
from triarch.race.plan import Finals, explaining
from triarch.race.race import Race
from triarch.race.robustness import Bench
from triarch.tasks.task import Task

MOST_ITEMS, FEWEST_ITEMS = 500, 100
MIDDLE, AT_ONCE, NEAREST = 64, 16, 4  # items whose gradients are taken, so many in a pass; the least distance told
HALVING, HALF = 0.4, "half of the items"  # part of the time that is kept for training on less; its name
BEARING = 1.5  # a pass may take so much longer than the longest before


@dataclass(frozen=True)
class Faded:
    """The part that is left of a gradient at a distance.

    Attributes:
        both_ends: whether it is counted from the nearer end, else from the last step.
    """

    model: str
    distance: int
    both_ends: bool
    part: float
    interval: Interval


@dataclass(frozen=True)
class Reasons:
    """What was measured, in words and in numbers; `notes` says what there was no time for."""

    reasons: list[Reason]
    robustness: list[Effect]
    notes: list[str]


def reasons(race: Race, finals: Mapping[str, Sequence[dict[str, Any]]], verdict: Verdict, plan: Finals) -> Reasons:
    """Measure the verdict's model and the runner-up, in the time that is kept for it, or all where none is limited."""
    models = [model for model in (verdict.model, verdict.runner_up) if model is not None]
    takes, bears = ablations(race.dataset), disturbances(race.dataset, race.options.impute)

    def measure() -> dict[str, Any]:
        end = race.elapsed + race.left + explaining(race.budget) if race.budget.timed else np.inf
        halving = suited(race.dataset) and not race.arms[verdict.model].inputs_first
        until = end - HALVING * explaining(race.budget) if halving and race.budget.timed else end
        changes = [one for one in chain(*zip_longest(takes, bears)) if one is not None]
        items = _items(plan, until - race.elapsed, len(changes) * len(models))
        done: dict[str, Any] = {"items": items, "effects": [], "gradients": [], "left_out": []}
        if not items:
            return done | {"left_out": [one.name for one in changes]}
        networks = {model: _seeds(race, model, finals[model]) for model in models}
        benches = _benches(race, networks, race.rows("confirm", items))
        altered = {model: _altered(race.arms[model].dataset, race.options.impute) for model in models}
        for model in models:
            benches[model].before(model)
        longest = 0.0
        for change in changes:
            if race.elapsed + BEARING * len(models) * longest > until:
                done["left_out"].append(change.name)
                continue
            for model in models:
                begin = race.elapsed
                race.beat(f"{model}: {change.name}")
                own = altered[model].get(change.name, change)
                done["effects"].append(asdict(benches[model].effect(model, own)))
                longest = max(longest, race.elapsed - begin)
        if race.elapsed + BEARING * len(models) * longest <= until:
            with computing(race.base.threads):
                for model in models:
                    alone = {model: networks[model]}
                    found = faded(alone, race.arms[model].dataset, race.task, race.base.seed)
                    done["gradients"] += [asdict(one) for one in found]
        if halving:
            final = next(one for one in finals[verdict.model] if one["score"] is not None)
            slot = plan.slot if race.budget.timed else 0.0
            batches = benches[verdict.model].batches
            half = halved(race, verdict.model, final, networks[verdict.model][0], slot, batches, end)
            done["halved"] = asdict(half) if half else None
            done["left_out"] += [HALF] if slot and not half else []
        return done

    done = race.once("reasons", measure)
    effects = TypeAdapter(list[Effect]).validate_python(done["effects"])
    gradients = TypeAdapter(list[Faded]).validate_python(done["gradients"])
    by_name = {change.name: change for change in takes}
    told = [
        Reason(one.model, change.kind, one.name, used(one, change, race.task.primary), one.difference, one.interval)
        for one in effects
        if (change := by_name.get(one.name))
    ]
    told += [Reason(one.model, "gradient", "gradient", far(one), one.part, one.interval) for one in gradients]
    if done.get("halved"):
        half = TypeAdapter(Halved).validate_python(done["halved"])
        told.append(
            Reason(half.model, "data", HALF, learns_from(half, race.task.primary), half.difference, half.interval)
        )
    borne = [one for one in effects if one.name not in by_name]
    late = ", ".join(done["left_out"]) if effects else "what the finalists use and what they bear"
    notes = [f"there was no time to measure: {late}"] if done["left_out"] else []
    return Reasons(told, borne, notes)


def used(effect: Effect, change: Altered, metric: Metric) -> str:
    """What an ablation shows, in a sentence; where the interval contains zero it claims no effect."""
    low, high = effect.interval
    if low <= 0 <= high:
        unit = "points" if metric.direction == "max" else metric.name
        found = f"{gap(low, metric)} to {gap(high, metric)} {unit}"
        return f"{effect.model}: {change.act} costs nothing that could be measured ({found})."
    worse = metric.gain(effect.difference) < 0
    least, most = sorted((abs(low), abs(high)))
    cost = f"{size(effect.difference, metric)} ({size(least, metric, False)} to {size(most, metric, False)})"
    if worse:
        return f"{effect.model} uses {change.uses}: {change.act} costs it {cost}."
    return f"{effect.model}: {change.act} gains it {cost}."


def far(one: Faded) -> str:
    """How much of a gradient is left, in a sentence."""
    low, high = one.interval
    where = "from either end" if one.both_ends else "back from where it reads its answer"
    return (
        f"{one.model}: {one.distance} steps {where}, the gradient of its answer is {power(one.part)}"
        f" ({power(low)} to {power(high)}) of its size where that is largest."
    )


def faded(networks: Mapping[str, Sequence[Model]], dataset: Dataset, task: Task, seed: int) -> list[Faded]:
    """What is left of the gradient in the middle of a sequence of median length; [] for images and forecasts.

    A network that is not causal is taken to read its answer at both ends, or anywhere: so the middle is farthest.
    """
    if dataset.spec.modality == "image" or dataset.spec.target.kind != "class":
        return []
    rows = dataset.rows("confirm")
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MIDDLE])
    distance = (int(np.median(dataset.lengths[rows])) - 1) // 2
    if distance < NEAREST:
        return []
    batches = [task.prepare(batch) for batch in dataset.batches(rows, AT_ONCE)]
    made = []
    for model, seeds in networks.items():
        both_ends = not _causal(seeds[0])
        found = [joined([squares(network, batch, both_ends, seed) for batch in batches]) for network in seeds]
        made.append(Faded(model, distance, both_ends, *part_left(np.stack(found), distance, seed)))
    return made


def _items(plan: Finals, seconds: float, passes: int) -> int:
    """How many items there is time for; 0 where there is none for the fewest and one change of each model."""
    items = min(MOST_ITEMS, plan.confirm)
    if not passes or not np.isfinite(seconds) or not plan.closing:
        return items
    each = plan.closing / 2 / plan.confirm  # of one model, all seeds
    possible = int(seconds / (BEARING * each * passes))
    if possible < FEWEST_ITEMS and 4 * BEARING * each * min(items, FEWEST_ITEMS) > seconds:
        return 0
    return min(items, max(FEWEST_ITEMS, possible))


def _altered(dataset: Dataset, impute: str | None) -> dict[str, Altered]:
    """Every change by its name, as it is made to items that are prepared in this way."""
    return {one.name: one for one in (*ablations(dataset), *disturbances(dataset, impute))}


def _benches(race: Race, networks: Mapping[str, Sequence[Model]], rows: NDArray[np.int64]) -> dict[str, Bench]:
    """For each model one with the items as it takes them; those that take them alike share one."""
    made: dict[int, Bench] = {}
    found = {}
    for model in networks:
        dataset = race.arms[model].dataset
        if id(dataset) not in made:
            made[id(dataset)] = Bench(
                networks, race.task, list(dataset.batches(rows)), race.base.threads, race.base.seed
            )
        found[model] = made[id(dataset)]
    return found


def _seeds(race: Race, model: str, results: Sequence[dict[str, Any]]) -> list[Model]:
    return [trained(race, model, result) for result in results if result["score"] is not None]


def _causal(network: Model) -> bool:
    """Whether it reads its answer at the last step, having gone there step by step."""
    try:
        network.backbone.start(1)
    except ValueError:
        return False
    return True
