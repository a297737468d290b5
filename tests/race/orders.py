"""Races on tasks whose winner is known, small enough for a minute on one core, and what came out of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import triarch
from race import known
from triarch.core.choice import Candidate, Choice
from triarch.core.machine import computing
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.preprocess import Preprocessor
from triarch.race.trial import Trial
from triarch.tasks import registry as tasks
from triarch.training.evaluate import evaluate
from triarch.training.recipe import Optimiser, Recipe


@dataclass(frozen=True)
class Order:
    """A task, who races and for how long.

    Attributes:
        data: of a seed.
        steps: of a final.
    """

    data: Callable[[int], tuple[Any, Any]]
    models: str
    steps: int


ORDERS = {
    "mnist1d": Order(known.mnist1d, "plain/micro,gru/nano", 450),
    "mnist1d shuffled": Order(lambda seed: known.mnist1d(seed, shuffled=True), "plain/micro,gru/nano", 450),
    "parity": Order(known.parity, "lstm/nano,encoder/nano,plain/nano", 400),
    "recall": Order(lambda seed: known.recall(seed, items=8_000), "griffin/nano,encoder/nano", 1_000),
    "adding": Order(known.adding, "gru/nano,tcn/nano", 200),
    "copy": Order(known.copy, "lstm/nano,tcn/nano", 300),
    "sequential digits": Order(lambda _: known.sequential_digits(), "tcn/nano,lstm/nano", 250),
    "motif": Order(known.motif, "plain/nano,encoder/nano", 250),
    "no labels": Order(lambda seed: known.relabelled(known.motif(seed), seed), "plain/nano,lstm/nano", 150),
}


def race(name: str, seed: int, out: Path) -> Choice:
    """By steps, so that it comes out the same each time."""
    order = ORDERS[name]
    return triarch.choose(
        order.data(seed), models=order.models, steps=order.steps, seconds=50_000, seed=seed, threads=1, out=out
    )


def beyond(model: str, seed: int, steps: int = 400, longest: int = 64) -> float:
    """Of a network with room for `longest` steps, trained on parity of up to 24, the score on the longest."""
    short, far = (
        prepare(open_source(data)) for data in (known.parity(seed), known.parity(seed + 100, 300, longest, 49))
    )
    roomy = Preprocessor(replace(short.preprocessor.settings, shape=(longest,)), short.preprocessor.tokenizer)
    short = replace(short, spec=replace(short.spec, shape=(longest,)), preprocessor=roomy)
    task = tasks.infer(short.spec)
    recipe = Recipe(model=model, seed=seed, threads=1, steps=steps, optimiser=Optimiser(lr=0.01))
    trial = Trial(recipe, short, task)
    trial.run(None, finish=True, steps=steps)
    with computing(1):
        return evaluate(trial.trainer.result, task, far.batches(far.rows("all"))).mean("accuracy")


def finalist(choice: Choice, family: str) -> Candidate:
    """The family's best."""
    (found,) = (one for one in choice.candidates if one.family == family and one.seeds)
    return found


def rungs(choice: Choice) -> dict[str, list[float]]:
    """Model → the best score among its learning rates after each rung."""
    found: dict[str, dict[int, float]] = {}
    for (model, _, rung), score in _trials(choice).items():
        scores = found.setdefault(model, {})
        scores[rung] = max(scores.get(rung, 0.0), score)
    return {model: [scores[rung] for rung in sorted(scores)] for model, scores in found.items()}


def rates(choice: Choice, model: str, rung: int = 0) -> dict[float, float]:
    """Learning rate → score after a rung."""
    return {rate: score for (name, rate, at), score in _trials(choice).items() if (name, at) == (model, rung)}


def _trials(choice: Choice) -> dict[tuple[str, float, int], float]:
    """Model, learning rate and rung → score."""
    found = {}
    for line in (Path(choice.run) / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["key"].startswith("trial/") and record["result"]["score"] is not None:
            _, _, name, size, rate, rung = record["key"].split("/")
            found[f"{name}/{size}", float(rate[3:]), int(rung[4:])] = record["result"]["score"]
    return found
