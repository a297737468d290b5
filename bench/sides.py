"""Two pieces of work side by side: in turn, round after round, so that a slow moment of the machine hits both.

A comparison has a process of its own. What is reported is the median over rounds of the ratio within a round: times
differ from hour to hour, ratios much less. Where not all threads were at work, or the load is above their number,
something else was running and the figures are worth little. The JSON file is written after every round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from triarch.core.files import write_json
from triarch.core.machine import cores, this_machine

RESULTS = Path(__file__).parent / "results"
WARM_UP = 2

Side = Callable[[], object]
Entry = dict[str, Any]
Measure = Callable[[str, int, int, float], Iterator[Entry]]


@dataclass(frozen=True)
class Burst:
    """Some calls in a row: seconds of wall and of processor time for each."""

    calls: int
    wall: float
    cpu: float


def burst(side: Side, calls: int) -> Burst:
    """Call `side` so many times."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        side()
    return Burst(calls, (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls)


def rounds(sides: Mapping[str, Side], count: int, seconds: float) -> Iterator[Entry]:
    """`count` rounds: each side in turn for about `seconds`, and the load of the machine (runnable processes)."""
    calls = {}
    for name, side in sides.items():
        burst(side, WARM_UP)
        calls[name] = max(1, round(seconds / burst(side, 1).wall))
    for _ in range(count):
        yield {
            "load": round(os.getloadavg()[0], 2),
            **{name: asdict(burst(side, calls[name])) for name, side in sides.items()},
        }


def middle(measured: Sequence[Entry], value: Callable[[Entry], float]) -> float:
    """The median of a value over rounds."""
    return statistics.median(map(value, measured))


def summary(measured: Sequence[Entry], threads: int) -> Entry:
    """Medians over rounds; a ratio is theirs to ours, above 1 where ours is faster. Without `theirs` there is none."""
    found = {
        "ours_seconds": middle(measured, lambda one: one["ours"]["wall"]),
        "threads_at_work": middle(measured, lambda one: one["ours"]["cpu"] / one["ours"]["wall"] / threads),
        "load": middle(measured, lambda one: one["load"]),
    }
    if "theirs" in measured[0]:
        ratios = [one["theirs"]["wall"] / one["ours"]["wall"] for one in measured]
        found |= {
            "theirs_seconds": middle(measured, lambda one: one["theirs"]["wall"]),
            "ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)],
            "cpu_ratio": middle(measured, lambda one: one["theirs"]["cpu"] / one["ours"]["cpu"]),
        }  # fmt: skip
    return found


def save(path: Path, name: str, entry: Entry) -> None:
    """Put a comparison into the results, beside those that are there."""
    write_json(path, {**load(path), "machine": asdict(this_machine()), name: entry})


def load(path: Path) -> dict[str, Any]:
    """The results so far."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def command_line(about: str | None, names: Sequence[str], seconds: float) -> argparse.Namespace:
    """The options that every such measurement has; `only` is what to measure."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=list(names), help=", ".join(names))
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=seconds, help="of each side in a round")
    options = parser.parse_args()
    if unknown := sorted(set(options.only) - set(names)):
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(names)}")
    return options


def each_in_its_own_process(script: Path, options: argparse.Namespace) -> None:
    """Run `script --only NAME` for each; one that fails says so and the next goes on."""
    shared = [f"--{name}={getattr(options, name)}" for name in ("threads", "rounds", "seconds")]
    for name in options.only:
        done = subprocess.run([sys.executable, str(script), *shared, "--only", name], stdout=subprocess.DEVNULL)
        if done.returncode:
            print(f"{name}: failed", file=sys.stderr, flush=True)


def compare(
    about: str | None, script: Path, result: Path, names: Sequence[str], seconds: float, measure: Measure
) -> None:
    """The command: one comparison in this process, saved after each round, or several in one process each.

    Args:
        measure: of a name, threads, rounds and seconds, what is known after each round.
    """
    options = command_line(about, names, seconds)
    if len(options.only) > 1:
        each_in_its_own_process(script, options)
        return
    (name,) = options.only
    for entry in measure(name, options.threads, options.rounds, options.seconds):
        save(result, name, entry)
        note = f"{name}: round {len(entry['rounds'])} of {options.rounds}, ratio {entry['ratio']:.2f}"
        print(note, file=sys.stderr, flush=True)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def against(value: float | None, bar: float | None) -> str:
    """A value and its bar: `1.21 ≥ 1.15 PASS`."""
    if value is None:
        return "–"
    if bar is None:
        return f"{value:.2f}"
    return f"{value:.2f} ≥ {bar:g} {'PASS' if value >= bar else 'miss'}"
