"""Races in processes of their own, and what is left of them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

MEASURED = ("threads", "costs")


def tiny(folder: Path) -> Path:
    """A set that the smallest networks learn within a second."""
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 12)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=x[:, 0] > 0)
    return folder / "data.npz"


def choose(*arguments):
    """The command, begun."""
    line = [sys.executable, "-m", "triarch", "choose", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def lines(folder: Path) -> list[str]:
    """Of the ledger, whole ones."""
    path = folder / "run" / "records.jsonl"
    return path.read_text().split("\n")[:-1] if path.exists() else []


def keys(folder: Path) -> list[str]:
    """What is done."""
    return [json.loads(line)["key"] for line in lines(folder)]


def results(folder: Path) -> dict[str, object]:
    """Key → result, without what a clock says."""
    found = {}
    for line in lines(folder):
        record = json.loads(line)
        assert record["key"] not in found, "done twice"
        result = record["result"]
        result.pop("seconds", None)
        result.pop("front", None)  # as it was timed
        if "curve" in result:
            result["curve"] = [score for _, score in result["curve"]]
        if record["key"] not in MEASURED:
            found[record["key"]] = result
    return found


def wait_for(process: subprocess.Popen, folder: Path, come) -> None:
    """Until `come(keys)`."""
    for _ in range(1200):
        if come(keys(folder)):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def children(process: subprocess.Popen) -> list[int]:
    """The workers of a race."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"triarch.race.worker" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
