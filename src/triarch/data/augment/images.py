"""Variations of images (B C Y X), normalised: zero is a channel's mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from triarch.core.types import Batch

ERASED, FLATTEST = (0.02, 0.33), np.log(10 / 3)


def crop(batch: Batch, random: Generator, share: float) -> Batch:
    """Each image shifted by up to `share` of its sides; what comes in at the border is the image mirrored."""
    images, channels, rows, columns = batch.input.shape
    farthest = [min(round(share * side), side - 1) for side in (rows, columns)]
    if not any(farthest):
        return batch
    y, x = (_shifted(side, most, images, random) for side, most in zip((rows, columns), farthest))
    pixels = torch.from_numpy((y[:, :, None] * columns + x[:, None, :]).reshape(images, 1, -1))
    moved = batch.input.flatten(2).gather(2, pixels.expand(-1, channels, -1))
    return replace(batch, input=moved.view(batch.input.shape))


def flip(batch: Batch, random: Generator, probability: float) -> Batch:
    """Left and right exchanged."""
    chosen = torch.from_numpy(random.random(len(batch)) < probability)
    return replace(batch, input=torch.where(chosen[:, None, None, None], batch.input.flip(3), batch.input))


def erase(batch: Batch, random: Generator, probability: float) -> Batch:
    """A rectangle of 2 to 33% of the image, anywhere in it, set to the mean (Zhong et al. 2017, arXiv 1708.04896)."""
    images, _, rows, columns = batch.input.shape
    area = random.uniform(*ERASED, images) * rows * columns
    tall = np.exp(random.uniform(-FLATTEST, FLATTEST, images))
    box = _boxes(np.sqrt(area * tall), np.sqrt(area / tall), rows, columns, random)
    box &= (random.random(images) < probability)[:, None, None]
    return replace(batch, input=batch.input.masked_fill(torch.from_numpy(box)[:, None], 0.0))


def mix(batch: Batch, random: Generator, mixup: float, cutmix: float, num_classes: int) -> Batch:
    """Each image mixed with another of the batch, and its target with the other's: shares of the classes (B K).

    Mixup (Zhang et al. 2017, arXiv 1710.09412) is a weighted mean of the two; CutMix (Yun et al. 2019, arXiv
    1905.04899) pastes a rectangle of the other, here always a whole one, and the share is the area pasted. Where both
    are on, each batch gets one of them, by lot.

    Args:
        mixup, cutmix: alpha of Beta(alpha, alpha), from which each image's share is drawn; 0: off.
    """
    pasted = bool(cutmix) and not (mixup and random.random() < 0.5)
    alpha = cutmix if pasted else mixup
    images, _, rows, columns = batch.input.shape
    given = random.beta(alpha, alpha, images)
    other = torch.from_numpy(random.permutation(images))
    if pasted:
        side = np.sqrt(given)
        box = _boxes(side * rows, side * columns, rows, columns, random)
        mixed = torch.where(torch.from_numpy(box)[:, None], batch.input[other], batch.input)
        given = box.mean(axis=(1, 2))
    else:
        mixed = _between(batch.input, batch.input[other], given)
    target = shares(batch, num_classes)
    return replace(batch, input=mixed, target=_between(target, target[other], given))


def shares(batch: Batch, num_classes: int) -> Tensor:
    """The target as shares of the classes (B K)."""
    assert batch.target is not None
    if batch.target.is_floating_point():
        return batch.target
    return torch.nn.functional.one_hot(batch.target, num_classes).float()


def _between(own: Tensor, other: Tensor, given: NDArray[np.float64]) -> Tensor:
    """(1 - given) own + given other, with one share an item."""
    share = torch.from_numpy(given.astype(np.float32)).view(-1, *[1] * (own.ndim - 1))
    return own * (1 - share) + other * share


def _shifted(side: int, most: int, images: int, random: Generator) -> NDArray[np.int64]:
    """Which row (or column) comes to each place after a shift of up to `most`, mirrored at the ends: (B, side)."""
    place = np.abs(np.arange(side) + random.integers(-most, most + 1, (images, 1)))
    return np.asarray((side - 1) - np.abs(side - 1 - place))


def _boxes(
    heights: NDArray[np.float64], widths: NDArray[np.float64], rows: int, columns: int, random: Generator
) -> NDArray[np.bool_]:
    """One rectangle an image, of about that size, wholly inside: (B Y X)."""
    inside = []
    for lengths, side in ((heights, rows), (widths, columns)):
        length = np.minimum(lengths.round(), side)
        first = np.floor(random.random(len(lengths)) * (side - length + 1))
        place = np.arange(side)
        inside.append((place >= first[:, None]) & (place < (first + length)[:, None]))
    return np.asarray(inside[0][:, :, None] & inside[1][:, None, :])
