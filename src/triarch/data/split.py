"""Train, select and confirm: a function of the data's fingerprint alone, never of a seed."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from triarch.data.source import Source

Split = Literal["train", "select", "confirm"]
SPLITS: tuple[Split, ...] = ("train", "select", "confirm")
SMALL = 3_000


def shares(items: int) -> dict[Split, float]:
    """The part of each split: below 3,000 items confirm is 30%, so that the last word has enough of them."""
    confirm, select = (0.30, 0.20) if items < SMALL else (0.20, 0.15)
    return {"train": 1 - confirm - select, "select": select, "confirm": confirm}


def rule(source: Source) -> str:
    """The rule in words."""
    parts = ", ".join(f"{name} {share:.0%}" for name, share in shares(len(source)).items())
    how = "by group" if source.groups is not None else "in each class"
    return f"{parts}, {how}, ordered by a hash of the data's fingerprint"


def split(source: Source) -> dict[Split, NDArray[np.int64]]:
    """The row numbers of each split, ascending."""
    groups = np.arange(len(source)) if source.groups is None else np.unique(source.groups, return_inverse=True)[1]
    strata = source.labels if source.groups is None else np.zeros(len(source), dtype=np.int64)
    rank = _ranks(groups, source.fingerprint)
    chosen: dict[Split, list[NDArray[np.int64]]] = {name: [] for name in SPLITS}
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        members = np.unique(groups[rows])
        members = members[np.argsort(rank[members])]
        part = shares(len(source))
        confirm = max(1, round(part["confirm"] * len(members)))
        select = max(1, round(part["select"] * len(members)))
        cuts = {
            "confirm": members[:confirm],
            "select": members[confirm : confirm + select],
            "train": members[confirm + select :],
        }
        for name in SPLITS:
            chosen[name].append(rows[np.isin(groups[rows], cuts[name])])
    return {name: np.sort(np.concatenate(parts)) for name, parts in chosen.items()}


def _ranks(groups: NDArray[np.int64], fingerprint: str) -> NDArray[np.int64]:
    """A hash of every group number: the order in which groups are dealt out."""
    key = bytes.fromhex(fingerprint)
    numbers = range(int(groups.max()) + 1)
    hashes = [blake2b(number.to_bytes(8, "little"), key=key, digest_size=7).digest() for number in numbers]
    return np.array([int.from_bytes(digest, "little") for digest in hashes], dtype=np.int64)
