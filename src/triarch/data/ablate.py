"""Items without a part of what they say: order, context, channels, colour; whole batches.

Where an order is drawn each item has one of its own: so the chance of the draw is in the spread over items, and none
that happens to do little, or that a network happens to bear, decides for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional as F

from triarch.core.types import Batch
from triarch.data.disturb import of_steps, steps_of

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
LEAST = 1e-12

Change = Callable[[Batch, Generator], Batch]


def always(change: Callable[[Batch], Batch]) -> Change:
    """A change without chance, as one that takes random numbers."""

    def make(batch: Batch, random: Generator) -> Batch:  # noqa: ARG001
        return change(batch)

    return make


def shuffle_steps(batch: Batch, random: Generator) -> Batch:
    """The real steps of each sequence in an order of its own, drawn by lot."""
    steps = batch.input.shape[1]
    drawn = random.random((len(batch), steps))
    places = np.arange(steps)
    order = np.where(places < steps_of(batch)[:, None], drawn, 2.0 + places).argsort(axis=1)
    return replace(batch, input=batch.input[torch.arange(len(batch))[:, None], torch.from_numpy(order)])


def exchange(batch: Batch) -> Batch:
    """Each item's input with what is sought of another one of its batch."""
    mask = None if batch.mask is None else batch.mask.roll(1, 0)
    return replace(batch, input=batch.input.roll(1, 0), mask=mask)


def shuffle_patches(batch: Batch, random: Generator, side: int) -> Batch:
    """The square patches of each image in an order of its own; what is left over at the right and below stays.

    Args:
        side: of a patch in pixels; 1: every pixel by itself.
    """
    rows, columns = (length // side * side for length in batch.input.shape[2:])
    patches = F.unfold(batch.input[:, :, :rows, :columns], kernel_size=side, stride=side)
    order = torch.from_numpy(random.random((len(batch), patches.shape[2])).argsort(axis=1))
    patches = patches.gather(2, order[:, None].expand(patches.shape))
    images = batch.input.clone()
    images[:, :, :rows, :columns] = F.fold(patches, (rows, columns), kernel_size=side, stride=side)
    return replace(batch, input=images)


def keep_last(batch: Batch, share: float) -> Batch:
    """The last `share` of each sequence, one step at least."""
    kept = steps_of(batch, share)
    return of_steps(batch, steps_of(batch) - kept, kept)


def without(batch: Batch, channels: Sequence[int]) -> Batch:
    """Images or series with the mean of each of `channels`, which is zero after normalisation, in its place."""
    values = batch.input.clone()
    if values.ndim == 4:
        values[:, list(channels)] = 0
    else:
        values[:, :, list(channels)] = 0
    return replace(batch, input=values)


def gray(batch: Batch, mean: Sequence[float], std: Sequence[float]) -> Batch:
    """Images of red, green and blue with their brightness in all three.

    Args:
        mean, std: by which the channels were normalised.
    """
    middle, spread = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std))
    weight = torch.tensor(LUMA)[:, None, None]
    bright = ((batch.input * spread + middle) * weight).sum(dim=1, keepdim=True)
    return replace(batch, input=(bright - middle) / spread)


def repeat_recent(batch: Batch, steps: int) -> Batch:
    """Series whose last `steps` are repeated in place of what is older."""
    last = batch.input.shape[1] - 1
    back = torch.arange(last, -1, -1)
    return replace(batch, input=batch.input[:, last - back % steps])


def of_the_past(batch: Batch, random: Generator, change: Change, lookback: int) -> Batch:
    """Windows of which the series itself, before its future, is changed as if each were a normalised series."""
    past = batch.input[:, :lookback, :1]
    mean, spread = past.mean(dim=1, keepdim=True), past.std(dim=1, keepdim=True, correction=0).clamp(min=LEAST)
    changed = change(Batch((past - mean) / spread), random).input
    windows: Tensor = batch.input.clone()
    windows[:, :lookback, :1] = changed * spread + mean
    return replace(batch, input=windows)
