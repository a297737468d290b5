"""Long frames → Source of windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
import pandas as pd

from triarch.core.errors import InputError, near
from triarch.core.spec import Future
from triarch.data.asked import Asked, listed
from triarch.data.calendar import columns, cycles
from triarch.data.long_frame import Roles, read, regular, step_of, zoned
from triarch.data.season import best, movement, plausible, season
from triarch.data.source import Continuation, Source
from triarch.data.store import Ragged
from triarch.data.times import times_of
from triarch.data.windows import Windows, cut, futures, training_steps

HORIZONS = {"min": 60, "h": 24, "D": 14, "B": 10, "W": 8, "M": 12, "Q": 4, "Y": 6}
SHORTEST_LOOKBACK, LONGEST_LOOKBACK = 8, 512
REPEATS, FEWEST_RECENT = 3, 16


def from_long(frame: pd.DataFrame, roles: Roles, asked: Asked, name: str) -> Source:
    """A long frame as windows.

    Raises:
        InputError: times that are no times, or not one step apart; missing values; a series that is too short.
    """
    asked.refuse(f"{name}: series to be continued", "image_size")
    asked_for = asked.continued
    channels, known = _channels(frame, roles, asked, name)
    table = read(frame, roles, channels, name)
    step = step_of(table, name)
    notes = [
        f"series to be continued: {roles.value!r} by {roles.time!r}" + f" of {roles.series!r}" * bool(roles.series)
    ]
    if asked_for.calendar and not step:
        raise InputError(
            f"{name}: column {roles.time!r} holds numbers, where dates are wanted: they tell the"
            f" {asked_for.calendar[0]}",
            "give dates, or a model that knows no calendar",
        )
    panel, names, starts, filled = regular(table, step, channels, asked_for, name)
    if zoned(frame[roles.time]):
        notes.append("times with zones are taken to UTC")
    left = [str(column) for column in frame.columns if column not in (roles.time, roles.series, *channels)]
    if left:
        notes.append(f"not used: {', '.join(left)}; --known or --input takes them in")
    if filled:
        notes.append(f"{filled:,} missing steps filled ({asked_for.impute})")
    horizon = asked_for.horizon or _horizon(step, int(np.median(panel.lengths)))
    shortest = int(panel.lengths.argmin())
    train = [training_steps(int(steps), horizon) for steps in panel.lengths]
    if min(train) < horizon + 2:
        raise InputError(
            f"{name}: series {names[shortest]!r} has {panel.lengths[shortest]} steps, too few to learn"
            f" and judge {horizon} steps ahead",
            f"--horizon {max(1, int(panel.lengths[shortest]) // 6)}, or leave the series out",
        )
    parts = [panel[number][:steps, 0].astype(np.float64) for number, steps in enumerate(train)]
    lags = plausible(parts, step)
    period = asked_for.season or season(parts, lags)
    lags = tuple(sorted({*lags, period}))
    repeat = best(parts, lags, horizon)
    lookback = asked_for.lookback or _lookback(lags, horizon, min(train))
    if lookback + horizon > min(train):
        raise InputError(
            f"{name}: --lookback {lookback} and a horizon of {horizon} do not fit into the {min(train)} steps"
            f" that series {names[shortest]!r} has for training",
            f"--lookback {max(1, min(train) - horizon)} or less",
        )
    units = np.array([movement(part, period) for part in parts], dtype=np.float32)
    longest = int(np.argmax(train))
    told = cycles(times_of(starts[longest], train[longest], step)) if asked_for.calendar is None else asked_for.calendar
    future = Future(
        horizon, lookback, period, min(repeat, lookback), step, roles.series, roles.time, tuple(channels), known,
        *_back(lags, horizon, lookback), told, float(np.median(units)),
    )  # fmt: skip
    panel = _dated(panel, starts, future)
    found = cut(panel, future)
    notes += [
        f"{horizon} steps ahead ({step or 'numbered steps'}), season {period}, look-back {lookback}",
        *_seen(future),
        f"{len(names):,} series of {int(panel.lengths.min()):,} to {int(panel.lengths.max()):,} steps",
    ]
    if found.overlap:
        notes.append("windows of select and confirm overlap, so their intervals are too narrow")
    return Source(
        name,
        "series",
        Windows(panel.flat, found.starts, future),
        futures(panel, found, horizon),
        (),
        parts=found.parts,
        notes=notes,
        digest=_fingerprint(panel, names, future),
        continued=Continuation(future, lags, names, starts, panel, found.series, found.origins, units[found.series]),
    )


def to_long(continued: Continuation) -> pd.DataFrame:
    """The series as a long frame, from which `from_long` makes the same windows."""
    future, frames = continued.future, []
    for name, start, part in zip(continued.names, continued.starts, continued.panel):
        frame = pd.DataFrame(part[:, : len(future.channels)], columns=list(future.channels))
        frame.insert(0, future.time, times_of(start, len(part), future.step))
        frames.append(frame.assign(**{future.series: name}) if future.series else frame)
    return pd.concat(frames, ignore_index=True)


def _dated(panel: Ragged, starts: Sequence[str], future: Future) -> Ragged:
    """The series and what the calendar tells of each step."""
    if not future.calendar:
        return panel
    times = (times_of(start, len(part), future.step) for start, part in zip(starts, panel))
    return Ragged.of([np.hstack((part, columns(at, future.calendar))) for part, at in zip(panel, times)])


def _channels(frame: pd.DataFrame, roles: Roles, asked: Asked, name: str) -> tuple[list[str], int]:
    """The columns of the input, the one to be continued first, then those known ahead; and how many of these.

    What is fixed for a series may be any input: it is seen in the look-back.
    """
    columns = [str(column) for column in frame.columns]
    known, inputs = listed(asked.continued.known, columns), listed(asked.inputs, columns)
    for column in (*known, *inputs):
        if column not in columns:
            raise InputError(f"{name}: there is no column {column!r}", near(column, columns))
        if column in (roles.time, roles.value, roles.series):
            raise InputError(f"{name}: column {column!r} cannot be an input too", "leave it out")
    others = [column for column in inputs if column not in known]
    return [roles.value, *known, *others], len(known)


def _horizon(step: str, steps: int) -> int:
    letters = step.split("-")[0].lstrip("0123456789")
    usual = next((ahead for start, ahead in HORIZONS.items() if letters.startswith(start)), 12)
    return max(1, min(usual, steps // 20))


def _lookback(lags: Sequence[int], horizon: int, train: int) -> int:
    """Two horizons, and every plausible lag three times, as far as training has room for them; no more than 512."""
    wanted = max(
        2 * horizon, SHORTEST_LOOKBACK,
        *(times * lag for lag in lags for times in range(1, REPEATS + 1) if times * lag <= LONGEST_LOOKBACK),
    )  # fmt: skip
    return max(1, min(wanted, LONGEST_LOOKBACK, max(1, (train - horizon) // 2), train - horizon))


def _seen(future: Future) -> Iterator[str]:
    """What a network sees besides, in words."""
    if future.lags:
        lags = ", ".join(map(str, future.lags))
        yield f"seen are the last {future.recent} steps, and beside each step, those ahead too, those {lags} before it"
    if future.calendar:
        yield f"told of each step: its place in the {', '.join(future.calendar)}"


def _back(lags: Sequence[int], horizon: int, lookback: int) -> tuple[int, tuple[int, ...]]:
    """How many steps are seen one by one, and the lags at which others are: three of each season, none too short to be
    known of every step ahead.
    """
    found = set()
    for lag in lags:
        first = -(-horizon // lag)
        found |= {lag * times for times in range(first, first + REPEATS) if lag > 1 and lag * times <= lookback}
    recent = min(lookback, max(2 * horizon, FEWEST_RECENT)) if found else lookback
    return recent, tuple(sorted(found))


def _fingerprint(panel: Ragged, names: Sequence[str], future: Future) -> str:
    hashed = blake2b(digest_size=16)
    for content in (panel.flat.tobytes(), panel.offsets.tobytes(), "\0".join(names).encode(), repr(future).encode()):
        hashed.update(len(content).to_bytes(8, "little") + content)
    return hashed.hexdigest()
