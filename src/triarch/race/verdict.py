"""From the finals to an answer: here the confirm split is opened, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors

from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.core.results import BaselineScore, BestBaseline, Interval, Metric, Verdict
from triarch.measure.statistics import Difference, paired_difference, score_interval
from triarch.measure.statistics import score as mean_score
from triarch.model import Model, build
from triarch.race.baselines import BASELINES, Fitted
from triarch.race.plan import Finals
from triarch.race.race import Race
from triarch.training.evaluate import Scores, evaluate


@dataclass(frozen=True)
class Opened:
    """One seed of a finalist: its score and loss on select, and its answers on confirm."""

    model: str
    select: float
    loss: float
    recipe: dict[str, Any]
    network: Model
    confirm: Scores


def ranking(finals: dict[str, list[dict[str, Any]]], metric: Metric) -> list[str]:
    """The finalists by their mean score over seeds on select, the best first; loss decides between equals.

    Raises:
        InputError: every final diverged.
    """
    means = {}
    for model, results in finals.items():
        done = [result for result in results if result["score"] is not None]
        if done:
            means[model] = tuple(float(np.mean([result[key] for result in done])) for key in ("score", "loss"))
    if not means:
        raise InputError("every network diverged", "check the data for extreme values; see run/records.jsonl")
    return sorted(means, key=lambda model: (metric.gain(means[model][0]), -means[model][1]), reverse=True)


def baseline_values(race: Race, rows: NDArray[np.int64], predicted: NDArray[Any]) -> NDArray[np.float32]:
    """The primary metric of each of the items `rows`, for a method that answers with class numbers or values."""
    judged = race.task.judge(torch.from_numpy(predicted), race.dataset.wanted(rows))
    return judged[race.task.primary.name].float().numpy()


def judge(
    race: Race, finals: dict[str, list[dict[str, Any]]], plan: Finals, scores: list[BaselineScore],
    fitted: dict[str, Fitted], data: str, margin: float = 0.0,
) -> tuple[Verdict, Opened]:  # fmt: skip
    """Open the confirm split and decide.

    Args:
        scores: of the baselines on select; the best is taken to confirm.
        data: Python for the data, for the lines that reproduce a baseline.
        margin: differences of the primary metric smaller than this count as a tie.
    """
    metric = race.task.primary
    ranked = ranking(finals, metric)
    seeds = _open(race, ranked[0], finals[ranked[0]], plan)
    winner = max(seeds, key=lambda one: (metric.gain(one.select), -one.loss))
    ours = np.stack([one.confirm.metrics[metric.name] for one in seeds])
    gap = None
    if len(ranked) > 1:
        others = _open(race, ranked[1], finals[ranked[1]], plan)
        theirs = np.stack([one.confirm.metrics[metric.name] for one in others])
        gap = paired_difference(ours, theirs, strata=winner.confirm.strata(metric))
    baseline, lead = _baseline(race, ours, plan, scores, fitted, data)
    values, strata = winner.confirm.metrics[metric.name], winner.confirm.strata(metric)
    verdict = Verdict(
        kind=_kind(lead, metric),
        model=winner.model,
        runner_up=ranked[1] if gap else None,
        difference=gap.mean if gap else None,
        interval=gap.interval if gap else None,
        tie=gap is not None and (not gap.clear or abs(gap.mean) < margin),
        score=winner.confirm.score(metric),
        score_interval=score_interval(values, strata),
        n=len(values),
        split="confirm",
        baseline=baseline,
        text="",
    )
    return _with_text(verdict, metric, len(seeds)), winner


def _open(race: Race, model: str, results: list[dict[str, Any]], plan: Finals) -> list[Opened]:
    """Every seed of a finalist, with its answers on the confirm split."""
    name, _, size = model.partition("/")
    opened = []
    for result in results:
        if result["score"] is None:
            continue
        network = build(name, size, race.task, race.dataset.spec, result["recipe"]["settings"])
        network.load_state_dict(load_tensors(race.weights_path(model, result["seed"]).read_bytes()))
        with computing(race.base.threads):
            scores = evaluate(network, race.task, race.dataset.batches(race.rows("confirm", plan.confirm)))
        opened.append(Opened(model, result["score"], result["loss"], result["recipe"], network, scores))
    return opened


def _baseline(
    race: Race, ours: NDArray[np.float32], plan: Finals, scores: list[BaselineScore], fitted: dict[str, Fitted],
    data: str,
) -> tuple[BestBaseline | None, Difference | None]:  # fmt: skip
    finished = [score for score in scores if score.score is not None]
    if not finished:
        return None, None
    best = max(finished, key=lambda score: race.task.primary.gain(score.score or 0.0))
    rows = race.rows("confirm", plan.confirm)
    predicted = fitted[best.name].confirm[np.searchsorted(race.rows("confirm"), rows)]
    values, strata = baseline_values(race, rows, predicted), race.strata(rows)
    lead = paired_difference(ours, values[None], strata=strata)
    code = BASELINES[best.name].code(data, race.task.primary.name)
    return BestBaseline(best.name, mean_score(values, strata), lead.mean, lead.interval, code), lead


def _kind(lead: Difference | None, metric: Metric) -> Literal["network", "baseline", "undecided"]:
    if lead is None or not lead.clear:
        return "undecided"
    return "network" if metric.gain(lead.mean) > 0 else "baseline"


def _with_text(verdict: Verdict, metric: Metric, seeds: int) -> Verdict:
    """Say it in words: first whether a network is worth it, then which, then how sure that is."""
    sentences = []
    baseline = verdict.baseline
    if baseline is None:
        sentences.append(
            f"Undecided: {verdict.model} is the best network, but no baseline was ready to compare it with."
        )
    else:
        lead = _told(baseline.difference, baseline.interval, metric)
        if verdict.kind == "network":
            sentences.append(f"Use {verdict.model}: it beats {baseline.name}, the best baseline, by {lead}.")
        elif verdict.kind == "baseline":
            sentences.append(
                f"Use {baseline.name}: no network beats it; {verdict.model}, the best network, differs by {lead}."
            )
        else:
            sentences.append(
                f"Undecided: no network is shown to beat {baseline.name}. {verdict.model}, the best network, differs by"
                f" {lead}, and {baseline.name} is the simpler of the two."
            )
    low, high = verdict.score_interval
    sentences.append(
        f"{verdict.model}, as it is saved, has {metric.name} {verdict.score:.3f} ({low:.3f} to {high:.3f}) on"
        f" {verdict.n:,} items that took no part in the choice."
    )
    if verdict.runner_up and verdict.difference is not None and verdict.interval is not None:
        gap, ahead = _told(verdict.difference, verdict.interval, metric), metric.gain(verdict.difference) > 0
        end = "a tie" if verdict.tie else "a clear lead" if ahead else "the runner-up was better here"
        sentences.append(f"Against the runner-up {verdict.runner_up} it stands at {gap}: {end}.")
    if seeds == 1:
        sentences.append("There was time for one seed only, so chance in training is not in the intervals.")
    sentences.append("All networks were trained from scratch. Intervals are 95%.")
    return Verdict(**{**vars(verdict), "text": " ".join(sentences)})


def _told(difference: float, interval: Interval, metric: Metric) -> str:
    """In points where scores are shares: +1.2 points (+0.3 to +2.1); else −0.031 (−0.050 to −0.012)."""
    shares = metric.direction == "max"
    middle, low, high = (
        (f"{100 * value:+.1f}" if shares else f"{value:+.3f}").replace("-", "−") for value in (difference, *interval)
    )
    return f"{middle}{' points' if shares else ''} ({low} to {high})"
