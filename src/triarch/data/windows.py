"""Stretches of long series as items: what a model sees, and what comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from triarch.core.spec import Future
from triarch.data.store import Ragged

Parts = NDArray[np.str_]

SELECT, CONFIRM = 0.15, 0.20
ORIGINS, MOST_WINDOWS = 20, 100_000


class Windows(Sequence[NDArray[Any]]):
    """Windows (T C) of equal length, cut out of the series when they are asked for.

    Attributes:
        flat: the series end to end (N C), the channel to be continued first.
        starts: (I), where each window begins.
        future: T is its `steps`; in those ahead, what is not known of them is 0.
    """

    def __init__(self, flat: NDArray[np.float32], starts: NDArray[np.int64], future: Future) -> None:
        self.flat, self.starts, self.future = flat, starts, future
        self.unknown = slice(1 + future.known, len(future.channels))

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, index: NDArray[np.int64]) -> NDArray[np.float32]:
        """The windows at `index` (n T C)."""
        made: NDArray[np.float32] = self.flat[self.starts[index, None] + np.arange(self.future.steps)]
        ahead = made[:, self.future.lookback :]
        ahead[..., 0] = 0
        ahead[..., self.unknown] = 0
        return made

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[Any]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | list[NDArray[Any]]:
        """One window, or a list of them."""
        rows = np.arange(len(self))[index]
        return list(self.take(rows)) if isinstance(index, slice) else self.take(rows[None])[0]


@dataclass(frozen=True)
class Cut:
    """Every window that is learned from or judged by.

    Attributes:
        series, origins: (I), the series of each window and the step in it where the future begins.
        starts: (I), where it begins in all series end to end.
        parts: (I), its split.
        overlap: whether futures of one split share steps.
    """

    series: NDArray[np.int64]
    origins: NDArray[np.int64]
    starts: NDArray[np.int64]
    parts: Parts
    overlap: bool


def training_steps(steps: int, horizon: int) -> int:
    """How many of the first steps of a series are trained on."""
    confirm = max(horizon, round(CONFIRM * steps))
    return steps - confirm - max(horizon, round(SELECT * steps))


def cut(panel: Ragged, future: Future) -> Cut:
    """Cut windows: of each series the last 20% are confirm and the 15% before them select.

    No training window sees a step of them or is asked for one. Windows of select and of confirm begin a horizon after
    each other, so that no step is asked for twice, or less where there would not be 20 of them.
    """
    lengths = panel.lengths
    train = np.array([training_steps(int(steps), future.horizon) for steps in lengths])
    ends = {
        "select": np.array([steps - max(future.horizon, round(CONFIRM * steps)) for steps in lengths.tolist()]),
        "confirm": lengths,
    }
    usable = np.maximum(0, train - future.lookback - future.horizon + 1)
    stride = max(1, -(-int(usable.sum()) // MOST_WINDOWS))
    found = [_origins("train", future.lookback, train, stride, future.horizon)]
    overlap = False
    for part, begin in (("select", train), ("confirm", ends["select"])):
        room = int(np.maximum(0, ends[part] - begin - future.horizon).sum())
        stride = min(future.horizon, max(1, room // ORIGINS))
        overlap = overlap or stride < future.horizon
        found.append(_origins(part, begin, ends[part], stride, future.horizon))
    series, origins, parts = (np.concatenate(columns) for columns in zip(*found))
    starts = panel.offsets[series] + origins - future.lookback
    return Cut(series, origins, starts, parts, overlap)


def _origins(
    part: str, begin: NDArray[np.int64] | int, end: NDArray[np.int64], stride: int, horizon: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Parts]:
    """Series and origins, counted back from the end of the part, so that its last steps are asked for."""
    begins = np.broadcast_to(begin, end.shape)
    each = [np.arange(last - horizon, first - 1, -stride)[::-1] for first, last in zip(begins.tolist(), end.tolist())]
    series = np.repeat(np.arange(len(each)), [len(origins) for origins in each])
    origins = np.concatenate(each) if each else np.zeros(0, dtype=np.int64)
    return series, origins.astype(np.int64), np.full(len(series), part)


def futures(panel: Ragged, found: Cut, horizon: int) -> NDArray[np.float32]:
    """What comes after each window (I H)."""
    first = panel.offsets[found.series] + found.origins
    return np.asarray(panel.flat[first[:, None] + np.arange(horizon), 0], dtype=np.float32)
