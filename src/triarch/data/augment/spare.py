"""Whether texts have tokens to spare in training, told from the data itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

MOST_ITEMS, FEWEST_ITEMS, LONGEST = 2_000, 200, 256
BUCKETS, SMOOTHING = 1 << 16, 0.1
TOLD, LOST = 0.25, 0.05
MIX, SPREAD = np.uint64(1_000_003), np.uint64(0x9E3779B97F4A7C15)

Tokens = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Spare:
    """The answer, and why, in words."""

    keeps_label: bool
    note: str


def spare(tokens: Tokens, labels: NDArray[np.int64], share: float) -> Spare:
    """Whether an item that lacks `share` of its tokens still is of its class.

    It is tried with what tokens and pairs of neighbours by themselves know of labels: naive Bayes, fitted on one half
    of the items, says the class of the other half as they are and without a part of their tokens, and the other way
    round. Tokens are to spare where

    - it knows a quarter or more of what the most frequent class leaves open: then tokens here and there each tell of
      the label. Where it knows little, the label may hang on all tokens together, as that of parity does, or on one;
    - without them it loses a twentieth of its right answers or less;
    - there are 200 items or more.

    Args:
        tokens: of each item of the training split; 2,000 are enough.
        labels: (I).
    """
    if len(labels) < FEWEST_ITEMS:
        return Spare(False, f"no tokens are left out: fewer than {FEWEST_ITEMS} texts, too few to try it out")
    random = np.random.default_rng(0)
    cut = [np.asarray(item)[:LONGEST] for item in tokens]
    whole = _counted(cut, [np.ones(len(item), dtype=bool) for item in cut])
    thinned = _counted(cut, [random.random(len(item)) >= share for item in cut])
    before, after = (float((answer == labels).mean()) for answer in _answered(whole, thinned, labels))
    chance = float(np.bincount(labels).max() / len(labels))
    keeps = before - chance >= TOLD * (1 - chance) and after >= (1 - LOST) * before
    words = (
        f"tokens and pairs of neighbours by themselves tell the class of {before:.0%} of {len(labels):,},"
        f" the most frequent class of {chance:.0%}, and without {share:.0%} of the tokens of {after:.0%}"
    )
    return Spare(keeps, f"{f'{share:.0%} of' if keeps else 'no'} tokens are left out in training: {words}")


def _answered(
    whole: csr_array, thinned: csr_array, labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The class of each item, by the half in which it is not: as it is and thinned."""
    found = np.zeros((2, len(labels)), dtype=np.int64)
    half = np.arange(len(labels)) % 2
    for fitted in (0, 1):
        seen, asked = np.flatnonzero(half == fitted), np.flatnonzero(half != fitted)
        own = csr_array((np.ones(len(seen)), (labels[seen], seen)), shape=(labels.max() + 1, len(labels)))
        counts = (own @ whole).toarray() + SMOOTHING
        likely = np.log(counts / counts.sum(axis=1, keepdims=True))
        prior = np.log(np.bincount(labels[seen], minlength=len(counts)) + SMOOTHING)
        for answer, items in zip(found, (whole, thinned)):
            answer[asked] = (items[asked] @ likely.T + prior).argmax(axis=1)
    return found[0], found[1]


def _counted(tokens: Tokens, kept: Sequence[NDArray[np.bool_]]) -> csr_array:
    """How often each token, and each pair of neighbours, occurs among those that are kept: (I BUCKETS)."""
    rows, columns = [], []
    for row, (item, there) in enumerate(zip(tokens, kept)):
        one = item.astype(np.uint64)
        pairs = (one[:-1] + np.uint64(1)) * MIX + one[1:]
        found = np.concatenate((one[there], pairs[there[:-1] & there[1:]]))
        rows.append(np.full(len(found), row))
        columns.append((found * SPREAD) >> np.uint64(48))
    place = np.concatenate(rows), np.concatenate(columns).astype(np.int64)
    return csr_array((np.ones(len(place[0])), place), shape=(len(tokens), BUCKETS))
