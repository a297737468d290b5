"""Who keeps the limits by what was measured; the probe is a fake, so that no clock decides."""

import json
from types import SimpleNamespace

import numpy as np

import triarch
from triarch.core.budget import Budget
from triarch.core.choice import Candidate
from triarch.core.record import Record
from triarch.core.results import Latency, Metric
from triarch.race import costs, verdict
from triarch.race.candidates import Entry
from triarch.race.plan import Heat
from triarch.race.race import Finalist
from triarch.ship.probe import Reading

MODELS = {"plain/nano": "cnn", "plain/micro": "cnn", "resnet/nano": "cnn", "gru/nano": "rnn"}
HEAT = Heat("cnn", ["plain/nano", "plain/micro", "resnet/nano"], {model: [0.1] for model in MODELS}, [3, 2], 9.0)
FINALISTS = [Finalist("resnet/nano", "cnn", 0.1), Finalist("gru/nano", "rnn", 0.1)]
SCORES = {
    "resnet/nano": (0.8, 0.9),
    "plain/micro": (0.7, 0.85),
    "plain/nano": (0.75,),
}


def race(**limits):
    ledger = {
        costs.trial_key("cnn", model, 0.1, rung): Record("", {"score": score, "loss": 1.0}, 1.0, 1.0)
        for model, scores in SCORES.items()
        for rung, score in enumerate(scores)
    }
    task = SimpleNamespace(primary=Metric("accuracy", "max"))
    return SimpleNamespace(budget=Budget(60.0, **limits), ledger=ledger, task=task, reporter=SimpleNamespace(say=print))


def entries(**p95):
    made = {"plain/nano": 0.5, "plain/micro": 1.0, "resnet/nano": 2.0, "gru/nano": 1.5} | p95
    latencies = {model: Latency(ms / 2, ms) if ms else None for model, ms in made.items()}
    counted = [
        Candidate(model, family, 10, 10, latencies[model], 100, 1000) for model, family in MODELS.items()
    ]  # fmt: skip
    return [Entry(None, one.model.split("/")[1], one) for one in counted]


def kept(**limits):
    return [
        one.model for one in costs.keeping(race(**limits), [HEAT, Heat("rnn", [], {}, [], 9.0)], FINALISTS, entries())
    ]


def test_a_finalist_that_breaks_a_limit_gives_way():
    assert kept() == ["resnet/nano", "gru/nano"]
    assert kept(max_latency=2.5) == ["resnet/nano", "gru/nano"]
    assert kept(max_latency=2.4) == ["plain/micro", "gru/nano"]  # two milliseconds are too near 2.4
    assert kept(max_latency=1.5) == ["plain/micro"]
    assert kept(max_latency=0.7) == ["plain/nano"]


def test_someone_goes_to_the_final():
    assert kept(max_latency=0.1) == ["gru/nano"]


def judged(readings, **limits):
    """The standings where the probe reads `readings`: model → p95, None for what it does not reach."""
    found = race(**limits)
    finished = {
        model: {
            "params": 10, "artifact_bytes": 900, "peak_memory_bytes": 90,
            "latency_ms": {"p50": ms / 2, "p95": ms} if ms else None,
        }
        for model, ms in readings.items()
    }  # fmt: skip
    found.once = lambda *_: finished
    return [
        (one.model, bool(one.broken), one.unknown)
        for one in costs.standings(found, {}, list(readings), None, entries())
    ]


def test_those_that_keep_the_limits_come_first():
    readings = {"resnet/nano": 2.0, "gru/nano": None, "plain/nano": 0.6}
    assert judged(readings, max_latency=1.0) == [
        ("plain/nano", False, ()), ("gru/nano", False, ("max_latency",)), ("resnet/nano", True, ()),
    ]  # fmt: skip
    assert [model for model, _, _ in judged(readings)] == ["resnet/nano", "gru/nano", "plain/nano"]


def test_a_reading_of_before_is_not_taken_for_one_of_the_finished_artifact():
    assert judged({"plain/nano": None}, max_latency=1.0) == [("plain/nano", False, ("max_latency",))]


def slow(p95):
    """A probe that reads `p95` of everything: a number, or a function of the model's name."""

    def measure_apart(folders, threads, limit=None, timed=True):
        found = {}
        for folder in folders:
            model = json.loads((folder / "config.json").read_text())
            ms = p95(f"{model['architecture']}/{model['size']}")
            found[folder] = Reading(Latency(ms / 2, ms) if ms else None, 10_000, 20_000)
        return found

    return measure_apart


def choose(tmp_path, monkeypatch, p95, max_params=4_000, seconds=14):
    monkeypatch.setattr(costs, "measure_apart", slow(p95))
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 24, 1)).astype(np.float32)
    return triarch.choose(
        (x, random.integers(0, 2, 200)),
        seconds=seconds, max_params=max_params, max_latency=1e3, threads=1, out=tmp_path / "a",
    )  # fmt: skip


def test_no_artifact_breaks_a_limit(tmp_path, monkeypatch):
    choice = choose(tmp_path, monkeypatch, lambda _: 2e3)
    told = choice.verdict
    assert choice.artifact is None
    assert not (tmp_path / "a" / "config.json").exists()
    assert told.text.startswith("No network of this race keeps the limits")
    assert "2,000 ms (p95), limit 1,000" in told.text
    assert told.kind == "baseline"
    assert f"Use {told.baseline.name}" in told.text
    (latency,) = (limit for limit in told.limits if limit.name == "max_latency")
    assert (latency.limit, latency.measured, latency.kept) == (1e3, 2e3, False)


def test_what_could_not_be_measured_is_said(tmp_path, monkeypatch):
    choice = choose(tmp_path, monkeypatch, lambda _: None)
    assert choice.artifact == str(tmp_path / "a")
    assert choice.verdict.text.startswith("Not shown to keep every limit")
    (latency,) = (limit for limit in choice.verdict.limits if limit.name == "max_latency")
    assert (latency.measured, latency.kept) == (None, None)
    card = (tmp_path / "a" / "README.md").read_text()
    assert "| ms (p95) | not measurable, limit 1,000 |" in card
    size = sum(path.stat().st_size for path in (tmp_path / "a").iterdir() if path.is_file())
    assert f"| bytes on disk | {size:,} |" in card


def test_of_two_that_tie_the_cheaper_is_handed_over(tmp_path, monkeypatch):
    asked = []

    def p95(model):  # the finalists are measured in the order of their rank
        asked.append(model)
        return 9.0 if len(asked) == 1 else 1.0

    monkeypatch.setattr(verdict, "is_tie", lambda *_: True)
    told = choose(tmp_path, monkeypatch, p95, max_params=60_000, seconds=20).verdict
    assert (told.model, told.runner_up, told.tie) == (asked[1], asked[0], True)
    assert f"ties with {asked[0]}, which ranked first" in told.text
    assert "it is the cheaper: 1 against 9 ms" in told.text
    assert triarch.load(tmp_path / "a").config.model == told.model
    assert triarch.verify(tmp_path / "a").ok
    assert told.interval[0] <= told.difference <= told.interval[1]
