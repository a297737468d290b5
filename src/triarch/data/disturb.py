"""What befalls items in use: noise, blur, an early end, missing steps; whole batches, functions of random numbers.

Padding stays as it is. Noise on series is `augment.series.jitter`, unknown tokens are `augment.texts.token_dropout`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from triarch.core.types import Batch


def noise(batch: Batch, random: Generator, strength: float) -> Batch:
    """Images with normal noise of `strength` standard deviations of the channel."""
    made = random.standard_normal(tuple(batch.input.shape), dtype=np.float32)
    return replace(batch, input=batch.input + strength * torch.from_numpy(made))


def blur(batch: Batch, pixels: float) -> Batch:
    """Images under a Gaussian filter, whose standard deviation is `pixels`; the border is repeated outwards."""
    made = gaussian_filter(batch.input.numpy(), sigma=(0, 0, pixels, pixels), mode="nearest")
    return replace(batch, input=torch.from_numpy(made))


def cut_short(batch: Batch, share: float) -> Batch:
    """The first `share` of each sequence, one step at least."""
    kept = steps_of(batch, share)
    return of_steps(batch, np.zeros_like(kept), kept)


def swap(batch: Batch, random: Generator, share: float) -> Batch:
    """Tokens, of which about `share` have changed places with the one after it; none is moved twice."""
    real = _real(batch)
    first = np.zeros_like(real)
    first[:, :-1] = (random.random((len(real), real.shape[1] - 1)) < share / 2) & real[:, 1:]
    for step in range(1, first.shape[1]):
        first[:, step] &= ~first[:, step - 1]
    ids = batch.input.numpy().copy()
    rows, places = np.nonzero(first)
    ids[rows, places], ids[rows, places + 1] = ids[rows, places + 1], ids[rows, places]
    return replace(batch, input=torch.from_numpy(ids))


def missing(batch: Batch, random: Generator, share: float, impute: str = "linear") -> Batch:
    """Series of whose steps about `share` are missing, in all channels, and filled as a reader of series fills them.

    Args:
        impute: `linear`, a line from the last known step to the next, or `last`, the last known; at the ends the
            nearest known step is repeated.
    """
    series, real = batch.input.numpy().copy(), _real(batch)
    gone = (random.random(real.shape) < share) & real
    for row in np.flatnonzero(gone.any(axis=1)):
        known = np.flatnonzero(real[row] & ~gone[row])
        places = np.flatnonzero(gone[row])
        if not len(known):
            continue
        before = known[np.clip(np.searchsorted(known, places) - 1, 0, None)]
        after = known[np.clip(np.searchsorted(known, places), None, len(known) - 1)]
        weight = np.zeros(len(places), dtype=np.float32)
        if impute == "linear":
            weight = ((places - before) / np.maximum(after - before, 1)).clip(0, 1).astype(np.float32)
        before = np.where(before < places, before, after)
        series[row, places] = series[row, before] * (1 - weight)[:, None] + series[row, after] * weight[:, None]
    return replace(batch, input=torch.from_numpy(series))


def stale(batch: Batch, steps: int) -> Batch:
    """Series whose last `steps` are not known yet: the step before them is repeated."""
    series = batch.input.clone()
    series[:, -steps:] = series[:, -steps - 1 : -steps]
    return replace(batch, input=series)


def steps_of(batch: Batch, share: float = 1.0) -> NDArray[np.int64]:
    """How many steps `share` of each item is, one at least: (B)."""
    real = np.full(len(batch), batch.input.shape[1]) if batch.mask is None else batch.mask.sum(dim=1).numpy()
    return np.maximum(1, np.ceil(share * real)).astype(np.int64)


def of_steps(batch: Batch, first: NDArray[np.int64], count: NDArray[np.int64]) -> Batch:
    """`count` steps of each sequence (B) from step `first` on (B)."""
    longest = int(count.max())
    places = first[:, None] + np.arange(longest)
    kept = np.arange(longest) < count[:, None]
    taken = batch.input[torch.arange(len(batch))[:, None], torch.from_numpy(np.where(kept, places, 0))]
    mask = None if kept.all() else torch.from_numpy(kept)
    if mask is not None:
        taken = taken.masked_fill(~(mask if taken.ndim == 2 else mask[:, :, None]), 0)
    return replace(batch, input=taken, mask=mask)


def _real(batch: Batch) -> NDArray[np.bool_]:
    """(B T), True where a step is no padding."""
    if batch.mask is None:
        return np.ones(tuple(batch.input.shape[:2]), dtype=bool)
    return np.asarray(batch.mask.numpy())
