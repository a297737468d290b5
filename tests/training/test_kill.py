"""Killed at any moment and resumed, a training gives the weights of one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

OPTIONS = ["digits", "--model", "tcn/nano", "--steps", "900", "--threads", "1", "--set", "checkpoint_seconds=0.2"]


def triarch(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "triarch", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def go_on(folder):
    """The command a user would give: to begin, or where there is something to go on with, to go on."""
    begun = (folder / "run" / "recipe.yaml").exists()
    return ["train", "--resume", folder] if begun else ["train", *OPTIONS, "--out", folder]


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "a"
    process = triarch("train", *OPTIONS, "--out", folder)
    output = process.communicate()
    assert process.returncode == 0, output
    return weights(folder)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kill(whole, tmp_path, kills):
    folder, moments = tmp_path / "a", random.Random(kills)
    killed = 0
    while killed < kills:
        process = triarch(*go_on(folder))
        time.sleep(moments.uniform(1.0, 9.0))
        process.kill()
        process.communicate()
        killed += 1
    process = triarch(*go_on(folder))
    output = process.communicate()
    assert process.returncode == 0, output
    assert weights(folder) == whole
    steps = [line.split(",")[0] for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    numbers = [int(step.partition(":")[2]) for step in steps]
    assert numbers == sorted(numbers)


def test_interrupt_says_how_to_go_on(whole, tmp_path):
    process = triarch("train", *OPTIONS, "--out", tmp_path / "a")
    while not (tmp_path / "a" / "run" / "checkpoint.safetensors").exists():
        time.sleep(0.05)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == f"triarch train --resume {tmp_path / 'a'}"
    assert "Traceback" not in errors
    process = triarch("train", "--resume", tmp_path / "a", "--workers", "2")
    assert process.wait() == 2
    process = triarch("train", "--resume", tmp_path / "a")
    assert process.wait() == 0
    assert weights(tmp_path / "a") == whole
    process = triarch("train", "--resume", tmp_path / "a")  # once more changes nothing
    assert process.wait() == 0
    assert weights(tmp_path / "a") == whole
