"""Which documents of a corpus are kept, and the split of each, from their records alone.

It takes some 50 bytes a document of memory, and the signatures in a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from triarch.core.errors import InputError
from triarch.data.corpora.minhash import Signatures, alike
from triarch.data.corpora.records import ENCODING, FINE, LENGTH, NAMED, SHORTEST, Records
from triarch.data.corpora.shards import OUT
from triarch.data.known import DEALT, SPLITS

SHARE, MOST_BYTES = 0.1, 16 << 20
FEWEST = 20
REASONS = {ENCODING: "not UTF-8", LENGTH: f"shorter than {SHORTEST} bytes"}
EXACT, NEAR = "exact copies", "near copies"


class Outcome(BaseModel):
    """What became of the documents, all in all.

    Attributes:
        removed: how many documents each filter took out, in its words.
        left: how many are in each split.
        rule: how they were dealt, in words.
        named: some that are not UTF-8, and why.
        digest: of what all documents say, and of what became of them.
    """

    model_config = ConfigDict(frozen=True)

    removed: dict[str, int]
    left: tuple[int, ...]
    rule: str
    named: tuple[str, ...]
    digest: str

    @property
    def notes(self) -> list[str]:
        """The same in words."""
        left, removed = sum(self.left), [f"{count:,} {words}" for words, count in self.removed.items() if count]
        notes = [f"{left:,} of {left + sum(self.removed.values()):,} documents or stretches are kept"]
        if removed:
            notes.append(f"left out: {', '.join(removed)}")
        if self.named:
            more = "; …" if len(self.named) > NAMED else ""
            notes.append(f"not UTF-8: {'; '.join(self.named[:NAMED])}{more}")
        return notes

    def check(self, place: str, whole: bool) -> None:
        """Check that each split has a document, or, of what is taken as a `whole`, that there is one.

        Raises:
            InputError: there is too little left.
        """
        left = sum(self.left)
        if left == 0 or (0 in self.left and not whole):
            why = "; ".join(f"{count:,} {words}" for words, count in self.removed.items() if count)
            example = f" ({self.named[0]})" if self.named else ""
            wanted = "one at least" if whole else "each split needs one, so 3 at least"
            raise InputError(
                f"{place}: {left} document(s) are left{f', after {why}' if why else ''}{example}; {wanted}",
                "give more text, in UTF-8, that does not repeat itself",
            )


def deal(records: Records, signatures: Signatures, named: Sequence[str] = ()) -> tuple[NDArray[np.uint8], Outcome]:
    """Take out what is at fault and what says the same as an earlier document; deal out the rest.

    Args:
        named: some that are not UTF-8, and why.

    Returns:
        The split of each document (D), a position in `SPLITS` or `OUT`; and what became of all.
    """
    kept = records["fault"] == FINE
    removed = {words: int((records["fault"] == fault).sum()) for fault, words in REASONS.items()}
    _, firsts = np.unique(np.where(kept, records["print"], 0), return_index=True)
    first = np.zeros(len(records), dtype=bool)
    first[firsts] = True
    removed[EXACT] = int((kept & ~first).sum())
    kept &= first
    near = alike(signatures, kept)
    removed[NEAR] = int(near.sum())
    return _dealt(records, kept & ~near, removed, named)


def keep(records: Records, named: Sequence[str] = ()) -> tuple[NDArray[np.uint8], Outcome]:
    """As `deal`, but all that can be read is kept: what a model is scored on is for the user to say."""
    kept = records["fault"] != ENCODING
    return _dealt(records, kept, {REASONS[ENCODING]: int((~kept).sum())}, named)


def _dealt(
    records: Records, kept: NDArray[np.bool_], removed: dict[str, int], named: Sequence[str]
) -> tuple[NDArray[np.uint8], Outcome]:
    parts, rule = _parts(records, np.flatnonzero(kept))
    dealt = np.full(len(records), OUT, dtype=np.uint8)
    dealt[kept] = parts
    left = tuple(int((parts == number).sum()) for number in range(len(SPLITS)))
    digest = blake2b(records["print"].tobytes() + dealt.tobytes(), digest_size=16).hexdigest()
    return dealt, Outcome(removed=removed, left=left, rule=rule, named=tuple(named), digest=digest)


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
    weights = np.bincount(group, weights=records["bytes"][kept][free])
    number_of = in_order(records["print"][kept][free][begins], weights, wanted)
    parts[free] = number_of[group]
    unit, share = "document" if by_document else "stretch", share_of(weights)
    taken = f"{' and '.join(wanted)} {share:.1%} of the bytes each, by {unit}, in the order of the hash of its content"
    return parts, "; ".join(filter(None, [", ".join(own) + " as the data has them" if own else "", taken]))


def share_of(weights: NDArray[np.generic]) -> float:
    """The part of the bytes that select gets, and confirm."""
    return min(SHARE, MOST_BYTES / max(1.0, float(weights.sum())))


def in_order(
    keys: NDArray[np.uint64], weights: NDArray[np.generic], wanted: Sequence[str] = DEALT
) -> NDArray[np.uint8]:
    """The split of each document (D), a position in `SPLITS`: in the order of their hashes, `wanted` first, each its
    share of the bytes but one document at least; the others are train, one at least.

    Args:
        keys: hashes (D).
        weights: bytes (D), or what else is to be shared.
    """
    order, share = np.argsort(keys, kind="stable"), share_of(weights)
    ends = np.cumsum(weights[order]) / max(1.0, float(weights.sum()))
    number_of = np.full(len(order), SPLITS.index("train"), dtype=np.uint8)
    start = 0
    for place, name in enumerate(wanted):
        if start >= len(order):
            break
        before, later = float(ends[start - 1]) if start else 0.0, len(wanted) - place
        stop = max(start + 1, min(int(np.searchsorted(ends, before + share)), len(order) - later))
        number_of[order[start:stop]] = SPLITS.index(name)
        start = stop
    return number_of
