"""Items as classical methods take them: texts, or a row of numbers an item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.data.blocks import Blocks
from triarch.data.preprocess import Preprocessor
from triarch.data.source import Source
from triarch.data.store import Texts
from triarch.data.windows import Windows

LONGEST_ROW, RESAMPLED = 256, 64
LARGEST_SIDE = 32
MOST_ITEMS, MOST_BYTES = 50_000, 50_000_000

Table = NDArray[np.float32] | list[str]
WINDOWS = 4_096


def tabulate(source: Source, preprocessor: Preprocessor, lengths: NDArray[np.int64], rows: NDArray[np.int64]) -> Table:
    """The inputs `rows`, normalised and flattened.

    Images above 32 pixels are averaged down to at most that. Where series differ in length, shorter ones are filled up
    with zeros; with more than 256 steps in the longest, each is instead resampled to 64 steps, linearly.
    """
    if isinstance(source.inputs, Blocks):
        assert preprocessor.tokenizer is not None
        return [preprocessor.tokenizer.decode(source.inputs[row][1:].tolist()) for row in rows.tolist()]
    if source.modality == "text":
        return [str(source.inputs[row]) for row in rows.tolist()]
    if isinstance(source.inputs, Windows):
        pieces = np.split(rows, range(WINDOWS, len(rows), WINDOWS))
        return np.concatenate(
            [np.asarray(preprocessor.normalise(source.take(piece))).reshape(len(piece), -1) for piece in pieces]
        )
    unequal = source.modality == "series" and bool((lengths != lengths[0]).any())
    resampled = unequal and int(lengths.max()) > LONGEST_ROW

    def flat(row: int) -> NDArray[Any]:
        item = np.asarray(preprocessor.normalise(source.take(np.array([row])))[0])
        if source.modality == "image":
            return _shrunk(item).ravel()
        return (_resample(item) if resampled else item).ravel()

    width = preprocessor.settings.shape[1] * int(lengths.max()) if unequal and not resampled else flat(0).size
    table = np.zeros((len(rows), width), dtype=np.float32)
    for number, row in enumerate(rows.tolist()):
        item = flat(row)
        table[number, : item.size] = item
    return table


def enough(source: Source, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a classical method learns from: at most 50,000 items, or texts of 50 MB, evenly spread."""
    share = len(rows) / MOST_ITEMS
    if isinstance(source.inputs, Texts):
        share = int(source.inputs.encoded.lengths[rows].sum()) / MOST_BYTES
    return rows[:: max(1, int(np.ceil(share)))]


def _shrunk(image: NDArray[Any]) -> NDArray[Any]:
    """(C Y X) averaged over blocks until no side is above 32; what does not fill a block at the edge is left out."""
    factor = -(-max(image.shape[1:]) // LARGEST_SIDE)
    if factor == 1:
        return image
    down, across = (min(factor, side) for side in image.shape[1:])
    rows, columns = image.shape[1] // down, image.shape[2] // across
    blocks = image[:, : rows * down, : columns * across].reshape(len(image), rows, down, columns, across)
    means: NDArray[Any] = blocks.mean(axis=(2, 4))
    return means


def _resample(series: NDArray[Any]) -> NDArray[np.float32]:
    """(T C) → (64 C), linear between steps."""
    places = np.linspace(0, len(series) - 1, RESAMPLED)
    channels = [np.interp(places, np.arange(len(series)), channel) for channel in series.T]
    return np.stack(channels, axis=1).astype(np.float32)
