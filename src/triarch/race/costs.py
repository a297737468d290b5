"""What the networks of a race cost, measured in fresh processes, and who keeps the limits by that."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter
from safetensors.torch import load as load_tensors

from triarch.core.budget import Costs
from triarch.core.files import folder_bytes
from triarch.measure.count import params
from triarch.model import Model
from triarch.race.candidates import WIDEST, Entry, save_untrained
from triarch.race.halving import Finalist
from triarch.race.keys import trial_key
from triarch.race.limits import costs
from triarch.race.plan import MEASURING, Finals, Heat, measuring
from triarch.race.race import Race
from triarch.ship.deliver import deliver
from triarch.ship.probe import Reading, measure_apart
from triarch.training.recipe import Recipe, to_yaml

# What a p95 is taken times before it is held against the limit, so that readings later do not exceed it: before the
# finals, where another can still take the place, and at the end.
EARLY_GUARD, GUARD = 1.25, 1.1
START = 2.5
ATTEMPTS, SHORTEST_ATTEMPT = 3, 1.5
# In a shorter race with a limit on latency only the finished artifacts are measured: to start a process takes too long.
SHORTEST_MEASURED = 40.0


@dataclass(frozen=True)
class Standing:
    """A finalist and what its finished artifact costs.

    Attributes:
        broken: the limit that it breaks, in words; "" where it breaks none.
        unknown: the limits of which it could not be measured whether it keeps them.
    """

    model: str
    costs: Costs
    broken: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def place(self) -> int:
        """Those that keep all limits come first, then those that may, then those that do not."""
        return 2 if self.broken else 1 if self.unknown else 0


def measure_untrained(race: Race, entries: Sequence[Entry]) -> None:
    """Measure latency, memory and size of `entries`, in their order, as far as the time for it goes."""

    def measure() -> dict[str, Any]:
        race.reporter.update(race.fraction, "measuring latency and memory")
        folders = {}
        for entry in entries:
            folder = race.run / "untrained" / entry.model.replace("/", "-")
            save_untrained(entry.trained(race.dataset), race.task, folder)
            folders[folder] = entry.model
        share = 0.2 if race.budget.max_latency is None else 0.35
        part = MEASURING * race.budget.seconds if race.budget.timed else 0.0
        limit = min(max(6.0, part), share * race.left)
        readings = measure_apart(list(folders), race.base.threads, limit)
        shutil.rmtree(race.run / "untrained")
        return {folders[folder]: asdict(reading) for folder, reading in readings.items()}

    readings = TypeAdapter(dict[str, Reading]).validate_python(race.once("costs", measure))
    for entry in entries:
        if entry.model in readings:
            note(entry, readings[entry.model])


def note(entry: Entry, reading: Reading | Costs) -> None:
    """Write what was measured into a candidate."""
    counted = entry.counted
    latency = reading.quiet_ms if isinstance(reading, Reading) else reading.latency_ms
    counted.latency_ms = latency or counted.latency_ms
    counted.peak_memory_bytes = reading.peak_memory_bytes or counted.peak_memory_bytes
    counted.artifact_bytes = reading.artifact_bytes or counted.artifact_bytes


def keeping(race: Race, planned: Sequence[Heat], finalists: list[Finalist], entries: Sequence[Entry]) -> list[Finalist]:
    """The finalists, where one breaks a limit the best other trial of its family in its place, or none.

    Cost does not depend on weights, and a final is trained from scratch: so a cheaper model can still take part.

    Returns:
        At least one: where no model keeps the limits, the one that is nearest in latency.
    """
    if not race.budget.limits:
        return finalists
    found = {entry.model: costs(entry.counted) for entry in entries}
    broken = {model: race.budget.broken_by(known, EARLY_GUARD) for model, known in found.items()}
    kept = []
    for finalist in finalists:
        (heat,) = (heat for heat in planned if heat.family == finalist.family)
        others = [] if not broken[finalist.model] else [one for one in _trials(race, heat) if not broken[one.model]]
        kept += others[:1] if broken[finalist.model] else [finalist]
        if broken[finalist.model]:
            instead = f"{others[0].model} goes to the final instead" if others else "none of its family keeps it"
            race.reporter.say(f"{finalist.model} breaks a limit ({broken[finalist.model]}): {instead}")
    return kept or [min(finalists, key=lambda one: found[one.model].of("max_latency") or np.inf)]


def standings(
    race: Race, finals: Mapping[str, list[dict[str, Any]]], ranked: Sequence[str], plan: Finals,
    entries: Sequence[Entry],
) -> list[Standing]:  # fmt: skip
    """The finalists in the order of their claim: those that keep the limits first, and of them the best first.

    Args:
        ranked: the best first.
        entries: where what they cost is written.
    """
    found = {entry.model: entry for entry in entries}
    finished = _finished(race, finals, ranked, plan) if race.budget.limits else {}
    standing = []
    for model in ranked:
        sure = finished.get(model, Costs(params=found[model].counted.params))
        note(found[model], sure)
        broken = race.budget.broken_by(sure, GUARD)
        known = costs(found[model].counted)
        if race.budget.steps is not None:  # what is decided by steps depends on nothing that is timed
            known = replace(known, latency_ms=None)
        standing.append(Standing(model, known, broken, tuple(race.budget.unknown_in(sure))))
    return sorted(standing, key=lambda one: one.place)


def _finished(
    race: Race, finals: Mapping[str, list[dict[str, Any]]], ranked: Sequence[str], plan: Finals
) -> dict[str, Costs]:
    """Measure the finalists' artifacts as they would be handed over, the best first, as far as the time for it goes."""

    def measure() -> dict[str, Any]:
        race.reporter.update(race.fraction, "holding the finalists against the limits")
        folders, known = {}, {}
        for model in ranked:
            result = best_seed(race, finals[model])
            network, recipe = trained(race, model, result), Recipe(**result["recipe"])
            folder = race.run / "finished" / model.replace("/", "-")
            data = race.arms[model].dataset
            deliver(folder, recipe.model, network, recipe.settings, race.task, data, WIDEST, to_yaml(recipe))
            folders[model], known[model] = folder, Costs(params(network), folder_bytes(folder))
        timed, waiting = race.budget.max_latency is not None, list(ranked) if measuring(race.budget) else []
        for attempt in range(ATTEMPTS):
            left = race.left + measuring(race.budget) - plan.closing - START
            if not waiting or (attempt and left < SHORTEST_ATTEMPT):
                break
            places = [folders[model] for model in waiting]
            readings = measure_apart(places, race.base.threads, max(1.0, left), timed)
            for model in waiting:
                if read := readings.get(folders[model]):
                    peak, latency = read.peak_memory_bytes, read.quiet_ms
                    known[model] = replace(known[model], peak_memory_bytes=peak, latency_ms=latency)
            waiting = [model for model in waiting if race.budget.unknown_in(known[model])]
        shutil.rmtree(race.run / "finished")
        return {model: asdict(one) for model, one in known.items()}

    return TypeAdapter(dict[str, Costs]).validate_python(race.once("finished", measure))


def best_seed(race: Race, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The final with the best score on select; loss decides between equals."""
    done = [result for result in results if result["score"] is not None]
    return max(done, key=lambda result: (race.task.primary.gain(result["score"]), -result["loss"]))


def trained(race: Race, model: str, result: Mapping[str, Any]) -> Model:
    """The network that a final left."""
    network = race.arms[model].build(race.task, result["recipe"]["settings"])
    network.load_state_dict(load_tensors(race.weights_path(model, result["seed"]).read_bytes()))
    return network


def _trials(race: Race, heat: Heat) -> list[Finalist]:
    """The trials of a heat, those that came furthest first, and the best of them first."""
    found = []
    for model in heat.models:
        for rate in heat.rates[model]:
            keys = [trial_key(heat.family, model, rate, rung) for rung in range(len(heat.rungs))]
            reached = [(rung, record.result) for rung, key in enumerate(keys) if (record := race.ledger.get(key))]
            if reached and reached[-1][1]["score"] is not None:
                rung, result = reached[-1]
                gain = race.task.primary.gain(result["score"])
                found.append(((rung, gain, -result["loss"]), Finalist(model, heat.family, rate)))
    return [finalist for _, finalist in sorted(found, key=lambda one: one[0], reverse=True)]
