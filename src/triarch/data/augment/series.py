"""Variations of series (B T C), normalised; padding stays zero and masks stay as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from triarch.core.types import Batch

KNOTS = 4


def time_warp(batch: Batch, random: Generator, strength: float) -> Batch:
    """Each series slower here and faster there, with its first and last step in place, linear between steps.

    The speed is exp(`strength` × a smooth curve), so time never runs backwards (Um et al. 2017, arXiv 1706.00527).
    """
    steps, last = batch.input.shape[1], _lengths(batch)[:, None] - 1
    speed = np.exp(strength * _curves(batch, 1, random)[:, :, 0])
    passed = np.cumsum(speed, axis=1) - speed[:, :1]
    place = np.minimum(passed / np.maximum(np.take_along_axis(passed, last, axis=1), 1e-9) * last, last)
    before = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0))
    after = np.minimum(before + 1, last)
    weight = torch.from_numpy((place - before).astype(np.float32))[:, :, None]
    shape = (-1, steps, batch.input.shape[2])
    here, there = (
        batch.input.gather(1, torch.from_numpy(place)[:, :, None].expand(shape)) for place in (before, after)
    )
    return _real(batch, here * (1 - weight) + there * weight)


def magnitude_warp(batch: Batch, random: Generator, strength: float) -> Batch:
    """Each channel times 1 + `strength` × a smooth curve of its own (Um et al. 2017, arXiv 1706.00527)."""
    factor = 1 + strength * _curves(batch, batch.input.shape[2], random)
    return replace(batch, input=batch.input * torch.from_numpy(factor.astype(np.float32)))


def jitter(batch: Batch, random: Generator, strength: float) -> Batch:
    """Noise of `strength` standard deviations of the channel added to every real step."""
    noise = strength * random.standard_normal(tuple(batch.input.shape), dtype=np.float32)
    return _real(batch, batch.input + torch.from_numpy(noise))


def _real(batch: Batch, values: Tensor) -> Batch:
    """The batch with other values, padding zero."""
    return replace(batch, input=values if batch.mask is None else values.masked_fill(~batch.mask[:, :, None], 0.0))


def _lengths(batch: Batch) -> NDArray[np.int64]:
    items, steps = batch.input.shape[:2]
    return np.full(items, steps) if batch.mask is None else batch.mask.sum(dim=1).numpy()


def _curves(batch: Batch, channels: int, random: Generator) -> NDArray[np.float64]:
    """Smooth random curves over the real steps, through normal values at four even places: (B T C).

    Between two places the curve follows a cosine from one value to the next.
    """
    items, steps = batch.input.shape[:2]
    values = random.standard_normal((items, KNOTS, channels))
    last = np.maximum(_lengths(batch) - 1, 1)[:, None]
    place = np.minimum(np.arange(steps) / last, 1.0) * (KNOTS - 1)
    knot = np.minimum(place.astype(np.int64), KNOTS - 2)
    weight = (0.5 - 0.5 * np.cos(np.pi * (place - knot)))[:, :, None]
    row = np.arange(items)[:, None]
    return np.asarray(values[row, knot] * (1 - weight) + values[row, knot + 1] * weight)
