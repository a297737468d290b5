"""A race that another metric decides, small ones good, among few models."""

import json
import subprocess
import sys

import numpy as np
import pytest
import yaml

import triarch
from triarch.core.results import Metric
from triarch.race.halving import Halving
from triarch.race.plan import Heat
from triarch.race.verdict import ranking

LOSS, ACCURACY = Metric("loss", "min"), Metric("accuracy", "max")


def test_ranks_follow_the_direction():
    finals = {"a": [{"score": 0.2, "loss": 0.2}], "b": [{"score": 0.1, "loss": 0.1}], "c": [{"score": None}]}
    assert ranking(LOSS, finals) == ["b", "a"]
    assert ranking(ACCURACY, finals) == ["a", "b"]
    for metric, best in ((LOSS, "b"), (ACCURACY, "a")):
        halving = Halving(Heat("cnn", list(finals), {model: [0.1] for model in finals}, [3], 1.0), metric, False)
        out = halving.cut(0, {(model, 0.1): results[0] | {"loss": 0.0} for model, results in finals.items()})
        assert halving.finalist.model == best
        assert len(out) == 2


@pytest.fixture(scope="module")
def race(tmp_path_factory):
    place = tmp_path_factory.mktemp("metric")
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 8)).astype(np.float32)
    np.savez(place / "data.npz", x=x, y=(x[:, 0] + x[:, 1] + 0.3 * random.normal(size=600)) > 0)
    recipe = {"data": str(place / "data.npz"), "models": ["tcn/nano"], "metric": "loss", "seconds": 300, "margin": 0.02}
    (place / "race.yaml").write_text(yaml.safe_dump(recipe))
    choice = triarch.choose(recipe=place / "race.yaml", seconds=14, threads=1, out=place / "a")
    return choice, place


def test_one_model_races_alone(race):
    choice, _ = race
    assert [candidate.model for candidate in choice.candidates] == ["tcn/nano"]
    assert choice.verdict.model == "tcn/nano"
    assert choice.verdict.runner_up is None
    assert choice.front == [choice.best] == choice.candidates
    assert any("--models tcn/nano" in note for note in choice.notes)


def test_the_metric_is_everywhere(race):
    choice, place = race
    assert choice.metric == LOSS
    assert choice.verdict.score < 0.69
    assert {baseline.name for baseline in choice.baselines} == {"majority", "1-NN", "logistic regression"}
    majority = next(baseline for baseline in choice.baselines if baseline.name == "majority")
    assert majority.score == pytest.approx(np.log(2), abs=0.01)
    told = triarch.evaluate(place / "a")
    assert (told.metric, told.score) == (LOSS, choice.verdict.score)
    assert "points" not in choice.verdict.text


def test_the_best_baseline_is_the_one_with_the_least_loss(race):
    baseline = race[0].verdict.baseline
    assert baseline.name == "logistic regression"
    done = subprocess.run([sys.executable, "-c", baseline.code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(baseline.score, rel=1e-4)


def test_what_was_resolved_is_kept(race):
    _, place = race
    kept = yaml.safe_load((place / "a" / "run" / "choose.yaml").read_text())
    assert kept == yaml.safe_load((place / "race.yaml").read_text()) | {
        "seconds": 14.0,
        "threads": 1,
        "seed": 0,
        "workers": 1,
    }
    assert json.loads((place / "a" / "run" / "options.json").read_text())["margin"] == 0.02
