"""Times of the steps of a series: dates a step apart, or whole numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd


def every(first: Any, last: Any, step: str) -> pd.Index[Any]:
    """All times from the first to the last.

    Args:
        step: from one to the next, as pandas writes it; empty where they are numbers.
    """
    return pd.date_range(first, last, freq=step) if step else pd.RangeIndex(int(first), int(last) + 1)


def every_from(start: Any, steps: int, step: str) -> pd.Index[Any]:
    """`start` and so many steps after it, or before it where `steps` is negative, in ascending order."""
    count = abs(steps) + 1
    if not step:
        first = int(start) + min(0, steps)
        return pd.RangeIndex(first, first + count)
    return pd.date_range(**{"start" if steps >= 0 else "end": start}, periods=count, freq=step)


def times_of(start: str, count: int, step: str) -> pd.Index[Any]:
    """The times of a series of so many steps."""
    return every_from(pd.Timestamp(start) if step else int(start), count - 1, step)


def stepped(start: str, steps: int, step: str) -> str:
    """The time so many steps after `start`, as `written`."""
    return written(times_of(start, steps + 1, step)[-1])


def written(time: Any) -> str:
    """A date without what is always zero, or a number."""
    return str(time).removesuffix(" 00:00:00")
