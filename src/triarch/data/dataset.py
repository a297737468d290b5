"""A data set ready to be learned: encoded items, splits, and the Spec that says what they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.errors import InputError, near
from triarch.core.spec import Spec, Target
from triarch.core.types import Batch
from triarch.data.preprocess import Preprocessor, collate
from triarch.data.source import Source, check_learnable
from triarch.data.split import SPLITS, Split, rule, split

LONGEST_ROW, RESAMPLED = 256, 64


@dataclass(frozen=True)
class Dataset:
    """Made by `prepare`.

    Attributes:
        encoded: every item, as the preprocessor makes it.
        splits: the row numbers of each split.
        lengths: steps of each item; 1 for images.
    """

    source: Source
    spec: Spec
    preprocessor: Preprocessor
    encoded: list[NDArray[Any]]
    splits: dict[Split, NDArray[np.int64]]
    lengths: NDArray[np.int64]

    @property
    def longest(self) -> NDArray[np.int64]:
        """The row number of the longest item, (1)."""
        return np.array([self.lengths.argmax()])

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """The items `rows`, in that order."""
        return collate([self.encoded[row] for row in rows], self.source.labels[rows], rows)

    def rows(self, name: str) -> NDArray[np.int64]:
        """The row numbers of a split, or of `all` items.

        Raises:
            InputError: no such split.
        """
        if name == "all":
            return np.arange(len(self.source))
        for known in SPLITS:
            if name == known:
                return self.splits[known]
        raise InputError(f"there is no split {name!r}", near(name, (*SPLITS, "all")))

    def labels(self, name: str) -> NDArray[np.int64]:
        """The class numbers of a split, in the order of `rows`."""
        return self.source.labels[self.rows(name)]

    def table(self, name: str) -> tuple[NDArray[np.float32] | list[str], NDArray[np.int64]]:
        """A split as classical methods take it: texts, or one row of numbers an item, and the labels.

        Images and series are normalised and flattened. Where series differ in length, shorter ones are filled up with
        zeros; with more than 256 steps in the longest, each is instead resampled to 64 steps, linearly.
        """
        rows = self.rows(name)
        if self.spec.modality == "text":
            return [str(self.source.inputs[row]) for row in rows], self.labels(name)
        resampled = self.spec.ragged and self.lengths.max() > LONGEST_ROW
        shape = (RESAMPLED, self.spec.in_channels) if resampled else self.spec.shape
        table = np.zeros((len(rows), int(np.prod(shape))), dtype=np.float32)
        for number, row in enumerate(rows):
            item = _resample(self.encoded[row]) if resampled else self.encoded[row]
            table[number, : item.size] = item.ravel()
        return table, self.labels(name)

    def batches(self, rows: NDArray[np.int64], size: int = 256) -> Iterator[Batch]:
        """The items `rows` in batches, those of like length together."""
        ordered = rows[np.argsort(self.lengths[rows], kind="stable")]
        for start in range(0, len(ordered), size):
            yield self.batch(ordered[start : start + size])


def prepare(source: Source, tokenizer: str = "characters", preprocessor: Preprocessor | None = None) -> Dataset:
    """Split, fit what is fitted on the training split, encode.

    Args:
        tokenizer: of text: `characters` or `bytes`.
        preprocessor: one that was fitted before, instead.

    Raises:
        InputError: it cannot be learned from, or does not fit the preprocessor.
    """
    if preprocessor is None:
        check_learnable(source)
    splits = split(source)
    if preprocessor is None:
        preprocessor = Preprocessor.fit(source.modality, source.take(splits["train"]), source.scale, tokenizer)
    encoded = preprocessor.encode(source.inputs, whole=True)
    image, longest = source.modality == "image", preprocessor.settings.shape[0]
    cut = 0 if image else sum(len(item) > longest for item in encoded)
    if cut:
        note = f"{cut:,} items are longer than {longest} steps and are cut"
        source = replace(source, notes=[*source.notes, note])
        encoded = [item[:longest].copy() for item in encoded]
    lengths = np.array([1 if image else len(item) for item in encoded], dtype=np.int64)
    spec = Spec(
        name=source.name,
        modality=source.modality,
        shape=preprocessor.settings.shape,
        target=Target("class", source.class_names),
        ragged=bool((lengths != lengths[0]).any()),
        vocab_size=preprocessor.tokenizer.get_vocab_size() if preprocessor.tokenizer else 0,
        items=len(source),
        fingerprint=source.fingerprint,
        split=rule(source),
    )
    return Dataset(source, spec, preprocessor, encoded, splits, lengths)


def _resample(series: NDArray[Any]) -> NDArray[np.float32]:
    """(T C) → (64 C), linear between steps."""
    places = np.linspace(0, len(series) - 1, RESAMPLED)
    channels = [np.interp(places, np.arange(len(series)), channel) for channel in series.T]
    return np.stack(channels, axis=1).astype(np.float32)
