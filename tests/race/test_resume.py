"""A race that was interrupted goes on as if it had not been: with the same data only, and nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import triarch
from triarch.core.errors import InputError


def choose(*arguments):
    line = [sys.executable, "-m", "triarch", "choose", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def keys(folder):
    path = folder / "run" / "records.jsonl"
    return [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(process, folder, test):
    for _ in range(600):
        if test(folder):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def baselines_begun(folder):
    return (folder / "run" / "baselines" / "names.json").exists()


def a_training_is_done(folder):
    return any(key.startswith(("trial/", "final/")) for key in keys(folder))


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 12)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=x[:, 0] > 0)
    return tmp_path / "data.npz"


@pytest.mark.parametrize(("moment", "sign"), [(baselines_begun, signal.SIGINT), (a_training_is_done, signal.SIGKILL)])
def test_interrupted_and_resumed(tmp_path, data, moment, sign):
    folder = tmp_path / "a"
    process = choose(data, "--seconds", 15, "--threads", 1, "--out", folder)
    wait_for(process, folder, moment)
    os.killpg(process.pid, sign)
    _, errors = process.communicate()
    before = keys(folder)
    if sign == signal.SIGINT:
        assert process.returncode == 130
        assert errors.splitlines()[-1] == f"triarch choose --resume {folder}"
        assert "baselines" not in before
    process = choose("--resume", folder, "--json")
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    after = keys(folder)
    assert after[: len(before)] == before
    assert len(after) == len(set(after))
    choice = json.loads(output)
    assert all(baseline["score"] is not None for baseline in choice["baselines"])
    assert choice["spent"]["seconds"] <= 30  # it starts twice; on a busy machine that takes long
    assert not list((folder / "run").glob("trials/*"))


def test_other_data_is_refused(tmp_path, data):
    folder = tmp_path / "a"
    process = choose(data, "--seconds", 15, "--threads", 1, "--out", folder)
    wait_for(process, folder, a_training_is_done)
    process.kill()
    process.communicate()
    content = dict(np.load(data))
    content["x"][0, 0] += 1
    np.savez(data, **content)
    with pytest.raises(InputError, match="not the data"):
        triarch.choose(resume=folder)
    with pytest.raises(InputError, match="knows its options"):
        triarch.choose(resume=folder, seconds=20)


def test_training_on_other_data_is_refused(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(60, 9)), np.arange(60) % 2
    triarch.train((x, y), model="tcn/nano", steps=3, threads=1, out=tmp_path / "a")
    with pytest.raises(InputError, match="from memory"):
        triarch.train(resume=tmp_path / "a")
    with pytest.raises(InputError, match="not the data"):
        triarch.train((x + 1, y), resume=tmp_path / "a")
    assert triarch.train((x, y), resume=str(tmp_path / "a")).steps == 3
