"""Which documents of a corpus are kept, and the split of each, from their records alone.

It takes some 50 bytes a document of memory, and the signatures in a file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triarch.data.corpora.minhash import Signatures, alike
from triarch.data.corpora.records import ENCODING, FINE, LENGTH, SHORTEST, Records
from triarch.data.corpora.shards import OUT
from triarch.data.known import DEALT, SPLITS

SHARE, MOST_BYTES = 0.1, 16 << 20
FEWEST = 20
REASONS = {ENCODING: "not UTF-8", LENGTH: f"shorter than {SHORTEST} bytes"}
EXACT, NEAR = "exact copies", "near copies"


@dataclass(frozen=True)
class Dealt:
    """The outcome.

    Attributes:
        parts: (D), positions in `SPLITS`, or `OUT`.
        removed: how many documents each filter took out, in its words.
        rule: how they were dealt, in words.
    """

    parts: NDArray[np.uint8]
    removed: dict[str, int]
    rule: str


def deal(records: Records, signatures: Signatures) -> Dealt:
    """Take out what is at fault and what says the same as an earlier document; deal out the rest."""
    kept = records["fault"] == FINE
    removed = {words: int((records["fault"] == fault).sum()) for fault, words in REASONS.items()}
    _, firsts = np.unique(np.where(kept, records["print"], 0), return_index=True)
    first = np.zeros(len(records), dtype=bool)
    first[firsts] = True
    removed[EXACT] = int((kept & ~first).sum())
    kept &= first
    near = alike(signatures, kept)
    removed[NEAR] = int(near.sum())
    kept &= ~near
    parts, rule = _parts(records, np.flatnonzero(kept))
    dealt = np.full(len(records), OUT, dtype=np.uint8)
    dealt[kept] = parts
    return Dealt(dealt, removed, rule)


def _parts(records: Records, kept: NDArray[np.int64]) -> tuple[NDArray[np.uint8], str]:
    """The split of each document that is kept, and the rule."""
    parts = records["part"][kept].copy()
    free = parts == len(SPLITS)
    own = [name for number, name in enumerate(SPLITS) if (parts == number).any()]
    wanted = [name for name in DEALT if name not in own]
    free |= parts == SPLITS.index("train")
    if own and not wanted:
        return parts, ", ".join(own) + " as the data has them"
    whole = (np.cumsum(records["follows"] == 0) - 1)[kept]
    by_document = len(np.unique(whole[free])) >= FEWEST
    groups = np.unique(whole[free] if by_document else np.flatnonzero(free), return_index=True, return_inverse=True)
    _, begins, group = groups
    keys, sizes = records["print"][kept][free][begins], records["bytes"][kept][free]
    weights = np.bincount(group, weights=sizes)
    order = np.argsort(keys, kind="stable")
    share = min(SHARE, MOST_BYTES / max(1.0, float(weights.sum())))
    ends = np.cumsum(weights[order]) / max(1.0, float(weights.sum()))
    number_of = np.full(len(order), SPLITS.index("train"), dtype=np.uint8)
    start = 0
    for name in wanted:
        if start >= len(order):
            break
        before = float(ends[start - 1]) if start else 0.0
        stop = max(start + 1, int(np.searchsorted(ends, before + share)))
        number_of[order[start:stop]] = SPLITS.index(name)
        start = stop
    parts[free] = number_of[group]
    unit = "document" if by_document else "stretch"
    taken = f"{' and '.join(wanted)} {share:.1%} of the bytes each, by {unit}, in the order of the hash of its content"
    return parts, "; ".join(filter(None, [", ".join(own) + " as the data has them" if own else "", taken]))
