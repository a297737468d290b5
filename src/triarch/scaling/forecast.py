"""The whole of a forecast: which runs, the runs, the laws through them, and what these foretell, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from triarch.core.errors import InputError
from triarch.core.files import write_json
from triarch.core.machine import this_machine
from triarch.core.results import Metric, as_json
from triarch.core.scaling import Prospect, Scaling, SmallRun
from triarch.data.dataset import Dataset
from triarch.models import registry
from triarch.race.work import rows_of
from triarch.scaling.grid import Grid, amounts_of, calibrated_at, fitting, ladders
from triarch.scaling.prospect import LOSS, REACH, Outlook, crossovers, outlook, prospects, purchases, set_aside
from triarch.scaling.runs import SEEDS, SELECT_ITEMS, Cell, Runs, Sized, counted
from triarch.scaling.wanted import Wanted
from triarch.tasks.task import Task
from triarch.training.recipe import Recipe
from triarch.training.start import step_seconds


def planned(wanted: Wanted, dataset: Dataset, task: Task, base: Recipe, seconds: float) -> Grid:
    """The sizes and amounts that fit into `seconds`.

    Raises:
        InputError: unknown models or amounts, too little data or time.
    """
    names = ladders(wanted.models, dataset.spec.modality)
    amounts = amounts_of(len(dataset.splits["train"]), wanted.items)
    sizes = {name: [_counted(model, dataset, task) for model in models] for name, models in names.items()}
    known: dict[str, float] = {}

    def pace(size: Sized) -> float:
        if size.model not in known:
            recipe = base.model_copy(update={"model": size.model})
            known[size.model] = step_seconds(recipe, dataset, task, base.threads)
        return known[size.model]

    return fitting(sizes, amounts, bool(wanted.items), pace, seconds, base.batch_size)


def run(runs: Runs, wanted: Wanted, plan: Callable[[], Grid]) -> Scaling:
    """Run what is left, and tell what follows from it."""
    dataset, task, base = runs.dataset, runs.task, runs.base
    grid = TypeAdapter(Grid).validate_python(runs.once("plan", lambda: asdict(plan())))
    runs.reporter.say(f"{', '.join(grid.models)} on {', '.join(f'{items:,}' for items in grid.amounts)} training items")
    sizes = [_counted(model, dataset, task) for model in grid.models]
    tried_on = grid.amounts[calibrated_at(grid.amounts)]
    rates = runs.once("rates", lambda: runs.calibrate(sizes, tried_on))
    for model, rate in rates.items():
        runs.reporter.say(f"{model}: learning rate {rate:.2g}")
    runs.fill(sizes, grid.amounts, rates)
    guessed = guess(dataset, None)
    made = set_aside(_collected(runs, sizes, grid.amounts, rates), guessed)
    if not any(run.used for run in made):
        raise InputError(
            "no run does better than guessing, or none was finished in its time", "give more --seconds, or more data"
        )
    metric = task.primary
    least = 0.5 / len(rows_of(dataset, "select", SELECT_ITEMS))
    losses = outlook(made, None, least, guessed)
    errors = None if metric.name == LOSS else outlook(made, metric, least, guess(dataset, metric))
    known = {size.model: size for size in sizes}
    tall = {
        name: {size.model: size.params for size in _ladder(name, [one for one in sizes if one.architecture == name],
                                                           dataset, task, known)}
        for name in dict.fromkeys(size.architecture for size in sizes)
    }  # fmt: skip
    there = len(dataset.splits["train"])
    most = losses.largest or (errors.largest if errors else 0) or there
    at = sorted({*wanted.at}) or sorted({there, round(REACH * most)})
    foretold = prospects(losses, errors, metric, tall, at)
    crossed = [one for told, by in ((errors, metric.name), (losses, LOSS)) if told for one in crossovers(told, by)]
    macs = {model: size.macs for model, size in known.items()}
    bought = purchases(losses, made, tall, macs, wanted.hours, there, wanted.speed)
    scaling = Scaling(
        data=dataset.spec.name,
        task=task.name,
        metric=metric,
        items=there,
        amounts=grid.amounts,
        rates=rates,
        runs=made,
        trends=[*losses.trends, *(errors.trends if errors else [])],
        prospects=foretold,
        crossovers=crossed,
        purchases=bought,
        text="",
        spent={"seconds": round(runs.elapsed, 1)},
        machine_speed=wanted.machine(base.threads),
        run=str(runs.run),
        seed=base.seed,
        threads=base.threads,
        machine=asdict(this_machine()),
        notes=[*dataset.source.notes, *_notes(made, grid, known, rates)],
    )
    scaling = replace(scaling, text=in_words(scaling, losses, errors))
    write_json(runs.run / "scaling.json", as_json(scaling))
    return scaling


def in_words(scaling: Scaling, losses: Outlook, errors: Outlook | None) -> str:
    """What a person wants to know, a line for each."""
    lines = [f"`{name}`: no forecast of the {told.quantity}: {why}" for told in (losses, errors) if told
             for name, why in _refused(told).items()]  # fmt: skip
    items = max((one.items for one in scaling.prospects), default=0)
    ranked = _leaders([one for one in scaling.prospects if one.items == items], scaling)
    if ranked:
        first, *others = ranked
        beyond = f"{first.beyond:g} times the most that were run{', so far beyond that it is a guess' * first.far}"
        told = "; ".join(f"`{one.model}` {_reached(one, scaling)}" for one in others)
        lines.append(
            f"with {items:,} training examples ({beyond}) `{first.model}` would be ahead: {_reached(first, scaling)}"
            + f"; {told}" * bool(told) + ", and the intervals overlap" * any(_overlap(first, one) for one in others)
        )  # fmt: skip
    shown = {one.by for one in scaling.crossovers}
    by = scaling.metric.name if scaling.metric.name in shown else LOSS
    lines += [one.text for one in scaling.crossovers if one.by == by]
    if scaling.purchases:
        lines.append(f"hours of {scaling.machine_speed}:")
        lines += [f"  {one.text}" for one in scaling.purchases]
    return "\n".join(lines) or "nothing can be foretold from these runs"


def _refused(told: Outlook) -> dict[str, str]:
    return {trend.model.partition("/")[0]: trend.refused for trend in told.trends if trend.refused}


def _leaders(found: Sequence[Prospect], scaling: Scaling) -> list[Prospect]:
    """Of each architecture the best of its sizes that were run, the best first: by the metric, else by the loss."""
    ran = {run.model for run in scaling.runs}
    best: dict[str, Prospect] = {}
    for one in found:
        name = one.model.partition("/")[0]
        if one.model in ran and (name not in best or _rank(one, scaling) > _rank(best[name], scaling)):
            best[name] = one
    return sorted(best.values(), key=lambda one: _rank(one, scaling), reverse=True)


def _rank(one: Prospect, scaling: Scaling) -> tuple[bool, float]:
    if one.score is not None:
        return True, scaling.metric.gain(one.score)
    return False, -(one.loss or 0.0)


def _overlap(one: Prospect, other: Prospect) -> bool:
    """Whether the intervals of two forecasts do, of the score where both have one."""
    scored = one.score_interval is not None and other.score_interval is not None
    first, second = ((each.score_interval if scored else each.loss_interval) for each in (one, other))
    return first is None or second is None or (first[0] <= second[1] and second[0] <= first[1])


def _reached(one: Prospect, scaling: Scaling) -> str:
    name, value, around = scaling.metric.name, one.score, one.score_interval
    if value is None or around is None:
        name, value, around = LOSS, one.loss, one.loss_interval
    assert value is not None
    assert around is not None
    return f"{name} {value:.3g} ({around[0]:.3g}–{around[1]:.3g})"


def _counted(model: str, dataset: Dataset, task: Task) -> Sized:
    return counted(model, registry.parse(model)[0].learning_rates, dataset, task)


def _ladder(
    name: str, ran: Sequence[Sized], dataset: Dataset, task: Task, known: dict[str, Sized]
) -> list[Sized]:  # fmt: skip
    """The sizes that were run and the next larger one, which joins `known`."""
    order = [size for size in registry.find(name).sizes if size != "classic"]
    last = max((order.index(size) for one in ran if (size := one.model.partition("/")[2]) in order), default=len(order))
    larger = [_counted(f"{name}/{size}", dataset, task) for size in order[last + 1 : last + 2]]
    known.update({size.model: size for size in larger})
    return [*ran, *larger]


def _collected(
    runs: Runs, sizes: Sequence[Sized], amounts: Sequence[int], rates: Mapping[str, float]
) -> list[SmallRun]:  # fmt: skip
    """The finished runs of the grid."""
    found = []
    for size in (size for size in sizes if size.model in rates):
        for items in amounts:
            for seed in range(SEEDS):
                cell = Cell(size.model, items, seed, rates[size.model])
                record = runs.ledger.get(cell.key)
                if record is not None:
                    found.append(small_run(cell, size, record.result))
    return found


def small_run(cell: Cell, size: Sized, result: Mapping[str, Any]) -> SmallRun:
    """A record as a run."""
    return SmallRun(
        cell.model, size.params, cell.items, cell.seed, cell.lr, result["loss"], result["score"], result["steps"],
        result["ended"], result["batch"], result["ended"] * result["batch"] * size.macs, result["seconds"],
        result["settled"],
    )  # fmt: skip


def guess(dataset: Dataset, metric: Metric | None) -> float | None:
    """The loss in nats, or the error, of who knows the shares of the classes and nothing else; None: no classes."""
    if dataset.spec.target.kind != "class" or (metric is not None and metric.direction == "min"):
        return None
    counts = np.bincount(dataset.labels("train"))
    shares = counts[counts > 0] / counts.sum()
    if metric is None:
        return float(-(shares * np.log(shares)).sum())
    return float(1 - (1 / len(shares) if metric.by_class else shares.max()))


def _notes(made: Sequence[SmallRun], grid: Grid, known: Mapping[str, Sized], rates: Mapping[str, float]) -> list[str]:
    """What one should know of the runs."""
    late = sum(run.loss is not None and not run.settled for run in made)
    aside = sum(not run.used for run in made)
    unready = [model for model in grid.models if model not in rates]
    edge = [model for model, rate in rates.items() if not known[model].rates[0] <= rate <= known[model].rates[-1]]
    return [
        "losses and scores are of the select split, at the step where the loss was lowest",
        f"learning rates were tried on {grid.amounts[calibrated_at(grid.amounts)]:,} items, for every size",
        "the scale of inputs, or the tokenizer, is that of the whole training split",
        *[f"{late} of {len(made)} runs were ended while their loss still fell"] * bool(late),
        *[f"{aside} of {len(made)} runs were set aside: they diverged, or hardly do better than guessing"]
        * bool(aside),
        *[f"no learning rate was found in time for {', '.join(unready)}"] * bool(unready),
        *[f"the best learning rate of {', '.join(edge)} lies outside its usual range"] * bool(edge),
    ]
