"""The same model against itself under two names: how often one of them is called the clear winner."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import triarch
from triarch.core.machine import computing
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.measure.comparison import paired_difference
from triarch.models import registry
from triarch.tasks import registry as tasks
from triarch.training.evaluate import evaluate
from triarch.training.recipe import make
from triarch.training.start import resolve, start

SEEDS, TRAININGS, DRAWS, MOST = 3, 24, 400, 0.05
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def answers(data, model, steps):
    """Of each training and item of confirm (trainings, I), whether it was answered rightly."""
    dataset = prepare(open_source(data))
    task, right = tasks.infer(dataset.spec), []
    for seed in range(TRAININGS):
        recipe = resolve(make({"model": model, "steps": steps, "seed": seed}), dataset)
        with computing(1, seed, flush_denormals=True):
            trainer = start(recipe, dataset, task)
            trainer.run(steps=steps)
            scores = evaluate(trainer.result, task, dataset.batches(dataset.splits["confirm"]))
        right.append(np.asarray(scores.metrics["accuracy"]))
    return np.stack(right)


@pytest.mark.parametrize(
    ("data", "model", "steps"),
    [
        ("digits", "plain/nano", 120),
        ("japanese-vowels", "lstm/nano", 60),
        ("languages", "textcnn/nano", 100),
    ],
)  # fmt: skip
def test_few_false_winners(data, model, steps):
    """Three trainings against three others, drawn by lot from a pool of the same model."""
    pool, random = answers(data, model, steps), np.random.default_rng(0)
    false = 0
    for _ in range(DRAWS):
        drawn = random.permutation(TRAININGS)[: 2 * SEEDS]
        false += paired_difference(pool[drawn[:SEEDS]], pool[drawn[SEEDS:]]).clear
    assert false / DRAWS <= MOST


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_twins_tie(seed, tmp_path, monkeypatch):
    """A whole race between `plain` and its copy, which counts as a Transformer so that both come to the finals."""
    twin = replace(registry.find("plain"), family="transformer")
    monkeypatch.setattr(registry, "_foreign", lambda: {"twin": SimpleNamespace(load=lambda: twin)})
    choice = triarch.choose(
        "digits", models="plain/nano,twin/nano", steps=120, seed=seed, threads=1, out=tmp_path / "a"
    )
    assert {choice.verdict.model, choice.verdict.runner_up} == {"plain/nano", "twin/nano"}
    assert choice.verdict.tie
