"""Variations of images (B C Y X), normalised: zero is a channel's mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from triarch.core.types import Batch

ERASED, FLATTEST = (0.02, 0.33), np.log(10 / 3)


def crop(batch: Batch, random: Generator, share: float) -> Batch:
    """Each image shifted by up to `share` of its sides; what comes in at the border is the image mirrored."""
    images, _, rows, columns = batch.input.shape
    down, right = (min(round(share * side), side - 1) for side in (rows, columns))
    if down == right == 0:
        return batch
    padded = F.pad(batch.input, (right, right, down, down), mode="reflect").numpy()
    windows = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(2, 3))
    y, x = (random.integers(0, 2 * most + 1, images) for most in (down, right))
    return replace(batch, input=torch.from_numpy(windows[np.arange(images), :, y, x]))


def flip(batch: Batch, random: Generator, probability: float) -> Batch:
    """Left and right exchanged."""
    chosen = np.flatnonzero(random.random(len(batch)) < probability)
    images = batch.input.numpy().copy()
    images[chosen] = images[chosen, :, :, ::-1]
    return replace(batch, input=torch.from_numpy(images))


def erase(batch: Batch, random: Generator, probability: float) -> Batch:
    """A rectangle of 2 to 33% of the image, anywhere in it, set to the mean (Zhong et al. 2017, arXiv 1708.04896)."""
    rows, columns = batch.input.shape[2:]
    chosen = np.flatnonzero(random.random(len(batch)) < probability)
    area = random.uniform(*ERASED, len(chosen)) * rows * columns
    tall = np.exp(random.uniform(-FLATTEST, FLATTEST, len(chosen)))
    box = _boxes(np.sqrt(area * tall), np.sqrt(area / tall), rows, columns, random)
    images = batch.input.numpy().copy()
    images[chosen] = np.where(box[:, None], np.float32(0), images[chosen])
    return replace(batch, input=torch.from_numpy(images))


def mix(batch: Batch, random: Generator, mixup: float, cutmix: float, num_classes: int) -> Batch:
    """Each image mixed with another of the batch, and its target with the other's: shares of the classes (B K).

    Mixup (Zhang et al. 2017, arXiv 1710.09412) is a weighted mean of the two; CutMix (Yun et al. 2019, arXiv
    1905.04899) pastes a rectangle of the other, here always a whole one, and the share is the area pasted. Where both
    are on, each batch gets one of them, by lot.

    Args:
        mixup, cutmix: alpha of Beta(alpha, alpha), from which the share of the other is drawn; 0: off.
    """
    pasted = bool(cutmix) and not (mixup and random.random() < 0.5)
    alpha = cutmix if pasted else mixup
    images, _, rows, columns = batch.input.shape
    share: NDArray[Any] = random.beta(alpha, alpha, (images, 1, 1))
    other = torch.from_numpy(random.permutation(images))
    if pasted:
        side = np.sqrt(share[:, 0, 0])
        share = _boxes(side * rows, side * columns, rows, columns, random)
    target = shares(batch, num_classes)
    return replace(
        batch,
        input=_between(batch.input, batch.input.index_select(0, other), share[:, None]),
        target=_between(target, target[other], share.mean(axis=(1, 2))[:, None]),
    )


def shares(batch: Batch, num_classes: int) -> Tensor:
    """The target as shares of the classes (B K)."""
    assert batch.target is not None
    if batch.target.is_floating_point():
        return batch.target
    return F.one_hot(batch.target, num_classes).float()


def _between(own: Tensor, other: Tensor, share: NDArray[Any]) -> Tensor:
    """(1 - share) own + share other."""
    given = torch.from_numpy(share.astype(np.float32))
    return (own * (1 - given)).add_(other * given)


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
