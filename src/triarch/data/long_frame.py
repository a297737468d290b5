"""Long frames: a row for each step of each series, in any order."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triarch.core.errors import InputError, near
from triarch.core.spec import Future
from triarch.data.asked import Asked, Continued
from triarch.data.calendar import columns
from triarch.data.store import Ragged
from triarch.data.times import every, every_from

SERIES_COLUMNS = ("unique_id", "item_id", "series_id", "series")
TIME_COLUMNS = ("ds", "timestamp", "datetime", "date", "time", "ts")
VALUE_COLUMNS = ("y", "target", "value")
CERTAIN = (("ds", "y"), ("timestamp", "target"))
DISTINCT = 20


@dataclass(frozen=True)
class Roles:
    """Which column is what; `series` is empty where there is one series."""

    time: str
    value: str
    series: str


def recognised(frame: pd.DataFrame, asked: Asked) -> Roles | None:
    """The roles of the columns of a long frame, told from its first rows; None: it is none.

    It has a column of times, called as in `TIME_COLUMNS`, and one of numbers, called `y` or `target` or `value`, or
    named by --target; in a frame that is to be classified the latter holds labels. Unless they are called `ds` and
    `y`, or `timestamp` and `target`, it must have many different values.

    Raises:
        InputError: it should be one (--task forecast, --horizon), and such a column is missing.
    """
    columns = {str(column).lower(): str(column) for column in frame.columns}
    wanted = asked.task == "forecast" or asked.continued != Continued()
    time = next((columns[name] for name in TIME_COLUMNS if name in columns), None)
    value = asked.target or next((columns[name] for name in VALUE_COLUMNS if name in columns), None)
    if asked.target and asked.target not in frame.columns:
        if wanted:
            raise InputError(f"there is no column {asked.target!r}", near(asked.target, list(columns.values())))
        return None
    series = asked.group or next((columns[name] for name in SERIES_COLUMNS if name in columns), "")
    if wanted:
        for what, found, names in (("times", time, TIME_COLUMNS), ("values", value, VALUE_COLUMNS)):
            if found is None:
                raise InputError(f"no column of {what} is found", f"call it {', '.join(names)}")
    if asked.task == "classify" or time is None or value is None:
        return None
    if not wanted and (time.lower(), value.lower()) not in CERTAIN:
        if asked.inputs:
            return None
        numbers = pd.to_numeric(frame[value], errors="coerce")
        if numbers.isna().mean() > 0.5 or (not series and numbers.nunique() < min(DISTINCT, len(frame) // 2)):
            return None
    return Roles(time, value, series)


def read(frame: pd.DataFrame, roles: Roles, channels: Sequence[str], name: str) -> pd.DataFrame:
    """The columns that matter, in their types, in order of series and time.

    Raises:
        InputError: a time is none; a cell that is no number.
    """
    frame = frame.reset_index(drop=True)
    called: pd.Series[Any] = frame[roles.series].astype(str) if roles.series else pd.Series("", index=frame.index)
    made: dict[str, pd.Series[Any]] = {"series": called}
    made["time"] = _times(frame[roles.time], roles.time, name)
    for channel in channels:
        cells = frame[channel]
        numbers = pd.to_numeric(cells, errors="coerce").astype(np.float64)
        empty = cells.isna() | (cells.astype(str).str.strip() == "")
        wrong = np.flatnonzero((numbers.isna() & ~empty) | np.isinf(numbers))
        if wrong.size:
            cell = str(cells.iloc[int(wrong[0])])[:30]
            raise InputError(f"{name}: row {wrong[0] + 1}, column {channel!r} is {cell!r}, no number", "mend it")
        made[f"value/{channel}"] = numbers
    table = pd.DataFrame(made)
    table["row"] = table.index + 1
    table = table.sort_values(["series", "time"], kind="stable")
    twice = table.duplicated(["series", "time"]).to_numpy()
    if twice.any():
        row = table[twice].iloc[0]
        of = f" of series {row['series']!r}" if roles.series else ""
        raise InputError(f"{name}: row {row['row']} has time {row['time']}{of} again", "leave one of them out")
    return table


def _times(column: pd.Series[Any], called: str, name: str) -> pd.Series[Any]:
    """Whole numbers, or dates."""
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all() and not pd.api.types.is_datetime64_any_dtype(column):
        if (numbers == numbers.round()).all():
            return numbers.astype(np.int64)
        raise InputError(f"{name}: column {called!r} holds fractions of steps", "whole numbers or dates are wanted")
    dates = pd.to_datetime(column, errors="coerce", utc=zoned(column), format=None if column.empty else "mixed")
    wrong = np.flatnonzero(dates.isna())
    if wrong.size:
        cell = str(column.iloc[int(wrong[0])])[:30]
        raise InputError(
            f"{name}: row {wrong[0] + 1}, column {called!r} is {cell!r}, no time", "mend it: 2024-01-31 09:00"
        )
    return dates.dt.tz_localize(None) if dates.dt.tz is not None else dates


def zoned(column: pd.Series[Any]) -> bool:
    """Whether times carry zones; all are then taken to UTC, in which no hour is missing or comes twice."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return getattr(column.dt, "tz", None) is not None
    return bool(column.head(100).astype(str).str.contains(r"(?:Z|[+-]\d\d:?\d\d)\s*$", regex=True).any())


