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
from triarch.data.buckets import Buckets, usual
from triarch.data.dataset import Dataset

BATCHES_PER_BUCKET = 32


class Stream(TorchDataset[Batch]):
    """Batches of one split, epoch after epoch, each epoch in a new order.

    Where items differ in length, each bucket of neighbours in that order is sorted by length before it is cut into
    batches, and the batches are shuffled: little padding, little loss of randomness. Batches of texts and what they
    become are bounded by steps instead, see `Buckets`: more items where these are short.

    Args:
        batch_size: items of a batch, of texts that become others on average; the split's size where that is less.
        augment: varies each batch; None: items come as they are.
        batch_tokens: steps of a batch of texts and what they become, with padding, at most; None: as many as
            `batch_size` items of mean length have.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, seed: int, split: str = "train", augment: Augmenter | None = None,
        batch_tokens: int | None = None,
    ) -> None:  # fmt: skip
        self.dataset, self.augment = dataset, augment
        self.items = dataset.rows(split)
        self.batch_size = min(batch_size, len(self.items))
        self.seed = seed
        self.buckets: Buckets | None = None
        if dataset.answers is not None:
            sides = dataset.sides[self.items]
            self.buckets = Buckets(sides, batch_tokens or usual(sides, self.batch_size))
        self.per_epoch = self.buckets.batches if self.buckets else len(self.items) // self.batch_size
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
        if self.buckets is not None:
            return [self.items[places] for places in self.buckets.epoch(random)]
        order = random.permutation(self.items)[: self.per_epoch * self.batch_size]
        if not self.dataset.spec.ragged:
            return list(order.reshape(self.per_epoch, self.batch_size))
        bucket = BATCHES_PER_BUCKET * self.batch_size
        buckets = [
            part[np.argsort(self.dataset.lengths[part], kind="stable")]
            for part in np.split(order, range(bucket, len(order), bucket))
        ]
        return list(random.permutation(np.concatenate(buckets).reshape(self.per_epoch, self.batch_size)))


class _Count:
    """first, first + 1, …"""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1
