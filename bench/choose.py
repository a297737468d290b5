"""How well, and how cheaply, a race finds the right network: strategies replayed on trainings that were recorded.

    python bench/choose.py record [--tasks a,b] [--minutes 90] [--data DIR]

The first records the replay table, see bench/replay_table.py; it goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from replay_table import FOLDER, Recorder
from replay_tasks import TASKS


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


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record", help="train what is missing of the table")
    recording.add_argument("--minutes", type=float, default=90.0, help="of the processor")
    recording.add_argument("--data", type=Path, default=Path(__file__).parent / "data", help="of bench/data.py")
    for verb in verbs.choices.values():
        verb.add_argument("--tasks", default=",".join(TASKS), help="names with commas between")
        verb.add_argument("--folder", type=Path, default=FOLDER, help="of the table")
    options = parser.parse_args()
    names = options.tasks.split(",")
    if unknown := sorted({*names} - {*TASKS}):
        parser.error(f"no such task: {', '.join(unknown)}; there are {', '.join(TASKS)}")
    record(names, options.minutes, options.data, options.folder)


if __name__ == "__main__":
    main()
