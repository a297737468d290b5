"""How well latency is foretold on this machine for architectures that took no part in the calibration.

    python bench/latency.py
    python bench/latency.py --threads 2 --rounds 3

Each round calibrates anew, from operators by themselves and the small sizes of all architectures, each of which is then
foretold from all others. Told beside it: two other ways, from multiply–adds alone and without the lone operators, and
how far two rounds' readings of the same network lie apart, below which no error can fall.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from sides import show
from triarch.core.files import write_json
from triarch.core.progress import progress
from triarch.measure.foretell import Foreteller, Timed, calibrate
from triarch.ship.calibration import time_everything

RESULT = Path(__file__).parent / "results" / "latency.json"
MACS = ("product macs", "vector macs", "convolution macs", "own macs", "dilated macs", "grouped macs", "attention macs",
        "recurrent macs")  # fmt: skip


def only_macs(one: Timed) -> Timed:
    """What a count of operations knows of it."""
    return Timed(one.group, one.name, {"macs": sum(one.work.get(kind, 0.0) for kind in MACS)}, one.seconds)


def errors(timed: list[Timed]) -> dict[str, Foreteller]:
    """The three ways."""
    networks = [one for one in timed if one.group]
    return {
        "prices of operators": calibrate(timed),
        "without lone operators": calibrate(networks),
        "multiply–adds alone": calibrate([only_macs(one) for one in networks]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    seconds: list[dict[str, float]] = []
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(options.rounds):
        with progress(f"round {number + 1}") as reporter:
            timed = time_everything(options.threads, reporter.update)
        seconds.append({one.name: one.seconds for one in timed if one.group})
        for way, foreteller in errors(timed).items():
            for group, error in {**foreteller.errors, "all": foreteller.error}.items():
                found[way][group].append(error)
        apart = [abs(after[name] / before[name] - 1) for before, after in pairwise(seconds) for name in before]
        result = {"threads": options.threads, "errors": found, "apart": float(np.mean(apart)) if apart else None}
        write_json(RESULT, json.loads(json.dumps(result)))
    ways = list(found)
    rows = [(group, *(f"{np.median(found[way][group]):.0%}" for way in ways)) for group in found[ways[0]]]
    show("Mean error of the latency of an architecture that was left out", ("architecture", *ways), rows)
    if apart:
        print(f"Two readings of the same network lie {np.mean(apart):.0%} apart.")


if __name__ == "__main__":
    main()
