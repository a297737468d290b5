"""Whether `choose` keeps its limits: races under limits drawn by lot, and what was handed over measured again.

    python bench/limits.py --count 100

A violation is a limit that the artifact breaks: for latency the median of five p95s, each read in a fresh process, is
above it. Limits are drawn from seed and number alone, so a run that is interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sides import RESULTS
from triarch.core.files import write_json
from triarch.ship.probe import measure_apart

DATA = ("digits", "japanese-vowels", "languages")
RANGES = {"max_params": (3e3, 1e6), "max_size": (3e4, 4e6), "max_memory": (2e4, 5e6), "max_latency": (0.3, 6.0)}
READINGS = 5
RESULT = RESULTS / "limits.json"


def drawn(number: int) -> tuple[str, dict[str, float]]:
    """Data and limits: one to three, each even on a logarithmic scale."""
    lot = random.Random(number)
    names = lot.sample(sorted(RANGES), lot.randint(1, 3))
    limits = {}
    for name in names:
        low, high = RANGES[name]
        value = low * (high / low) ** lot.random()
        limits[name] = round(value, 2) if name == "max_latency" else round(value)
    return DATA[number % len(DATA)], limits


def race(number: int, seconds: float) -> dict[str, Any]:
    """One race, and what is left of it measured again."""
    data, limits = drawn(number)
    options = [part for name, value in limits.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "a"
        command = [
            sys.executable,
            "-m",
            "triarch",
            "choose",
            data,
            "--seconds",
            str(seconds),
            "--threads",
            "1",
            *options,
        ]
        command += [*options, "--json", "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[str, Any] = {"number": number, "data": data, "limits": limits, "status": done.returncode}
        if done.returncode:
            return found | {"outcome": "refused" if done.returncode == 2 else "failed", "told": done.stderr[-300:]}
        choice = json.loads(done.stdout)
        if choice["artifact"] is None:
            return found | {"outcome": "none keeps them", "told": choice["verdict"]["text"][:300]}
        known = {limit["name"]: limit["kept"] for limit in choice["verdict"]["limits"]}
        (entry,) = (one for one in choice["candidates"] if one["model"] == choice["verdict"]["model"])
        readings = [next(iter(measure_apart([out], 1).values())) for _ in range(READINGS)]
        figures = {
            "max_params": entry["params"],
            "max_size": max(reading.artifact_bytes for reading in readings),
            "max_memory": max(reading.peak_memory_bytes for reading in readings),
        }
        times = [reading.latency_ms.p95 for reading in readings if reading.latency_ms]
        if times:
            figures["max_latency"] = statistics.median(times)
        broken = [name for name, limit in limits.items() if name in figures and figures[name] > limit]
        return found | {"outcome": "network", "model": entry["model"], "told_kept": known, "figures": figures,
                        "violations": broken}  # fmt: skip


def main() -> None:
    """Go on from what is there; write after every race."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=25.0)
    options = parser.parse_args()
    races = json.loads(RESULT.read_text())["races"] if RESULT.exists() else []
    for number in range(len(races), options.count):
        races.append(race(number, options.seconds))
        answered = sum(one["outcome"] == "network" for one in races)
        broken = sum(bool(one.get("violations")) for one in races)
        write_json(RESULT, {"answered": answered, "violations": broken, "of": len(races), "races": races})
        print(json.dumps({name: races[-1].get(name) for name in ("number", "data", "limits", "outcome", "violations")}))


if __name__ == "__main__":
    main()
