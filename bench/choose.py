"""How well, and how cheaply, a race finds the right network: searches replayed on trainings that were recorded.

    python bench/choose.py record [--tasks a,b] [--minutes 90] [--data DIR]
    python bench/choose.py replay [--tasks a,b] [--repetitions 20]

The first records the replay table, see bench/replay_table.py, and goes on where it was interrupted. The second tells
the regret of our race and of other searches at shares of what training everything takes, and how often stated intervals
hold the truth: on the screen and in bench/results/choose.json. Optuna takes part where it is installed.
"""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from coverage import covered
from race_replayed import race
from regret import replayed, summary, winner
from replay_table import FOLDER, Recorder, tables
from replay_tasks import TASKS
from sides import RESULTS, show
from strategies import Strategy, halving_without_floor, one_epoch_top_k, random_search
from triarch.core.files import write_json

RESULT = RESULTS / "choose.json"
OURS = "ours"
SHARES = (0.05, 0.1, 0.2)
DRAWS = 15


def record(names: list[str], minutes: float, data: Path, folder: Path) -> None:
    """Record what is missing of these tasks, for so many minutes of the processor."""
    for name in names:
        recorder = Recorder(name, TASKS[name], data, folder)
        for model, rate, seed in list(recorder.missing):
            if time.process_time() > 60 * minutes:
                print(f"{minutes:g} minutes of the processor are over; go on with the same command")
                return
            made = recorder.record(model, rate, seed)
            score = "diverged" if made["confirm"] is None else f"{made['confirm']:.3f}"
            spent = time.process_time() / 60
            print(f"{name} {recorder.fraction:4.0%}  {spent:5.1f} min  {model} {rate:.2g} {seed}: {score}", flush=True)


def searches() -> dict[str, Strategy]:
    """All that are replayed."""
    found: dict[str, Strategy] = {
        OURS: race, "random": random_search, "halving without floor": halving_without_floor,
        "one epoch, top k": one_epoch_top_k,
    }  # fmt: skip
    if find_spec("optuna"):
        found["TPE + Hyperband"] = import_module("tpe").tpe_and_hyperband
    else:
        print("Optuna is not there and does not take part: pip install optuna")
    return found


def replay(names: list[str], repetitions: int, folder: Path, result: Path) -> None:
    """Replay the searches on the tables that are whole."""
    known = [table for table in tables(folder) if table.name in names]
    if not known:
        raise SystemExit(f"{folder}: no table is whole; python bench/choose.py record")
    outcomes = replayed(known, searches(), SHARES, repetitions)
    figures = {
        name: {f"{share:g}": summary(rows, outcomes[OURS][share]) for share, rows in by_share.items()}
        for name, by_share in outcomes.items()
    }
    each = {
        table.name: {
            "winner": winner(table), "exhaustive_seconds": round(table.seconds, 1), "trials": len(table.trials),
            "median_regret": {
                name: {f"{share:g}": _median([one.regret for one in rows[place]]) for share, rows in by_share.items()}
                for name, by_share in outcomes.items()
            },
        }
        for place, table in enumerate(known)
    }  # fmt: skip
    held = covered(known, DRAWS)
    write_json(result, {"repetitions": repetitions, "searches": figures, "tasks": each, "coverage": held})
    _show(figures, held, len(known))


def _median(values: list[float]) -> list[float]:
    """The median and the ninth decile."""
    ordered = sorted(values)
    return [round(ordered[int(part * (len(ordered) - 1))], 3) for part in (0.5, 0.9)]


def _show(figures: dict[str, dict[str, dict[str, list[float]]]], held: dict[str, dict], count: int) -> None:
    for share in map(str, SHARES):
        rows = [
            [name, *(_told(found[share][key]) for key in ("median", "p90", "mean", "above_ours")),
             f"{found[share]['right_family']:.0%}", f"{found[share]['spent']:.1%}"]
            for name, found in figures.items()
        ]  # fmt: skip
        columns = ["search", "median", "p90", "mean", "mean above ours", "right family", "spent"]
        show(f"regret at {float(share):.0%} of the exhaustive seconds, {count} tasks", columns, rows)
    rows = [
        [kind, level, *(f"{share:.1%} ± {error:.1%}" for share, error in by_items.values())]
        for kind, by_level in held.items()
        for level, by_items in by_level.items()
    ]
    some = next(iter(next(iter(held.values())).values()))
    show("how often an interval holds the truth", ["interval of", "stated", *(f"{n} items" for n in some)], rows)


def _told(figure: list[float]) -> str:
    value, low, high = figure
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Record or replay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="train what is missing of the table")
    recording.add_argument("--minutes", type=float, default=90.0, help="of the processor")
    recording.add_argument("--data", type=Path, default=Path(__file__).parent / "data", help="of bench/data.py")
    replaying = verbs.add_parser("replay", help="replay searches and intervals on the table")
    replaying.add_argument("--repetitions", type=int, default=20)
    replaying.add_argument("--result", type=Path, default=RESULT)
    for verb in verbs.choices.values():
        verb.add_argument("--tasks", default=",".join(TASKS), help="names with commas between")
        verb.add_argument("--folder", type=Path, default=FOLDER, help="of the table")
    options = parser.parse_args()
    names = options.tasks.split(",")
    if unknown := sorted({*names} - {*TASKS}):
        parser.error(f"no such task: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    if options.verb == "record":
        record(names, options.minutes, options.data, options.folder)
    else:
        replay(names, options.repetitions, options.folder, options.result)


if __name__ == "__main__":
    main()
