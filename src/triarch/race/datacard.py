"""What a report shows of the data itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.data.dataset import Dataset

SAMPLES = 12


@dataclass(frozen=True)
class DataCounts:
    """Counts of a data set.

    Attributes:
        copies: items whose input is exactly that of an earlier one.
        classes: class → items in each split, in the order of `splits`; empty where the target is no class.
        lengths: steps of the shortest, the median, the 95th percentile and the longest item as models take them; empty
            for images.
    """

    modality: str
    shape: list[int]
    items: int
    copies: int
    splits: dict[str, int]
    classes: dict[str, list[int]]
    lengths: dict[str, int]
    split: str


@dataclass(frozen=True)
class Sample:
    """An item of the training split, as `shown` has it."""

    item: int
    content: NDArray[Any] | str
    label: str


@dataclass(frozen=True)
class DataCard:
    """Counts and a few items of a data set."""

    counts: DataCounts
    samples: list[Sample]


def count(dataset: Dataset) -> DataCounts:
    """The counts of a data set."""
    source, spec = dataset.source, dataset.spec
    names = spec.target.names if spec.target.kind == "class" else ()
    by_split = [np.bincount(source.labels[rows], minlength=len(names)) for rows in dataset.splits.values() if names]
    steps = dataset.lengths if source.continued is None else source.continued.panel.lengths
    told = {
        "shortest": steps.min(), "median": np.median(steps), "95th percentile": np.percentile(steps, 95),
        "longest": steps.max(),
    }  # fmt: skip
    return DataCounts(
        modality=spec.modality,
        shape=list(spec.shape),
        items=len(source),
        copies=0 if source.units is not None else len(source) - len(np.unique(source.input_prints)),
        splits={name: len(rows) for name, rows in dataset.splits.items()},
        classes={name: [int(counts[number]) for counts in by_split] for number, name in enumerate(names)},
        lengths={} if spec.modality == "image" else {name: round(float(value)) for name, value in told.items()},
        split=spec.split,
    )


def samples(dataset: Dataset) -> list[Sample]:
    """The first training item of each class, class after class, as far as there is room, then second ones."""
    if dataset.source.continued is not None:
        return _stretches(dataset)
    rows, names = dataset.splits["train"], dataset.spec.target.names
    if not names:
        parallel = dataset.source.parallel
        return [
            Sample(int(row), shown(dataset, int(row)), parallel.texts[int(row)] if parallel else "")
            for row in rows[:SAMPLES]
        ]
    labels = dataset.source.labels[rows]
    order = np.argsort(labels, kind="stable")
    begin = np.r_[True, np.diff(labels[order]) != 0]
    place = np.arange(len(order)) - np.flatnonzero(begin)[np.cumsum(begin) - 1]
    chosen = rows[order[np.lexsort((labels[order], place))][:SAMPLES]]
    return [Sample(int(row), shown(dataset, int(row)), names[dataset.source.labels[row]]) for row in chosen]


def _stretches(dataset: Dataset) -> list[Sample]:
    """The first series, whole."""
    continued = dataset.source.continued
    assert continued is not None
    return [
        Sample(number, continued.panel[number][:, :1], name)
        for number, name in enumerate(continued.names[:SAMPLES])
    ]  # fmt: skip


def shown(dataset: Dataset, item: int) -> NDArray[Any] | str:
    """An item as a report takes it: an image (C Y X) of floats 0 to 1, a text, or a series (T C)."""
    (content,) = dataset.raw(np.array([item]))
    if isinstance(content, str):
        return content
    return np.asarray(content, dtype=np.float32) / dataset.source.scale
