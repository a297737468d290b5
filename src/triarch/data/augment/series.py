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
    last = _last(batch)
    speed = np.exp(strength * _curves(batch, 1, random)[:, :, 0].double().numpy())
    passed = np.cumsum(speed, axis=1) - speed[:, :1]
    end = np.broadcast_to(last, (len(batch), 1))
    place = np.minimum(passed * (last / np.maximum(np.take_along_axis(passed, end, axis=1), 1e-9)), last)
    before = np.minimum(place.astype(np.int64), np.maximum(last - 1, 0))
    weight = torch.from_numpy((place - before).astype(np.float32))[:, :, None]
    here, there = (
        batch.input.gather(1, torch.from_numpy(step)[:, :, None].expand(batch.input.shape))
        for step in (before, np.minimum(before + 1, last))
    )
    return _real(batch, here * (1 - weight) + there * weight)


def magnitude_warp(batch: Batch, random: Generator, strength: float) -> Batch:
    """Each channel times 1 + `strength` × a smooth curve of its own (Um et al. 2017, arXiv 1706.00527)."""
    return replace(batch, input=batch.input * (1 + strength * _curves(batch, batch.input.shape[2], random)))


def jitter(batch: Batch, random: Generator, strength: float) -> Batch:
    """Noise of `strength` standard deviations of the channel added to every real step."""
    generator = torch.Generator().manual_seed(int(random.integers(2**63)))
    noise = torch.randn(batch.input.shape, generator=generator)
    return _real(batch, batch.input + strength * noise)


def _real(batch: Batch, values: Tensor) -> Batch:
    """The batch with other values, padding zero."""
    return replace(batch, input=values if batch.mask is None else values.masked_fill(~batch.mask[:, :, None], 0.0))


def _last(batch: Batch) -> NDArray[np.int64]:
    """The number of each item's last real step: (B 1), or (1 1) where all are equal."""
    if batch.mask is None:
        return np.array([[batch.input.shape[1] - 1]])
    return batch.mask.sum(dim=1, keepdim=True).numpy() - 1


def _curves(batch: Batch, channels: int, random: Generator) -> Tensor:
    """Smooth random curves over the real steps, through normal values at four even places: (B T C).

    From one value to the next a curve goes as s²(3 - 2s), where s grows from 0 to 1.
    """
    items, steps = batch.input.shape[:2]
    values = torch.from_numpy(random.standard_normal((items, KNOTS, 1, channels), dtype=np.float32))
    place = np.minimum(np.arange(steps) / np.maximum(_last(batch), 1), 1.0) * (KNOTS - 1)
    near = np.maximum(1 - np.abs(place - np.arange(KNOTS)[:, None, None]), 0).astype(np.float32)
    weight = torch.from_numpy(near * near * (3 - 2 * near))[..., None]
    curves = weight[0] * values[:, 0]
    for knot in range(1, KNOTS):
        curves += weight[knot] * values[:, knot]
    return curves
