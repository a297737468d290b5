"""What the calendar tells of a step of a series, and so of every step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triarch.core.spec import Cycle

DAYS: dict[Cycle, float] = {"day": 1.0, "week": 7.0, "year": 365.25}
LONGEST_STEP: dict[Cycle, float] = {"day": 0.5, "week": 2.0, "year": 100.0}
"""In days: a longer step is hardly at another place of the cycle than the one before."""


def cycles(times: pd.Index[Any]) -> tuple[Cycle, ...]:
    """Those that the times of training pass through at least twice, in steps that are short enough; numbers in none."""
    if not isinstance(times, pd.DatetimeIndex) or len(times) < 2:
        return ()
    passed = (times[-1] - times[0]) / pd.Timedelta("1D")
    step = passed / (len(times) - 1)
    return tuple(cycle for cycle in DAYS if step <= LONGEST_STEP[cycle] and passed + step >= 2 * DAYS[cycle])


def columns(times: pd.Index[Any], told: Sequence[Cycle]) -> NDArray[np.float32]:
    """Of each time its place in each cycle (T C): sine and cosine of the part of the day or year; one of seven days."""
    if not told:
        return np.zeros((len(times), 0), dtype=np.float32)
    moments = times.to_numpy().astype("datetime64[ns]")
    days, years = moments.astype("datetime64[D]"), moments.astype("datetime64[Y]")
    made = {
        "day": lambda: _round((moments - days) / np.timedelta64(1, "D")),
        "week": lambda: np.eye(7)[(days.astype(np.int64) + 3) % 7],  # 1970 began on a Thursday
        "year": lambda: _round((days - years.astype("datetime64[D]")).astype(np.int64) / DAYS["year"]),
    }
    return np.concatenate([made[cycle]() for cycle in told], axis=1).astype(np.float32)


def _round(part: NDArray[np.float64]) -> NDArray[np.float64]:
    angle = 2 * np.pi * part
    return np.stack((np.sin(angle), np.cos(angle)), axis=1)
