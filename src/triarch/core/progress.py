"""Progress of long work on stderr: a moving bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PLAIN_EVERY = 5.0

Report = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and a few words."""


def silent(fraction: float, note: str) -> None:
    """A `Report` that nobody reads."""


class Reporter:
    """Says how far a piece of work is. Made by `progress`."""

    def __init__(self, title: str, bar: Progress | None) -> None:
        self._title = title
        self._bar = bar
        self._task = bar.add_task(title, total=1.0, note="") if bar else None
        self._said = time.monotonic()

    def update(self, fraction: float, note: str = "") -> None:
        """Say that `fraction` (0 to 1) is done, with a few words on how it stands."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=min(fraction, 1.0), note=note)
        elif time.monotonic() - self._said >= PLAIN_EVERY:
            self._said = time.monotonic()
            print(f"{self._title} {100 * min(fraction, 1.0):.0f}% {note}", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str) -> Iterator[Reporter]:
    """Show the progress of the work in this block."""
    if not sys.stderr.isatty():
        yield Reporter(title, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Reporter(title, bar)
