"""Less of the same data: subsets of the training split, each part of the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triarch.data.blocks import Blocks
from triarch.data.dataset import Dataset


def first_items(dataset: Dataset, items: int, seed: int = 0) -> Dataset:
    """With only `items` of its training items: of one seed always the same, and part of every larger choice.

    Classes keep their shares; items of one group come together, as more data would bring more groups; of series that
    are continued the latest windows are taken. Select and confirm stay, and so does what was fitted on the whole split:
    the scale of inputs, and the tokenizer, so that losses can be compared.
    """
    return replace(dataset, splits={**dataset.splits, "train": np.sort(_order(dataset, seed)[:items])}, folds=())


def _order(dataset: Dataset, seed: int) -> NDArray[np.int64]:
    """The rows of the training split (I), in the order in which they are taken."""
    source, rows = dataset.source, np.sort(dataset.splits["train"])
    random = np.random.default_rng(seed)
    if source.continued is not None:
        series, origins = source.continued.series[rows], source.continued.origins[rows]
        last = np.zeros(int(series.max()) + 1, dtype=np.int64)
        np.maximum.at(last, series, origins)
        return rows[np.lexsort((series, last[series] - origins))]
    groups = source.inputs.documents if isinstance(source.inputs, Blocks) else source.groups
    if groups is not None:
        _, group = np.unique(groups[rows], return_inverse=True)
        drawn = random.permutation(int(group.max()) + 1)
        return rows[np.argsort(drawn[group], kind="stable")]
    rows = random.permutation(rows)
    labels = source.labels[rows]
    place = np.zeros(len(rows))
    for label in np.unique(labels):
        ours = np.flatnonzero(labels == label)
        place[ours] = (np.arange(len(ours)) + random.random()) / len(ours)
    return rows[np.argsort(place, kind="stable")]
