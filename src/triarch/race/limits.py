"""Which candidates keep the limits, as far as it can be told before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import torch

from triarch.core.budget import Budget, Costs, option, told
from triarch.core.choice import Candidate
from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.core.results import Latency
from triarch.data.dataset import Dataset
from triarch.data.preprocess import collate
from triarch.measure.count import params
from triarch.measure.latency import rough
from triarch.measure.memory import inference_peak
from triarch.measure.weightless import like, weightless
from triarch.model import build
from triarch.models import registry
from triarch.race.arms import Arm
from triarch.race.candidates import TOO_SLOW, Entry
from triarch.ship.artifact import Artifact, new_config
from triarch.tasks.task import Task
from triarch.tasks.translate import Translate

OVER = "over budget"
WEIGHT = 4
# Above this a model is followed without its weights: what its parts take may differ a little, but weights are most.
FOLLOWED = 2_000_000
# What a rough p50 is taken times, as a p95 that will be kept; the factor that is hopeless, and after how many models.
SURE, HOPELESS, FIRST_LOOK = 1.6, 1.5, 6
# What a limit on latency must leave above such a p95, so that a race under it ends with a network.
ROOM = 1.4
SHORTEST_LOOK, LOOKING = 2.0, 0.04


def costs(counted: Candidate) -> Costs:
    """What is known of a candidate."""
    return Costs(counted.params, counted.artifact_bytes, counted.peak_memory_bytes, counted.latency_ms)


def within(budget: Budget, entries: Sequence[Entry], dataset: Dataset, task: Task) -> list[Entry]:
    """Those that keep the limits which can be counted; the others are told why they do not.

    Raises:
        InputError: none does; it names the nearest.
    """
    allowed = []
    for entry in entries:
        counted = entry.counted
        broken = budget.broken_by(costs(counted)) or _weights_alone(budget, counted)
        if not broken and counted.macs is not None and budget.max_memory is not None:
            counted.peak_memory_bytes = _peak(entry, dataset, task)
            broken = budget.broken_by(costs(counted))
        if broken:
            counted.status, counted.reason = OVER, broken
        elif counted.macs is None:
            counted.reason = TOO_SLOW
        else:
            allowed.append(entry)
    if not allowed:
        nearest = sorted(entries, key=lambda entry: (_excess(budget, entry.counted), entry.counted.params))[:FIRST_LOOK]
        for entry in nearest if budget.max_memory is not None else ():
            entry.counted.peak_memory_bytes = _peak(entry, dataset, task)
        raise _refusal(budget, min((entry.counted for entry in nearest), key=lambda one: _excess(budget, one)))
    return allowed


def refuse_hopeless(budget: Budget, models: Sequence[str], dataset: Dataset, task: Task, threads: int) -> None:
    """Look at the latency of a few of the smallest of `models`, before anything is counted.

    Raises:
        InputError: they are all far above the limit; it names the nearest.
    """
    if budget.max_latency is None:
        return
    found = []
    with computing(threads, seed=0):
        smallest_of = {model.partition("/")[0]: model for model in reversed(models)}
        for model in smallest_of.values():
            name, _, size = model.partition("/")
            count = params(build(name, size, task, dataset.spec))
            found.append(Candidate(model, registry.find(name).family, count, None))
        smallest = sorted(found, key=lambda one: one.params)[:FIRST_LOOK]
        arms = [Arm(one.model, one.model, dataset) for one in smallest]
        looked = [(SURE * rough(_answering(arm, task)), one) for arm, one in zip(arms, smallest)]
    needed, nearest = min(looked, key=lambda one: one[0])
    if needed > HOPELESS * budget.max_latency:
        nearest.latency_ms = Latency(needed, needed)
        raise _refusal(budget, nearest)


def quick_look(
    budget: Budget, allowed: Sequence[Entry], dataset: Dataset, task: Task, threads: int
) -> dict[str, float]:
    """About the p50 of the candidates, in milliseconds: the cheapest first, as many as there is time for.

    Of a ladder of which a size breaks the limit, the larger ones are not looked at.
    """
    if budget.max_latency is None:
        return {}
    end = time.perf_counter() + max(SHORTEST_LOOK, LOOKING * budget.seconds)
    found: dict[str, float] = {}
    ended: set[str] = set()
    with computing(threads, seed=0):
        for entry in sorted(allowed, key=lambda entry: (entry.counted.macs or 0, entry.model)):
            if found and time.perf_counter() > end:
                break
            if entry.architecture.name not in ended:
                found[entry.model] = rough(_answering(entry.trained(dataset), task))
                if SURE * found[entry.model] > budget.max_latency:
                    ended.add(entry.architecture.name)
    return found


def quick_enough(budget: Budget, allowed: Sequence[Entry], looked: Mapping[str, float]) -> list[Entry]:
    """Those that a quick look lets pass; the others are told why not.

    Args:
        looked: from `quick_look`.

    Raises:
        InputError: none is; it names the nearest.
    """
    if budget.max_latency is None:
        return list(allowed)
    quick = [entry for entry in allowed if SURE * looked.get(entry.model, float("inf")) <= budget.max_latency]
    for entry in allowed:
        if entry not in quick:
            entry.counted.status = OVER
            entry.counted.reason = _why_not(budget, entry, looked)
    if not quick:
        nearest = min((entry for entry in allowed if entry.model in looked), key=lambda entry: looked[entry.model])
        needed = SURE * looked[nearest.model]
        nearest.counted.latency_ms = Latency(needed, needed)
        raise _refusal(budget, nearest.counted)
    return quick


def _why_not(budget: Budget, entry: Entry, looked: Mapping[str, float]) -> str:
    limit = f"{budget.max_latency:g} ms"
    if entry.model in looked:
        return f"about {told('max_latency', SURE * looked[entry.model])}, told before training, limit {limit}"
    smaller = [model for model in looked if model.startswith(f"{entry.architecture.name}/")]
    if smaller and SURE * looked[smaller[-1]] > (budget.max_latency or 0.0):
        return f"{smaller[-1]} already breaks the limit of {limit}"
    return "there was no time to look at its latency"


def _answering(arm: Arm, task: Task) -> Callable[[], object]:
    """A call from raw input to decoded answer, as the artifact will make it."""
    name, _, size = arm.model.partition("/")
    dataset = arm.dataset
    config = new_config(name, size, dict(arm.settings), task, dataset.spec)
    artifact = Artifact(config, arm.build(task).eval(), task, dataset.preprocessor)
    one = dataset.source.take(dataset.splits["train"][:1])
    return lambda: artifact.predict(one)


def _peak(entry: Entry, dataset: Dataset, task: Task) -> int:
    """The peak of live tensor bytes at inference, followed without weights where the model is large."""
    arm = entry.trained(dataset)
    light = entry.counted.params > FOLLOWED and task.name != Translate.name  # how long it writes hangs on its numbers
    one = dataset.source.take(dataset.splits["train"][:1])
    batch = task.prepare(collate(arm.dataset.preprocessor.encode(one)))
    with computing(1, seed=0), torch.device("meta" if light else "cpu"):
        model = arm.build(task).eval()
    if not light:
        return inference_peak(model, batch)
    with weightless(model) as twin:
        return inference_peak(twin, like(batch, 1))


def _weights_alone(budget: Budget, counted: Candidate) -> str:
    least = WEIGHT * counted.params
    broken = budget.broken_by(Costs(peak_memory_bytes=least))
    return f"its weights alone take {broken}" if broken else ""


def _excess(budget: Budget, counted: Candidate) -> float:
    """By which factor the worst limit is broken; memory that is not known is that of the weights."""
    known = costs(counted)
    figures = {name: known.of(name) for name in budget.limits}
    if "max_memory" in figures and figures["max_memory"] is None:
        figures["max_memory"] = WEIGHT * counted.params
    return max((figure / budget.limits[name] for name, figure in figures.items() if figure is not None), default=0.0)


def _refusal(budget: Budget, nearest: Candidate) -> InputError:
    """What a user is told where no model keeps the limits."""
    known = costs(nearest)
    figures = {name: figure for name in budget.limits if (figure := known.of(name)) is not None}
    broken = {name: figure for name, figure in figures.items() if figure > budget.limits[name]}
    needed = " ".join(
        f"{option(name)} {_rounded_up(ROOM * figure) if name == 'max_latency' else f'{figure:.0f}'}"
        for name, figure in broken.items()
    )
    has = ", ".join(told(name, figure) for name, figure in figures.items())
    return InputError(f"no model keeps the limits; the nearest is {nearest.model}: {has}", f"raise the limit: {needed}")


def _rounded_up(milliseconds: float) -> str:
    """With two digits, and not less: 3.1 for 3.04."""
    digits = next(digits for digits in range(8) if 10**digits * milliseconds >= 10 or digits == 7)
    return f"{-(-milliseconds * 10**digits // 1) / 10**digits:g}"
