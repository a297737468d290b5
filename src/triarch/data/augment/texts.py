"""Variations of token ids (B T)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.random import Generator

from triarch.core.types import Batch

USUAL_SHARE = 0.1


def token_dropout(batch: Batch, random: Generator, share: float, unknown: int) -> Batch:
    """About `share` of the real tokens replaced by [UNK], which without it would hardly be learned.

    Iyyer et al. 2015, "Deep unordered composition rivals syntactic methods" (word dropout).

    Args:
        unknown: the id of [UNK].
    """
    chosen = torch.from_numpy(random.random(tuple(batch.input.shape), dtype=np.float32) < share)
    if batch.mask is not None:
        chosen &= batch.mask
    return replace(batch, input=batch.input.masked_fill(chosen, unknown))
