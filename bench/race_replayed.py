"""Our race on a table: the plan, the halving and the ranking are the race's own, only the training is looked up."""

from __future__ import annotations

from math import inf

import numpy as np

from replay_table import FINALS, Rung, Table
from strategies import Key, Purse
from triarch.core.choice import Candidate
from triarch.core.errors import InputError
from triarch.models import registry
from triarch.race.candidates import Entry
from triarch.race.halving import Finalist, Halving
from triarch.race.plan import TIMING, clearly_behind, heats, plan_finals, worth
from triarch.race.verdict import ranking
from triarch.training.start import TIMED_STEPS

SLOWER = 10.0
"""The race counts in seconds: a trial of the table stands for one that takes ten times as long."""
NO_TIME = 1e-9  # seconds that the evaluation of an item takes: it is not replayed


def race(purse: Purse, random: np.random.Generator) -> Key:  # noqa: ARG001
    """Heats inside each family, then finals of their survivors."""
    table = purse.table
    paces: dict[str, float] = table.about["paces"]
    purse.left -= min(TIMING * purse.left, (TIMED_STEPS + 1) * sum(paces.values()))
    planned = heats(
        entries(table), lambda entry, _: SLOWER * paces[entry.model], table.about["per_epoch"], SLOWER * purse.left
    )
    halvings = [Halving(heat, table.metric, table.about["folds"] > 0) for heat in planned]
    last: dict[Key, Rung] = {}
    for number in range(max(len(heat.rungs) for heat in planned)):
        for halving in halvings:
            if number < len(halving.heat.rungs):
                seen = _rung(purse, halving, number)
                last |= seen
                halving.cut(number, {key: {"score": rung.score, "loss": rung.loss} for key, rung in seen.items()})
    finalists = [halving.finalist for halving in halvings if halving.finalist]
    if not finalists:
        return purse.keys[0]
    reached = {one.model: last[one.model, one.lr].interval if last else None for one in finalists}
    chosen = _finals(purse, finalists, {model: interval or (-inf, inf) for model, interval in reached.items()})
    return _recorded(table, chosen.model, chosen.lr)


def entries(table: Table) -> list[Entry]:
    """The candidates of a table."""
    found = []
    for model, one in table.about["models"].items():
        name, _, size = model.partition("/")
        found.append(Entry(registry.find(name), size, Candidate(model, one["family"], one["params"], one["macs"])))
    return found


def _recorded(table: Table, model: str, rate: float) -> Key:
    """The model at that of the recorded learning rates that comes nearest."""
    return model, min(table.about["rates"][model], key=lambda known: float(abs(np.log(known / rate))))


def _rung(purse: Purse, halving: Halving, number: int) -> dict[Key, Rung]:
    """The trials of a heat at their next rung. What a rung leaves over is for the next one."""
    heat = halving.heat
    first = 1 if heat.kept and number else 0
    slot = heat.slot(number, len(halving.alive)) / SLOWER
    before = sum(heat.slot(rung, heat.rungs[rung]) / SLOWER for rung in range(first, number))
    seen = {}
    for model, rate in halving.alive:
        key = _recorded(purse.table, model, rate)
        if halving.on_folds:
            seen[model, rate] = purse.rung(key, slot, number, anew=True)
        else:
            seen[model, rate] = purse.rung(key, before + slot, anew=number == first)
    return seen


def _finals(purse: Purse, finalists: list[Finalist], reached: dict[str, tuple[float, float]]) -> Finalist:
    """The best of the survivors.

    Finals take the recorded seeds in the other order than trials did, since those of a race have seeds of their own.
    All have the longest of the recorded lengths for which there is time.
    """
    table, seconds = purse.table, SLOWER * max(0.0, purse.left)
    behind = clearly_behind(table.metric, reached)
    paces = [SLOWER * table.about["paces"][one.model] for one in finalists]
    least = worth(paces, table.about["per_epoch"], seconds / len(finalists))
    sizes = table.about["splits"]
    plan = plan_finals(seconds, len(finalists), NO_TIME, sizes["select"], sizes["confirm"], least=least, behind=behind)
    seeds = len(table.about["seeds"])
    runs = [
        (one, _recorded(table, one.model, one.lr), seeds - 1 - seed)
        for seed in range(min(plan.seeds, seeds))
        for one in finalists
        if seed == 0 or one.model not in plan.behind
    ]
    lengths = range(len(FINALS) - 1, 0, -1)
    length = next((one for one in lengths if _price(purse, runs, one) <= purse.left), 0)
    results: dict[str, list[dict[str, float | None]]] = {one.model: [] for one in finalists}
    for one, key, number in runs:
        rung = purse.final(key, length, number, anew=True)
        results[one.model].append({"score": rung.score, "loss": rung.loss})
    try:
        best = ranking(table.metric, results)[0]
    except InputError:  # every final diverged
        return finalists[0]
    return next(one for one in finalists if one.model == best)


def _price(purse: Purse, runs: list[tuple[Finalist, Key, int]], length: int) -> float:
    """Seconds of these finals at one of the recorded lengths."""
    trials = [purse.trial(key, number) for _, key, number in runs]
    return sum(trial.finals[min(length, len(trial.finals) - 1)].seconds for trial in trials if trial.finals)
