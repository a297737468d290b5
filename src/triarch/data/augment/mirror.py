"""Whether images may be mirrored, told from the data itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

MOST_ITEMS, FEWEST_ITEMS = 1_500, 200
SIDE, LEVELS = 16, 63
NATURAL = 0.1


@dataclass(frozen=True)
class Mirror:
    """The answer, and why, in words."""

    keeps_label: bool
    note: str


def mirror(images: Tensor, labels: NDArray[np.int64]) -> Mirror:
    """Whether the mirror image of an item, left and right exchanged, may pass for another item of its class.

    It is tried with what nearest images know of labels. Each image is labelled by the nearest of the others, once as
    they are and once with the mirror images of the others among them. Mirroring keeps the label where

    - no other is nearer than a mirror image for 10% of the images or more: mirror images look like what occurs (half of
      the images would have one nearest, were left and right quite alike);
    - of the labels that change by it, no more become wrong than become right but for two standard deviations;
    - labels by nearest images are better than chance by four standard errors: else this tells nothing;
    - there are 200 images or more.

    Images are compared at 16 x 16 at most and in whole numbers, so that every distance is exact on any machine.

    Args:
        images: (I C Y X), normalised, of the training split; 1,500 are enough.
        labels: (I).
    """
    if len(labels) < FEWEST_ITEMS:
        return Mirror(False, f"images are not mirrored: fewer than {FEWEST_ITEMS} of them, too few to try it out")
    rows, columns = images.shape[2:]
    small = F.adaptive_avg_pool2d(images, (min(rows, SIDE), min(columns, SIDE))).clip(-3, 3)
    whole = ((small + 3) * (LEVELS / 6)).round()
    plain, mirrored = _distances(whole, whole), _distances(whole, whole.flip(3))
    right = labels[plain.argmin(axis=1)] == labels
    gap = plain.min(axis=1) - mirrored.min(axis=1)
    alike = (gap >= 0).mean()
    still = np.where(gap > 0, labels[mirrored.argmin(axis=1)] == labels, right)
    worse, better = int((right & ~still).sum()), int((still & ~right).sum())
    chance = float(((np.bincount(labels) / len(labels)) ** 2).sum())
    told = right.mean() - chance >= 4 * np.sqrt(chance * (1 - chance) / len(labels))
    keeps = bool(told and alike >= NATURAL and worse - better <= 2 * np.sqrt(worse + better))
    words = (
        f"a mirror image is as near as any for {alike:.0%} of {len(labels):,}; "
        f"with mirror images {better} labels more are found and {worse} are lost"
    )
    return Mirror(keeps, f"images are {'' if keeps else 'not '}mirrored in training: {words}")


def _distances(images: Tensor, others: Tensor) -> NDArray[np.float32]:
    """Squared distance of each image to each of `others`, less a constant of its row; to its own number infinite."""
    x, y = images.flatten(1), others.flatten(1)
    distance: NDArray[np.float32] = ((y * y).sum(dim=1) - 2 * (x @ y.T)).fill_diagonal_(torch.inf).numpy()
    return distance
