"""From the finals to an answer: here the confirm split is opened, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from triarch.core.budget import Costs
from triarch.core.choice import BaselineScore
from triarch.core.errors import InputError
from triarch.core.findings import Quality
from triarch.core.machine import computing
from triarch.core.results import Metric
from triarch.core.verdict import BestBaseline, Limit, Settling, Verdict
from triarch.measure.classes import quality
from triarch.measure.comparison import Comparison, Difference, compare
from triarch.measure.statistics import score as mean_score
from triarch.measure.statistics import score_interval
from triarch.model import Model
from triarch.race.baselines import Fitted, channels_of, find, frame_of
from triarch.race.costs import GUARD, Standing, best_seed, trained
from triarch.race.plan import Finals, rounds
from triarch.race.plateau import MORE, undecided
from triarch.race.race import Race
from triarch.race.telling import Story, text
from triarch.tasks.translate import Translate
from triarch.training.evaluate import Scores, evaluate

# Latencies that differ by less than this factor count as equal.
ALIKE = 1.2


@dataclass(frozen=True)
class Opened:
    """One seed of a finalist and its answers on confirm."""

    model: str
    result: Mapping[str, Any]
    network: Model
    confirm: Scores

    @property
    def recipe(self) -> dict[str, Any]:
        """What repeats its training."""
        recipe: dict[str, Any] = self.result["recipe"]
        return recipe


def ranking(metric: Metric, finals: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The finalists by their mean score over seeds on select, the best first; loss decides between equals.

    Raises:
        InputError: every final diverged.
    """
    means = {}
    for model, results in finals.items():
        done = [result for result in results if result["score"] is not None]
        if done:
            score, loss = (float(np.mean([result[key] for result in done])) for key in ("score", "loss"))
            means[model] = (metric.gain(score), -loss)
    if not means:
        raise InputError("every network diverged", "check the data for extreme values; see run/records.jsonl")
    return sorted(means, key=lambda model: means[model], reverse=True)


def baseline_values(
    race: Race, rows: NDArray[np.int64], predicted: NDArray[Any], metric: str | None = None
) -> NDArray[np.float32]:
    """The primary metric, or another one, of each of the items `rows`, for a method that answers with class numbers,
    values or texts.
    """
    wanted = race.dataset.wanted(rows)
    if isinstance(race.task, Translate):
        judged = race.task.compare(predicted.tolist(), wanted)
    else:
        judged = race.task.judge(torch.from_numpy(predicted), wanted)
    return judged[metric or race.task.primary.name].float().numpy()


def judge(
    race: Race, finals: dict[str, list[dict[str, Any]]], standings: Sequence[Standing], plan: Finals,
    scores: list[BaselineScore], fitted: dict[str, Fitted], data: str, margin: float = 0.0,
) -> tuple[Verdict, Opened]:  # fmt: skip
    """Open the confirm split and decide.

    Args:
        standings: of the finalists, in the order of their claim.
        scores: of the baselines on select; the best is taken to confirm.
        data: Python for the data, for the lines that reproduce a baseline.
        margin: a difference of scores up to which two networks count as equally good.
    """
    metric = race.task.primary
    standing, rival = standings[0], standings[1] if len(standings) > 1 else None
    seeds = _open(race, finals[standing.model], standing.model, plan)
    ours, gap, settling, why, moved = _values(seeds, metric), None, None, "", False
    strata = seeds[0].confirm.strata(metric)
    if rival is not None:
        others = _open(race, finals[rival.model], rival.model, plan)
        comparison = compare(ours, _values(others, metric), strata)
        gap, settling = comparison.difference(), what_settles(comparison, race, plan, margin)
        moved = is_tie(gap, margin) and rival.place == standing.place and bool(cheaper(rival.costs, standing.costs))
        if moved:
            standing, rival, seeds, ours = rival, standing, others, _values(others, metric)
            gap = gap.turned
        why = cheaper(standing.costs, rival.costs) if is_tie(gap, margin) else ""
    best = best_seed(race, finals[standing.model])
    winner = next(one for one in seeds if one.result["seed"] == best["seed"])
    baseline, lead = _baseline(race, ours, plan, scores, fitted, data)
    score = winner.confirm.score(metric)
    values = winner.confirm.metrics[metric.name]
    verdict = Verdict(
        kind=_kind(lead, metric) if not standing.broken else "baseline" if baseline else "undecided",
        model=winner.model,
        runner_up=rival.model if rival else None,
        difference=gap.mean if gap else None,
        interval=gap.interval if gap else None,
        tie=gap is not None and is_tie(gap, margin),
        score=score,
        score_interval=score_interval(values, strata),
        n=len(values),
        split="confirm",
        baseline=baseline,
        text="",
        limits=held(race.budget.limits, standing),
        quality=_quality(race, winner),
        probability=_surely(gap, metric) if gap else None,
        settling=settling,
        optimism=metric.gain(best["score"]) - metric.gain(score),
        undecided=undecided(
            finals,
            {finalist: race.arms[finalist].architecture.family for finalist in finals},
            metric,
            race.chance,
            _longer(race),
        ),
    )
    done = [result["score"] for result in finals[winner.model] if result["score"] is not None]
    broken = [one for one in standings if one.broken]
    story = Story(metric, standing, broken, why, moved, margin, done, race.arms.began(finals))
    return Verdict(**{**vars(verdict), "text": text(verdict, story)}), winner


