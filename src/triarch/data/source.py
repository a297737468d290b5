"""Raw data as it came, checked, before anything is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.core.spec import Modality

FEWEST_PER_CLASS = 3

Inputs = NDArray[Any] | list[str] | list[NDArray[Any]]


@dataclass(frozen=True)
class Source:
    """A data set in memory.

    Attributes:
        inputs: images (I C Y X); series (I T C), or a list of (T C) where lengths differ; a list of texts.
        labels: (I), positions in `class_names`.
        groups: (I), items of one group stay in one split; None: each item is its own.
        scale: the value of white in images; pixels are divided by it.
        notes: what was inferred, in words.
    """

    name: str
    modality: Modality
    inputs: Inputs
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    groups: NDArray[Any] | None = None
    scale: float = 1.0
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: inputs, labels and names."""
        digest = blake2b(digest_size=16)
        for item in self.inputs:
            content = item.encode() if isinstance(item, str) else np.ascontiguousarray(item).tobytes()
            digest.update(len(content).to_bytes(8, "little") + content)
        digest.update(self.labels.tobytes() + "\0".join(self.class_names).encode())
        return digest.hexdigest()

    def take(self, index: NDArray[np.int64]) -> Inputs:
        """The raw inputs at `index`."""
        if isinstance(self.inputs, np.ndarray):
            return self.inputs[index]
        return [self.inputs[number] for number in index]


def check(source: Source) -> Source:
    """The source itself, where it is whole.

    Raises:
        InputError: inputs and labels differ in number; a value is missing.
    """
    name = source.name
    if len(source.inputs) != len(source.labels):
        raise InputError(
            f"{name}: {len(source.inputs):,} inputs but {len(source.labels):,} labels",
            "give one label for each input",
        )
    for row, item in enumerate(source.inputs):
        if isinstance(item, np.ndarray) and not np.isfinite(item).all():
            raise InputError(f"{name}: row {row} has a missing or infinite value", "fill it in or leave the row out")
        if isinstance(item, np.ndarray) and item.size == 0:
            raise InputError(f"{name}: row {row} is empty", "leave the row out")
    return source


def check_learnable(source: Source) -> None:
    """Check that it can be split and learned from.

    Raises:
        InputError: fewer than two classes; a class with fewer items than there are splits.
    """
    name = source.name
    if len(source.class_names) < 2:
        raise InputError(
            f"{name}: only {len(source.class_names)} class in the labels", "classification needs two or more"
        )
    counts = np.bincount(source.labels, minlength=len(source.class_names))
    if counts.min() < FEWEST_PER_CLASS:
        rare = source.class_names[int(counts.argmin())]
        raise InputError(
            f"{name}: class {rare!r} has {counts.min()} item(s); each split needs one, so {FEWEST_PER_CLASS} at least",
            "collect more, or leave the class out",
        )


def number_labels(labels: Sequence[Any] | NDArray[Any], name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels of any kind → their positions among the sorted class names.

    Raises:
        InputError: missing, continuous or multi-label.
    """
    array = np.asarray(labels)
    if array.ndim != 1:
        raise InputError(f"{name}: the labels have shape {array.shape}, one label an item is wanted")
    missing = np.flatnonzero(pd.isna(pd.Series(list(labels), dtype=object)))
    if missing.size:
        raise InputError(f"{name}: row {missing[0]} has no label", "fill it in or leave the row out")
    if array.dtype.kind == "f":
        continuous = np.flatnonzero(~np.isfinite(array) | (array != array.round()))
        if continuous.size:
            raise InputError(
                f"{name}: the labels are continuous (row {continuous[0]})", "only classes can be learned so far"
            )
        array = array.astype(np.int64)
    elif array.dtype.kind == "O":
        array = array.astype(str)
    values, positions = np.unique(array, return_inverse=True)
    return positions.astype(np.int64), tuple(str(value) for value in values)
