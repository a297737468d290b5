"""A choice as Python has it."""

import json

import pandas as pd
import pytest

from triarch.core.choice import BaselineScore, Candidate, Choice
from triarch.core.results import Latency, Metric, as_json
from triarch.core.verdict import Verdict
from triarch.race.candidates import mark_front


def candidate(model, score, p95, size, **more):
    latency = Latency(p95 / 2, p95) if p95 else None
    return Candidate(
        model, "cnn", 9, 9, latency, 100, size, score, (score - 0.1, score + 0.1) if score else None, **more
    )


def choice(metric, candidates, baselines):
    verdict = Verdict("network", "b/nano", None, None, None, False, 0.8, (0.7, 0.9), 9, "confirm", None, "")
    mark_front(candidates, metric)
    return Choice("classify", metric, {}, {}, baselines, candidates, verdict, "a", "r", "run", 0, 1, {})


CANDIDATES = ("b/nano", 0.9, 3.0, 30), ("a/nano", 0.8, 1.0, 40), ("c/nano", 0.7, 2.0, 50), ("d/nano", 0.2, None, 5)


@pytest.fixture
def chosen():
    waiting = Candidate("e/nano", "rnn", 1, 1, artifact_bytes=1)
    baselines = [
        BaselineScore("1-NN", 0.5, 1.0),
        BaselineScore("slow", None, 0.0, "late"),
        BaselineScore("SVM", 0.7, 2.0),
    ]
    return choice(Metric("accuracy", "max"), [*(candidate(*one) for one in CANDIDATES), waiting], baselines)


def test_the_front_holds_what_no_other_beats(chosen):
    assert chosen.best.model == "b/nano"
    assert [one.model for one in chosen.front] == ["b/nano", "a/nano", "d/nano"]


def test_the_front_follows_the_direction_of_the_metric():
    slow_and_large = candidate("b/nano", 0.9, 3.0, 60), *(candidate(*one) for one in CANDIDATES[1:3])
    front = choice(Metric("loss", "min"), list(slow_and_large), []).front
    assert [one.model for one in front] == ["a/nano", "c/nano"]


def test_the_table(chosen):
    table = chosen.table()
    assert isinstance(table, pd.DataFrame)
    assert table["model"].tolist() == ["b/nano", "a/nano", "c/nano", "d/nano", "e/nano", "SVM", "1-NN", "slow"]
    assert table["family"].tolist() == ["cnn"] * 4 + ["rnn"] + ["baseline"] * 3
    first = table.iloc[0]
    assert (first["score"], first["low"], first["high"]) == pytest.approx((0.9, 0.8, 1.0))
    assert (first["latency_p50_ms"], first["latency_p95_ms"]) == (1.5, 3.0)
    assert table["score"].isna().tolist() == [False] * 4 + [True, False, False, True]


def test_what_json_has(chosen):
    told = json.loads(json.dumps(as_json(chosen)))
    assert told["candidates"][0]["on_front"] is True
    assert not {"best", "front", "table"} & set(told)