def is_tie(gap: Difference, margin: float) -> bool:
    """Whether two networks count as equally good."""
    return not gap.clear or abs(gap.mean) <= margin


def what_settles(comparison: Comparison, race: Race, plan: Finals, margin: float = 0.0) -> Settling | None:
    """What would make clear what is not; None where it is, or where the difference is within the margin."""
    if comparison.difference().clear or abs(comparison.mean) <= margin:
        return None
    seeds, times = comparison.more_seeds(margin), comparison.more_items(margin)
    trained = sum(bool(count) for count in comparison.trained)
    timed = seeds is not None and race.budget.timed
    minutes = rounds(seeds * trained, race.workers) * plan.slot / 60 if seeds is not None and timed else None
    items = len(race.rows("confirm", plan.confirm))
    return Settling(seeds, minutes, None if times is None else ceil(times * items))


def cheaper(one: Costs, other: Costs) -> str:
    """By what `one` is cheaper than `other`, in words: by latency where that differs clearly, else by size; else ""."""
    if one.latency_ms and other.latency_ms:
        mine, yours = one.latency_ms.p95, other.latency_ms.p95
        if max(mine, yours) > ALIKE * min(mine, yours):
            return f"{mine:.3g} against {yours:.3g} ms" if mine < yours else ""
    if one.artifact_bytes is None or other.artifact_bytes is None or one.artifact_bytes >= other.artifact_bytes:
        return ""
    return f"{one.artifact_bytes:,} against {other.artifact_bytes:,} bytes"


def held(limits: Mapping[str, float], standing: Standing) -> list[Limit]:
    """Each limit beside what was measured."""
    found = []
    for name, limit in limits.items():
        figure = None if name in standing.unknown else standing.costs.of(name)
        guard = GUARD if name == "max_latency" else 1.0
        found.append(Limit(name, limit, figure, None if figure is None else guard * figure <= limit))
    return found


def _values(seeds: Sequence[Opened], metric: Metric) -> NDArray[np.float32]:
    return np.stack([one.confirm.metrics[metric.name] for one in seeds])


def _open(race: Race, results: list[dict[str, Any]], model: str, plan: Finals) -> list[Opened]:
    """Every seed of a finalist, with its answers on the confirm split."""
    opened = []
    for result in results:
        if result["score"] is None:
            continue
        network = trained(race, model, result)
        with computing(race.base.threads):
            batches = race.arms[model].dataset.batches(race.rows("confirm", plan.confirm))
            scores = evaluate(network, race.task, batches)
        opened.append(Opened(model, result, network, scores))
    return opened


def _baseline(
    race: Race, ours: NDArray[np.float32], plan: Finals, scores: list[BaselineScore], fitted: dict[str, Fitted],
    data: str,
) -> tuple[BestBaseline | None, Difference | None]:  # fmt: skip
    gains = {score.name: race.task.primary.gain(score.score) for score in scores if score.score is not None}
    if not gains:
        return None, None
    best = max(gains, key=lambda name: gains[name])
    rows = race.rows("confirm", plan.confirm)
    predicted = fitted[best].confirm[np.searchsorted(race.rows("confirm"), rows)]
    values, strata = baseline_values(race, rows, predicted), race.strata(rows)
    comparison = compare(ours, values, strata)
    lead = comparison.difference()
    method = find(best, frame_of(race.dataset), channels_of(race.dataset))
    code = method.code(data, race.task.primary.name)
    found = BestBaseline(
        best, mean_score(values, strata), lead.mean, lead.interval, code, _surely(lead, race.task.primary),
        what_settles(comparison, race, plan),
    )  # fmt: skip
    return found, lead


def _longer(race: Race) -> str:
    """The option that gives a race more time, or steps."""
    budget = race.budget
    return f"--steps {MORE * budget.steps}" if budget.steps else f"--seconds {MORE * budget.seconds:.0f}"


def _surely(difference: Difference, metric: Metric) -> float:
    """The probability that the first of the two is the better."""
    return difference.probability if metric.gain(1.0) > 0 else 1 - difference.probability


def _kind(lead: Difference | None, metric: Metric) -> Literal["network", "baseline", "undecided"]:
    if lead is None or not lead.clear:
        return "undecided"
    return "network" if metric.gain(lead.mean) > 0 else "baseline"


def _quality(race: Race, winner: Opened) -> Quality | None:
    target = race.dataset.spec.target
    if target.kind != "class":
        return None
    return quality(race.dataset.source.labels[winner.confirm.items], winner.confirm.answers, target.names)
