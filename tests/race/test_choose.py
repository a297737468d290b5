"""A whole race on real data, its limits, its resumption."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import triarch
from triarch.core.results import as_json

FIELDS = {
    "choice": "task metric budget spent baselines candidates verdict artifact report run seed threads machine",
    "candidate": "model family params macs latency_ms peak_memory_bytes artifact_bytes score interval status reason"
    " trials seeds",
    "verdict": "kind model runner_up difference interval tie score n split baseline text limits front quality",
}


def command(*arguments, **options):
    line = [sys.executable, "-m", "triarch", "choose", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(scope="module")
def race(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race")
    begin = time.perf_counter()
    process = command("digits", "--seconds", 30, "--out", folder / "a", "--max-params", 60_000, "--json")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return json.loads(output), folder / "a", time.perf_counter() - begin


def test_the_time_limit_is_kept(race):
    choice, _, seconds = race
    assert seconds <= 30 + 5
    assert choice["spent"]["seconds"] <= 30 + 5


def test_names(race):
    choice, folder, _ = race
    assert set(choice) >= set(FIELDS["choice"].split())
    for candidate in choice["candidates"]:
        assert set(candidate) >= set(FIELDS["candidate"].split())
    assert set(choice["verdict"]) >= set(FIELDS["verdict"].split())
    assert choice["metric"] == {"name": "accuracy", "direction": "max"}
    assert choice["artifact"] == str(folder)
    assert os.path.exists(choice["report"])
    assert {baseline["name"] for baseline in choice["baselines"]} == {
        "majority", "1-NN", "logistic regression", "RBF-SVM",
    }  # fmt: skip


def test_every_family_races_alike(race):
    choice, _, _ = race
    raced = [candidate for candidate in choice["candidates"] if candidate["score"] is not None]
    assert {candidate["family"] for candidate in raced} == {"cnn", "rnn", "transformer", "hybrid"}
    finalists = [candidate for candidate in raced if candidate["seeds"]]
    # One model at one learning rate needs no trial.
    assert len({candidate["trials"] for candidate in finalists} - {0}) <= 1
    assert len(finalists) == len({candidate["family"] for candidate in finalists}) == 4
    assert len({candidate["seeds"] for candidate in finalists}) == 1
    models = [candidate["model"] for candidate in choice["candidates"]]
    assert len(models) == len(set(models))
    assert all(candidate["reason"] for candidate in choice["candidates"])


def test_limits_are_kept(race):
    choice, folder, _ = race
    for candidate in choice["candidates"]:
        if candidate["params"] > 60_000:
            assert candidate["status"] == "over budget"
            assert candidate["trials"] == 0
        else:
            assert candidate["status"] != "over budget"
    winner = choice["candidates"][0]
    assert winner["status"] == "winner"
    assert winner["artifact_bytes"] == sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def test_the_artifact_is_the_winner(race):
    choice, folder, _ = race
    verdict = choice["verdict"]
    told = triarch.evaluate(folder, split="confirm")
    # A busy machine may have had no time for all items of confirm.
    assert told.score == (verdict["score"] if told.n == verdict["n"] else pytest.approx(verdict["score"], abs=0.1))
    assert triarch.load(folder).config.model == verdict["model"]
    assert triarch.verify(folder).ok
    assert verdict["score"] > 0.9
    confusion = np.array(verdict["quality"]["confusion"])
    assert (confusion.sum(), confusion.trace() / confusion.sum()) == (told.n, pytest.approx(told.score))
    assert [limit["name"] for limit in verdict["limits"] if limit["kept"]] == ["max_params"]
    records = [json.loads(line) for line in (folder / "run" / "records.jsonl").read_text().splitlines()]
    (record,) = (record["result"] for record in records if record["key"] == "verdict")
    assert record == verdict
    assert verdict["tie"] == (verdict["interval"][0] <= 0 <= verdict["interval"][1])
    baseline = verdict["baseline"]
    low, high = baseline["interval"]
    assert verdict["kind"] == ("network" if low > 0 else "baseline" if high < 0 else "undecided")


def test_the_recipe_repeats_the_winner(race, tmp_path):
    choice, folder, _ = race
    again = triarch.train(recipe=folder / "run" / "recipe.yaml", out=tmp_path / "b")
    assert again.model == choice["verdict"]["model"]
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_the_lines_of_the_baseline_give_its_score(race):
    baseline = race[0]["verdict"]["baseline"]
    done = subprocess.run([sys.executable, "-c", baseline["code"]], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(baseline["score"])


def test_a_finished_race_is_not_run_again(race):
    choice, folder, _ = race
    before = (folder / "run" / "records.jsonl").read_bytes()
    process = command("--resume", folder, "--json")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    again = json.loads(output)
    assert again["verdict"] == choice["verdict"]
    assert (folder / "run" / "records.jsonl").read_bytes() == before


def test_arrays_and_one_family(tmp_path):
    """Python data, a limit that leaves little, and a task with structure that a baseline cannot see."""
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 24, 1)).astype(np.float32)
    y = random.integers(0, 2, 200)
    choice = triarch.choose((x, y), seconds=20, max_params=4_000, threads=1, out=tmp_path / "a")
    assert choice.verdict.kind in ("undecided", "baseline")
    assert "(x, y)" in choice.verdict.baseline.code
    assert json.dumps(as_json(choice))
    assert "trained from scratch" in (tmp_path / "a" / "run" / "report.html").read_text()


@pytest.mark.slow
def test_killed_and_resumed(tmp_path):
    folder = tmp_path / "a"
    process = command("digits", "--seconds", 40, "--out", folder)
    for moment in (9, 7, 10):
        time.sleep(moment)
        process.kill()
        process.communicate()
        before = (folder / "run" / "records.jsonl").read_text().splitlines()
        process = command("--resume", folder, "--json")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    lines = (folder / "run" / "records.jsonl").read_text().splitlines()
    assert lines[: len(before)] == before
    keys = [json.loads(line)["key"] for line in lines]
    assert len(keys) == len(set(keys))
    choice = json.loads(output)
    assert choice["spent"]["seconds"] <= 45
    assert triarch.verify(folder).ok
