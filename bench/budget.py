"""Whether `choose` keeps its time: whole commands on the built-in sets, from process start to exit."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = ("digits", "japanese-vowels", "languages")


def measure(data: str, seconds: float) -> dict[str, object]:
    """One race."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "triarch", "choose", data, "--seconds", str(seconds), "--json"]
        begin = time.perf_counter()
        done = subprocess.run([*command, "--out", f"{folder}/a"], check=True, capture_output=True, text=True)
        wall = time.perf_counter() - begin
    choice = json.loads(done.stdout)
    verdict = choice["verdict"]
    return {
        "data": data, "limit": seconds, "wall": round(wall, 1), "kept": wall <= seconds + max(5.0, 0.02 * seconds),
        "kind": verdict["kind"], "model": verdict["model"], "select": choice["candidates"][0]["score"],
        "confirm": verdict["score"], "baseline": verdict["baseline"] and verdict["baseline"]["name"],
        "families": sorted({one["family"] for one in choice["candidates"] if one["seeds"]}),
    }  # fmt: skip


def main() -> None:
    """Race each set under each limit; write after every race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="+", default=[20, 60, 120])
    parser.add_argument("--data", nargs="+", default=DATA)
    options = parser.parse_args()
    path = Path(__file__).parent / "results" / "budget.json"
    path.parent.mkdir(exist_ok=True)
    races = []
    for data in options.data:
        for seconds in options.seconds:
            races.append(measure(data, seconds))
            print(json.dumps(races[-1]), flush=True)
            path.write_text(json.dumps(races, indent=2) + "\n")


if __name__ == "__main__":
    main()