def step_of(table: pd.DataFrame, name: str) -> str:
    """From one time to the next, as pandas writes it; empty where times are numbers one apart."""
    if not pd.api.types.is_datetime64_any_dtype(table["time"]):
        return ""
    first = table.loc[table["series"] == table["series"].iloc[0], "time"]
    if len(first) < 3:
        raise InputError(f"{name}: its first series has {len(first)} steps", "a row for each step is wanted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas will return an offset one day
        inferred = pd.infer_freq(pd.DatetimeIndex(first))
    usual = pd.tseries.frequencies.to_offset(first.diff().mode().iloc[0])
    return str(getattr(inferred, "freqstr", inferred) or _calendar_step(first) or usual.freqstr)


def _calendar_step(times: pd.Series[Any]) -> str:
    """Months, quarters and years are not equally long; with gaps pandas does not see them by itself."""
    days = times.diff().dropna().dt.days.median()
    for letters, low, high in (("MS", 28, 31), ("QS", 89, 92), ("YS", 364, 366)):
        if low <= days <= high and (times.dt.day == 1).all():
            return letters
    return ""


def regular(
    table: pd.DataFrame, step: str, channels: Sequence[str], asked: Continued, name: str
) -> tuple[Ragged, tuple[str, ...], tuple[str, ...], int]:
    """Each series at every step from its first to its last value; gaps filled as asked.

    Returns:
        The series, their names, their first times, and how many steps were filled.
    """
    cells = [f"value/{channel}" for channel in channels]
    series, names, starts, missing, whole = [], [], [], 0, 0
    worst = ""
    for called, rows in table.groupby("series", sort=True):
        values = rows.set_index("time")[cells]
        values = values.loc[: values[cells[0]].last_valid_index()]  # what is known ahead only is for `predict`
        if not len(values) or values[cells[0]].isna().all():
            raise InputError(f"{name}: series {called!r} has no values", "leave it out")
        values = values.loc[values[cells[0]].first_valid_index() :]
        steps = every(values.index[0], values.index[-1], step)
        off = values.index.difference(steps)
        if len(off):
            raise InputError(
                f"{name}: series {called!r} has a value at {off[0]}, between two steps ({step or '1'})",
                "bring all times to one step",
            )
        values = values.reindex(steps)
        gaps = values.isna().any(axis=1)
        if gaps.any() and not worst:
            worst = f"series {called!r} lacks" if called else "the series lacks"
            first = values.index[int(gaps.to_numpy().argmax())]
            worst += f" {int(gaps.sum()):,} of {len(values):,} steps, the first {first}"
        missing += int(gaps.sum())
        whole += len(values)
        if gaps.any() and asked.impute:
            values = (values.interpolate() if asked.impute == "linear" else values.ffill()).ffill().bfill()
        series.append(values.to_numpy(dtype=np.float32))
        names.append(str(called))
        starts.append(str(values.index[0]))
    if missing and not asked.impute:
        raise InputError(
            f"{name}: {worst}", "--impute linear fills gaps with a line, --impute last with the last value"
        )
    empty = [channel for channel, broken in zip(channels, np.isnan(np.concatenate(series)).any(axis=0)) if broken]
    if empty:
        raise InputError(f"{name}: column {empty[0]!r} is empty in one series", "fill it in or leave it out")
    if not np.isfinite(np.concatenate(series)).all():
        raise InputError(f"{name}: it holds numbers that 32 bits cannot", "scale the data down")
    return Ragged.of(series), tuple(names), tuple(starts), missing


def latest(
    frame: pd.DataFrame, future: Future, name: str
) -> tuple[list[str], list[NDArray[np.float32]], list[pd.Index[Any]]]:
    """The last steps of each series, as a model takes them to continue them.

    Returns:
        The name of each series, its window (T C), and the times of its future.

    Raises:
        InputError: a column is missing, a series is too short, or what must be known of its future is not there.
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    for column in filter(None, (future.time, future.series, *future.channels)):
        if column not in frame.columns:
            raise InputError(f"{name}: there is no column {column!r}", near(column, list(frame.columns)))
    table = read(frame, Roles(future.time, future.channels[0], future.series), future.channels, name)
    if bool(future.step) != pd.api.types.is_datetime64_any_dtype(table["time"]):
        raise InputError(f"{name}: column {future.time!r} holds other times than the training data")
    names, windows, times = [], [], []
    cells = [f"value/{channel}" for channel in future.channels]
    for called, rows in table.groupby("series", sort=True):
        values = rows.set_index("time")[cells]
        end = values[cells[0]].last_valid_index()
        of = f"{name}: series {called!r}" if called else name
        if end is None:
            raise InputError(f"{of} has no values", "leave it out")
        steps = every_from(end, -future.lookback + 1, future.step)
        ahead = every_from(end, future.horizon, future.step)[1:]
        seen = values.reindex(steps)
        if seen.isna().to_numpy().any():
            first = seen.index[int(seen.isna().any(axis=1).to_numpy().argmax())]
            raise InputError(
                f"{of} lacks a value at {first}: its last {future.lookback} steps are wanted, {future.step or 1} apart",
                "fill the gap in, or give more of the series",
            )
        window = seen.to_numpy(dtype=np.float32)
        unknown = np.zeros((future.steps - future.lookback, window.shape[1]), dtype=np.float32)
        if future.known:
            known = values[cells[1 : 1 + future.known]].reindex(ahead)
            if known.isna().to_numpy().any():
                raise InputError(
                    f"{of}: {', '.join(future.channels[1 : 1 + future.known])} must be known up to {ahead[-1]}",
                    f"add rows for the {future.horizon} steps ahead, with an empty {future.channels[0]!r}",
                )
            unknown[:, 1 : 1 + future.known] = known.to_numpy(dtype=np.float32)
        dated = columns(steps.append(ahead)[: future.steps], future.calendar)
        window = np.hstack((np.concatenate((window, unknown)), dated))
        names.append(str(called) or name)
        windows.append(window)
        times.append(ahead)
    return names, windows, times
