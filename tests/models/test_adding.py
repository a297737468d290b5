"""Adding an architecture is one copied file: `list`, `choose` and the exams find it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    models = folder / "src" / "triarch" / "models"
    shutil.copy(models / "cnn" / "tcn.py", models / "cnn" / "my_net.py")
    return folder


def run(house, *arguments):
    environment = os.environ | {"PYTHONPATH": str(house / "src")}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)


def test_list_finds_it(house):
    listed = json.loads(run(house, "-m", "triarch", "list", "--json").stdout)
    assert "my-net" in [model["model"] for model in listed]


def test_the_exams_find_it_and_ask_for_its_golden(house):
    exams = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/exams/test_exams.py", "-k", "my-net")
    done = run(house, *exams, "-x", "--deselect", "none")
    assert done.returncode == 1
    assert "make golden" in done.stdout
    assert run(house, "tests/golden/goldens.py").returncode == 0
    done = run(house, *exams)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout or "100%" in done.stdout


def test_choose_finds_it(house):
    done = run(house, "-m", "triarch", "choose", "digits", "--seconds", "15", "--out", "a", "--json")
    assert done.returncode == 0, done.stderr
    assert "my-net/nano" in [candidate["model"] for candidate in json.loads(done.stdout)["candidates"]]


def test_training_it(house):
    done = run(house, "-m", "triarch", "train", "digits", "--model", "my-net", "--steps", "20", "--out", "b", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "my-net/nano"
