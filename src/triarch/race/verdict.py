"""From the finals to an answer: here the confirm split is opened, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors

from triarch.core.errors import InputError
from triarch.core.machine import computing
from triarch.core.results import BaselineScore, BestBaseline, Metric, Verdict
from triarch.data.dataset import Dataset
from triarch.measure.statistics import Difference, paired_difference, score_interval
from triarch.model import Model, build
from triarch.race.baselines import BASELINES, Fitted
from triarch.race.race import Race
from triarch.tasks.task import Task
from triarch.training.evaluate import Scores, evaluate


@dataclass(frozen=True)
class Winner:
    """The best network: the seed that did best on select, and its answers on confirm."""

    model: str
    seed: int
    recipe: dict[str, Any]
    network: Model
    confirm: Scores


def ranking(finals: dict[str, list[dict[str, Any]]]) -> list[str]:
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
    return sorted(means, key=lambda model: (means[model][0], -means[model][1]), reverse=True)


def confirm(race: Race, model: str, results: list[dict[str, Any]]) -> dict[int, tuple[Model, Scores]]:
    """Every seed of a finalist on the confirm split."""
    made = {}
    for result in results:
        if result["score"] is None:
            continue
        name, _, size = model.partition("/")
        network = build(name, size, race.task, race.dataset.spec, result["recipe"]["settings"])
        network.load_state_dict(load_tensors(race.weights_path(model, result["seed"]).read_bytes()))
        made[result["seed"]] = (
            network,
            on_split(network, race.task, race.dataset, "confirm", race.base.threads),
        )
    return made


def on_split(network: Model, task: Task, dataset: Dataset, split: str, threads: int) -> Scores:
    """The scores of a network on a split."""
    with computing(threads):
        return evaluate(network, task, dataset.batches(dataset.rows(split), 256))


def baseline_values(task: Task, dataset: Dataset, split: str, predicted: NDArray[np.int64]) -> NDArray[np.float32]:
    """The primary metric of each item of a split, for a method that answers with class numbers only."""
    sure = torch.nn.functional.one_hot(torch.from_numpy(predicted), dataset.spec.num_classes).float() * 100
    batch = dataset.batch(dataset.rows(split))
    return task.metrics(sure, batch)[task.primary.name].numpy()


def judge(
    race: Race, finals: dict[str, list[dict[str, Any]]], scores: list[BaselineScore], fitted: dict[str, Fitted],
    data: str,
) -> tuple[Verdict, Winner]:  # fmt: skip
    """Open the confirm split and decide.

    Args:
        scores: of the baselines on select; the best is taken to confirm.
        data: Python for the data, for the lines that reproduce a baseline.
    """
    metric = race.task.primary
    ranked = ranking(finals)
    winner = _winner(race, ranked[0], finals[ranked[0]])
    seeds = confirm(race, ranked[0], finals[ranked[0]])
    ours = np.stack([scores.metrics[metric.name] for _, scores in seeds.values()])
    gap = None
    if len(ranked) > 1:
        others = confirm(race, ranked[1], finals[ranked[1]])
        gap = paired_difference(ours, np.stack([scores.metrics[metric.name] for _, scores in others.values()]))
    baseline, lead = _baseline(race, ours, scores, fitted, data)
    values = winner.confirm.metrics[metric.name]
    kind = _kind(lead)
    verdict = Verdict(
        kind=kind,
        model=winner.model,
        runner_up=ranked[1] if gap else None,
        difference=gap.mean if gap else None,
        interval=gap.interval if gap else None,
        tie=gap is not None and not gap.clear,
        score=float(values.mean(dtype=np.float64)),
        score_interval=score_interval(values),
        n=len(values),
        split="confirm",
        baseline=baseline,
        text="",
    )
    return _with_text(verdict, metric), winner


def _winner(race: Race, model: str, results: list[dict[str, Any]]) -> Winner:
    done = [result for result in results if result["score"] is not None]
    best = max(done, key=lambda result: (result["score"], -result["loss"]))
    network, scores = confirm(race, model, [best])[best["seed"]]
    return Winner(model, best["seed"], best["recipe"], network, scores)


def _baseline(
    race: Race, ours: NDArray[np.float32], scores: list[BaselineScore], fitted: dict[str, Fitted], data: str
) -> tuple[BestBaseline | None, Difference | None]:
    finished = [score for score in scores if score.score is not None]
    if not finished:
        return None, None
    best = max(finished, key=lambda score: score.score or 0.0)
    values = baseline_values(race.task, race.dataset, "confirm", fitted[best.name].confirm)
    lead = paired_difference(ours, values[None])
    code = BASELINES[best.name].code(data)
    return BestBaseline(best.name, float(values.mean(dtype=np.float64)), lead.mean, lead.interval, code), lead


def _kind(lead: Difference | None) -> Any:
    if lead is None or not lead.clear:
        return "undecided"
    return "network" if lead.mean > 0 else "baseline"


def _with_text(verdict: Verdict, metric: Metric) -> Verdict:
    """Say it in words: first whether a network is worth it, then which, then how sure that is."""
    sentences = []
    baseline = verdict.baseline
    if baseline is None:
        sentences.append(
            f"Undecided: {verdict.model} is the best network, but no baseline was ready to compare it with."
        )
    else:
        lead = f"{_points(baseline.difference)} ({_range(baseline.interval)})"
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
        f"{verdict.model}, as it is saved, has {metric.name} {verdict.score:.4f} ({low:.4f} to {high:.4f}) on"
        f" {verdict.n:,} items that took no part in the choice."
    )
    if verdict.runner_up and verdict.difference is not None and verdict.interval is not None:
        gap = f"{_points(verdict.difference)} ({_range(verdict.interval)})"
        end = "a tie" if verdict.tie else "a clear lead" if verdict.difference > 0 else "the runner-up was better here"
        sentences.append(f"Against the runner-up {verdict.runner_up} it stands at {gap}: {end}.")
    sentences.append("All networks were trained from scratch. Intervals are 95%.")
    return Verdict(**{**vars(verdict), "text": " ".join(sentences)})


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"


def _range(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}"
