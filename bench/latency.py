"""How well times are foretold on this machine for architectures that took no part in the calibration.

    python bench/latency.py
    python bench/latency.py --threads 2 --rounds 3
    python bench/latency.py --steps

Each round calibrates anew, from operators by themselves and the small sizes of all architectures, each of which is then
foretold from all others. Told beside it: two other ways, from multiply–adds alone and without the lone operators, and
how far two rounds' readings of the same network lie apart, below which no error can fall. With `--steps` it is steps of
training instead of answers, and beside them steps on 64 items, more than any of the calibration has. With one thread
all times are processor times, in the calibration and in what it is held against: a busy machine disturbs them less.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np

from sides import show
from triarch.core.files import write_json
from triarch.core.machine import computing
from triarch.core.progress import progress
from triarch.core.spec import reference
from triarch.measure.foretell import Foreteller, Timed, calibrate
from triarch.models import registry
from triarch.ship.calibration import PATIENCE, seconds_of, step, time_everything

RESULTS, MANY = Path(__file__).parent / "results", 64
MACS = ("product macs", "vector macs", "convolution macs", "own macs", "dilated macs", "grouped macs", "attention macs",
        "recurrent macs")  # fmt: skip


def only_macs(one: Timed) -> Timed:
    """What a count of operations knows of it."""
    macs = sum(amount for kind, amount in one.work.items() if kind.removeprefix("back ") in MACS)
    return Timed(one.group, one.name, {"macs": macs}, one.seconds)


def many_items(threads: int) -> list[Timed]:
    """Steps of every architecture at micro on 64 items of its first modality."""
    timed = []
    with computing(threads, seed=0):
        for name in registry.names():
            case = step(f"{name}/micro", reference(registry.find(name).modalities[0]), MANY)
            seconds = seconds_of(case, PATIENCE, threads, steps=True)
            timed.append(Timed(case.group, case.name, case.count(), seconds))
    return timed


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
    parser.add_argument("--steps", action="store_true", help="of training, instead of answers")
    options = parser.parse_args()
    cpu: list[float] = []
    seconds: list[dict[str, float]] = []
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(options.rounds):
        with progress(f"round {number + 1}") as reporter:
            begin = time.process_time()
            timed = time_everything(options.threads, reporter.update, options.steps)
            cpu.append(time.process_time() - begin)
        seconds.append({one.name: one.seconds for one in timed if one.group})
        ways = errors(timed)
        if options.steps:
            ways[f"prices of operators, {MANY} items"] = calibrate(timed, many_items(options.threads))
        for way, foreteller in ways.items():
            for group, error in {**foreteller.errors, "all": foreteller.error}.items():
                found[way][group].append(error)
        apart = [abs(after[name] / before[name] - 1) for before, after in pairwise(seconds) for name in before]
        result = {
            "threads": options.threads, "processor seconds": cpu, "errors": found,
            "apart": float(np.mean(apart)) if apart else None,
        }  # fmt: skip
        write_json(RESULTS / f"{'steps' if options.steps else 'latency'}.json", json.loads(json.dumps(result)))
    told = list(found)
    rows = [(group, *(f"{np.median(found[way][group]):.0%}" for way in told)) for group in found[told[0]]]
    what = "step of training" if options.steps else "latency"
    show(f"Mean error of the {what} of an architecture that was left out", ("architecture", *told), rows)
    print(f"A calibration took {np.mean(cpu):.0f} seconds of processor time.")
    if apart:
        print(f"Two readings of the same network lie {np.mean(apart):.0%} apart.")


if __name__ == "__main__":
    main()
