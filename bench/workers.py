"""How much more two workers do: the same race by steps with one and with two, each on one thread.

    python bench/workers.py languages --steps 600 --rounds 3

Trainings per minute are counted from the plan to the last trial and from the plan of the finals to the last final; that
both races found the same is checked.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sides import RESULTS
from triarch.core.files import write_json
from triarch.core.machine import this_machine

PHASES = {"plan": "trial/", "finals": "final/"}


def race(data: str, steps: int, workers: int, models: str) -> dict[str, Any]:
    """One race: trainings, their minutes and what they found."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "a"
        command = [sys.executable, "-m", "triarch", "choose", data, "--steps", str(steps), "--workers", str(workers)]
        command += ["--threads", "1", "--models", models, "--out", str(out), "--json"]
        subprocess.run(command, check=True, capture_output=True)
        lines = [json.loads(line) for line in (out / "run" / "records.jsonl").read_text().splitlines()]
    ended = {line["key"]: line["ended"] for line in lines}
    minutes = 0.0
    for plan, kind in PHASES.items():
        minutes += (max(moment for key, moment in ended.items() if key.startswith(kind)) - ended[plan]) / 60
    done = {line["key"]: line for line in lines if line["key"].startswith(tuple(PHASES.values()))}
    found = {key: (line["result"]["score"], line["result"]["loss"]) for key, line in sorted(done.items())}
    return {"trainings": len(done), "minutes": minutes, "per_minute": len(done) / minutes, "found": found}


def main() -> None:
    """Race in turn; write after every round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="languages")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default="textcnn/nano,tcn/nano,lstm/nano,gru/nano,encoder/nano,decoder/nano")
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        one, two = (race(options.data, options.steps, workers, options.models) for workers in (1, 2))
        rounds.append({
            "one": one["per_minute"], "two": two["per_minute"], "ratio": two["per_minute"] / one["per_minute"],
            "trainings": one["trainings"], "same": one["found"] == two["found"],
        })  # fmt: skip
        print(json.dumps(rounds[-1]), flush=True)
        ratio = statistics.median(entry["ratio"] for entry in rounds)
        write_json(RESULTS / "workers.json", {
            "data": options.data, "steps": options.steps, "models": options.models, "ratio": ratio, "rounds": rounds,
            "machine": asdict(this_machine()),
        })  # fmt: skip


if __name__ == "__main__":
    main()
