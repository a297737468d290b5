"""The tasks of the replay table: real data cut down until a training of seconds tells something, and who races."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data import SETS
from triarch.data.asked import Continued
from triarch.data.builtin import BUILT_IN
from triarch.data.dataset import Dataset, prepare
from triarch.data.open import open_source
from triarch.data.source import Source
from triarch.data.store import Texts

CAPS = {"train": 3_000, "select": 500, "confirm": 1_000}
LONGEST = 200  # characters of a text

IMAGE = (
    *("plain/nano", "plain/micro", "resnet/nano", "convnext/nano"),
    *("gru/nano", "lstm/nano", "mingru/nano"),
    *("vit/nano", "encoder/nano"),
    "griffin/nano",
)
TEXT = (
    *("textcnn/nano", "textcnn/micro", "plain/nano", "tcn/nano"),
    *("gru/nano", "lstm/nano", "lstm/micro"),
    *("encoder/nano", "decoder/nano"),
    "griffin/nano",
)
SERIES = (
    *("plain/nano", "plain/micro", "resnet/nano", "tcn/nano"),
    *("gru/nano", "lstm/nano", "mingru/nano"),
    *("encoder/nano", "patchtst/nano"),
    "griffin/nano",
)
FUTURE = (
    *("plain/nano", "plain/micro", "resnet/nano", "tcn/nano"),
    *("gru/nano", "lstm/nano", "rnn/nano"),
    *("encoder/nano", "decoder/nano"),
    "griffin/nano",
)


@dataclass(frozen=True)
class Known:
    """A task.

    Attributes:
        data: a built-in set, or one of bench/data.py.
        kind: of data, in words.
        change: of the source before it is split.
        continued: how series are continued.
        image_size: the shorter side of pictures.
    """

    data: str
    kind: str
    models: tuple[str, ...]
    change: Callable[[Source], Source] = lambda source: source
    continued: Continued = Continued()  # noqa: RUF009
    image_size: int | None = None

    def open(self, folder: Path) -> Dataset:
        """The data, cut down and split.

        Args:
            folder: that of bench/data.py.
        """
        place = self.data if self.data in BUILT_IN else folder / SETS[self.data].place
        source = open_source(place, image_size=self.image_size, continued=self.continued)
        return capped(prepare(self.change(source)))


def capped(dataset: Dataset) -> Dataset:
    """No more items in a split than `CAPS`, drawn by lot, always the same."""
    random = np.random.default_rng(0)
    splits = {name: np.sort(random.permutation(rows)[: CAPS[name]]) for name, rows in dataset.splits.items()}
    return replace(dataset, splits=splits) if not dataset.folds else dataset


def pooled(source: Source) -> Source:
    """As though training and test had come in one file."""
    return replace(source, parts=None)


def thinned(source: Source) -> Source:
    """As `pooled`, with the means of four steps at a time."""
    inputs = np.asarray(source.inputs)
    count, steps, channels = inputs.shape
    short = inputs[:, : steps - steps % 4].reshape(count, steps // 4, 4, channels).mean(axis=2)
    return _anew(source, np.arange(count), short.astype(np.float32))


def halved(source: Source) -> Source:
    """Squares of 2 × 2 pixels averaged, of some of the pictures."""
    rows = _some(source, 8_000)
    pictures = np.asarray(source.inputs)[rows].astype(np.float32)
    count, channels, height, width = pictures.shape
    small = pictures.reshape(count, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5))
    return _anew(source, rows, small)


def beginnings(source: Source) -> Source:
    """The first `LONGEST` characters of some of the texts."""
    rows = _some(source, 8_000)
    return _anew(source, rows, Texts.of(source.inputs[int(row)][:LONGEST] for row in rows))  # type: ignore[index]


def _some(source: Source, most: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(len(source))[:most])


def _anew(source: Source, rows: NDArray[np.int64], inputs: NDArray[np.float32] | Texts) -> Source:
    """Some items of a source, with other inputs."""
    groups = None if source.groups is None else source.groups[rows]
    return Source(source.name, source.modality, inputs, source.labels[rows], source.class_names, groups, None,
                  source.scale)  # fmt: skip


WEEK = Continued(horizon=24, lookback=168)

TASKS: dict[str, Known] = {
    "digits": Known("digits", "images", IMAGE),
    "languages": Known("languages", "texts", TEXT),
    "japanese-vowels": Known("japanese-vowels", "series", SERIES),
    "traffic": Known("traffic", "forecast", FUTURE, continued=WEEK),
    "fashion-mnist": Known("fashion-mnist", "images", IMAGE, halved),
    "debian-sections": Known("debian-sections", "texts", TEXT, beginnings),
    "osuleaf": Known("osuleaf", "series", SERIES, thinned),
    "co2": Known("co2", "forecast", FUTURE),
    "emoji-pictures": Known("emoji-pictures", "images", IMAGE, image_size=16),
    "spam-assassin": Known("spam-assassin", "texts", TEXT, beginnings),
    "italy-power-demand": Known("italy-power-demand", "series", SERIES, pooled),
    "electricity": Known("electricity", "forecast", FUTURE, continued=WEEK),
}
"""In the order in which they are recorded."""
