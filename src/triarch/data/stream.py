"""The endless sequence of training batches: batch k is a function of (seed, k) alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from triarch.core.types import Batch
from triarch.data.augment.augmenter import Augmenter
from triarch.data.dataset import Dataset

BATCHES_PER_BUCKET = 32


class Stream(TorchDataset[Batch]):
    """Batches of one split, epoch after epoch, each epoch in a new order.

    Where items differ in length, each bucket of neighbours in that order is sorted by length before it is cut into
    batches, and the batches are shuffled: little padding, little loss of randomness. Texts and what they become are
    cut so that all batches of a bucket have about as many steps: more items where these are short.

    Args:
        batch_size: items of a batch, of texts that become others on average; the split's size where that is less.
        augment: varies each batch; None: items come as they are.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, seed: int, split: str = "train", augment: Augmenter | None = None
    ) -> None:
        self.dataset, self.augment = dataset, augment
        self.items = dataset.rows(split)
        self.batch_size = min(batch_size, len(self.items))
        self.seed = seed
        self.per_epoch = len(self.items) // self.batch_size
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def __getitem__(self, number: int) -> Batch:
        epoch, position = divmod(number, self.per_epoch)
        batch = self.dataset.batch(self._epoch(epoch)[position])
        return batch if self.augment is None else self.augment(batch, self.seed, number)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_epoch"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def start(self, first: int, workers: int = 0) -> Iterator[Batch]:
        """The batches from number `first` on; `workers` processes make them ahead, the same bits as none."""
        if workers:
            # Its own generator: the loader would else draw from torch's, and dropout with it would change.
            own = torch.Generator()
            yield from DataLoader(self, batch_size=None, sampler=_Count(first), num_workers=workers, generator=own)
        number = first
        while True:
            yield self[number]
            number += 1

    def _make_epoch(self, epoch: int) -> Sequence[NDArray[np.int64]]:
        """The items of each batch of an epoch."""
        random = np.random.Generator(np.random.Philox(key=[self.seed, epoch]))
        order = random.permutation(self.items)[: self.per_epoch * self.batch_size]
        if not self.dataset.spec.ragged:
            return list(order.reshape(self.per_epoch, self.batch_size))
        bucket = BATCHES_PER_BUCKET * self.batch_size
        buckets = [
            part[np.argsort(self.dataset.lengths[part], kind="stable")]
            for part in np.split(order, range(bucket, len(order), bucket))
        ]
        if self.dataset.answers is not None:
            batches = [
                batch for part in buckets for batch in _of_like_work(part, self.dataset.lengths[part], self.batch_size)
            ]
            return [batches[number] for number in random.permutation(len(batches))]
        return list(random.permutation(np.concatenate(buckets).reshape(self.per_epoch, self.batch_size)))


def _of_like_work(rows: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """`rows`, in ascending order of their lengths, in batches of about as many steps each, `size` items on average."""
    batches = len(rows) // size
    steps = np.cumsum(lengths)
    cuts = np.searchsorted(steps, steps[-1] * np.arange(1, batches) / batches)
    least = np.arange(1, batches)
    cuts = np.maximum.accumulate(np.maximum(cuts - least, 0)) + least  # each has an item at least
    cuts = np.minimum(cuts, len(rows) - batches + least)
    return np.split(rows, cuts)


class _Count:
    """first, first + 1, …"""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1
