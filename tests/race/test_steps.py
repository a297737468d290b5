"""A race by steps comes out the same: with any number of workers, and however often it is killed."""

import os
import random
import signal
import time

import numpy as np
import pytest

import triarch
from race.races import children, choose, gone, keys, lines, results, tiny, wait_for
from triarch.core.errors import InputError

OPTIONS = ("--steps", 240, "--max-params", 20_000)


def go_on(folder, *options):
    """The command a user would give: to begin, or where there is something to go on with, to go on."""
    begun = (folder / "run" / "options.json").exists()
    return choose("--resume", folder) if begun else choose(*options, "--out", folder)


def trials(count):
    return lambda known: sum(key.startswith("trial/") for key in known) >= count


def finals(count):
    return lambda known: sum(key.startswith("final/") for key in known) >= count


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Uninterrupted, on one worker."""
    folder = tmp_path_factory.mktemp("whole") / "a"
    return folder, triarch.choose(data, steps=240, max_params=20_000, out=folder)


def test_steps_are_kept(whole):
    folder, choice = whole
    assert choice.threads == 1
    assert choice.budget["steps"] == 240
    assert choice.budget["seconds"] is None
    done = results(folder)
    assert {done[key]["steps"] for key in done if key.startswith("final/")} == {240}
    assert {done[key]["steps"] for key in done if key.endswith("rung1")} == {80}
    assert {done[key]["steps"] for key in done if key.endswith("rung0")} == {27}
    assert all(candidate.reason for candidate in choice.candidates)
    finalists = [candidate for candidate in choice.candidates if candidate.seeds]
    assert len(finalists) > 1
    assert {candidate.seeds for candidate in finalists} == {3}


def test_killed_and_resumed_with_workers(whole, data, tmp_path):
    folder = tmp_path / "a"
    process = choose(data, *OPTIONS, "--workers", 2, "--out", folder)
    wait_for(process, folder, trials(1))
    workers = children(process)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_for(process, folder, trials(12))
    assert len(children(process)) == 2
    for moment in (trials(20), finals(1)):
        wait_for(process, folder, moment)
        workers = children(process)
        process.kill()
        process.communicate()
        assert all(gone(worker) for worker in workers)
        before = lines(folder)
        process = choose("--resume", folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert lines(folder)[: len(before)] == before
    assert results(folder) == results(whole[0])
    assert (folder / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()
    assert not list((folder / "run" / "trials").glob("*"))


def test_interrupted_with_workers(data, tmp_path):
    folder = tmp_path / "a"
    process = choose(data, "--steps", 100_000, "--max-params", 20_000, "--workers", 2, "--out", folder)
    wait_for(process, folder, lambda known: "plan" in known)
    time.sleep(1.0)
    workers = children(process)
    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert time.monotonic() - begin < 10
    assert process.returncode == 130
    assert errors.splitlines()[-1] == f"triarch choose --resume {folder}"
    assert "Traceback" not in errors
    assert len(workers) == 2
    assert all(gone(worker) for worker in workers)


def test_data_from_memory_and_both_limits(data, tmp_path):
    x = np.load(data)["x"]
    texts = [" ".join("ab"[int(value > 0)] * 3 for value in row) for row in x]
    choice = triarch.choose(
        (texts, x[:, 0] > 0), steps=60, seconds=40, max_params=12_000, workers=2, out=tmp_path / "a"
    )
    assert choice.spent["seconds"] <= 45
    assert choice.budget["seconds"] == 40
    assert not (tmp_path / "a" / "run" / "data").exists()
    done = results(tmp_path / "a")
    cut = [key for key in done if key.startswith("final/") and done[key]["steps"] < 60]
    assert any("cut" in note for note in choice.notes) == bool(cut)


@pytest.mark.parametrize(("options", "words"), [({"steps": 0}, "1 step"), ({"workers": 0}, "from 1 to 256")])
def test_bad_numbers_are_refused(options, words, tmp_path):
    with pytest.raises(InputError, match=words):
        triarch.choose("digits", **options, out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_random_moments(tmp_path):
    """20 times, the race or one of its workers, anywhere from its first second on."""
    options = ("digits", "--steps", 400, "--max-params", 60_000, "--workers", 2)
    choice = triarch.choose("digits", steps=400, max_params=60_000, out=tmp_path / "whole")
    moments, folder, kills = random.Random(0), tmp_path / "a", 0
    while kills < 20:
        process = go_on(folder, *options)
        before = lines(folder)
        end = time.monotonic() + moments.uniform(0.5, 16.0)
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        workers = children(process)
        if workers and moments.random() < 0.4:
            os.kill(moments.choice(workers), signal.SIGKILL)
            time.sleep(moments.uniform(0.5, 4.0))
            kills += 1
        if process.poll() is not None:  # it came to its end: once more from the beginning
            assert process.returncode == 0, process.communicate()
            assert results(folder) == results(tmp_path / "whole")
            folder = tmp_path / f"after-{kills}"
            continue
        process.kill()
        process.communicate()
        kills += 1
        assert all(gone(worker) for worker in workers)
        assert lines(folder)[: len(before)] == before
    process = go_on(folder, *options)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert len(keys(folder)) == len(set(keys(folder)))
    assert results(folder) == results(tmp_path / "whole")
    verdict = triarch.choose(resume=folder).verdict
    assert verdict == choice.verdict
    assert triarch.verify(folder).ok
