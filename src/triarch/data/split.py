"""Train, select and confirm: a function of the data's fingerprint alone, never of a seed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from triarch.core.errors import InputError
from triarch.data.known import DEALT as DEALT
from triarch.data.known import SPLITS as SPLITS
from triarch.data.known import Split as Split
from triarch.data.source import Source
from triarch.data.windows import CONFIRM, SELECT

SMALL = 3_000
FEW, FOLDS, REPEATS = 500, 5, 2
AHEAD = f"by time: of each series the last {CONFIRM:.0%} are confirm, the {SELECT:.0%} before them select"
DOCUMENTS = "by document, in the order of their hashes: a tenth of the bytes is confirm, another select"

Rows = dict[Split, NDArray[np.int64]]


@dataclass(frozen=True)
class Splits:
    """How the items are dealt out.

    Attributes:
        rows: the row numbers of each split, ascending.
        rule: in words.
        notes: what was left out, in words.
        folds: where there is little to train on, other ways to part train and select; the first is `rows`.
        movable: whether train and select may be parted anew: neither time nor the data itself says how.
    """

    rows: Rows
    rule: str
    notes: tuple[str, ...]
    folds: tuple[Rows, ...] = ()
    movable: bool = False


def shares(items: int) -> dict[Split, float]:
    """The part of each split: below 3,000 items confirm is 30%, so that the last word has enough of them."""
    confirm, select = (0.30, 0.20) if items < SMALL else (0.20, 0.15)
    return {"train": 1 - confirm - select, "select": select, "confirm": confirm}


def split(source: Source) -> Splits:
    """Deal the items out, by group where there are groups, else class by class, in the order of a hash.

    Splits that the data itself brings are kept; a select or confirm that it does not bring is taken from its train.
    An item of select or confirm whose input and label stand in an earlier split too, or earlier in its own, is left
    out: it would be remembered, not recognised. Where an item is a text that becomes another, its input suffices.
    """
    if source.units is not None:
        assert source.parts is not None
        rows: Rows = {name: np.flatnonzero(source.parts == name) for name in SPLITS}
        return Splits(rows, AHEAD if source.corpus is None else DOCUMENTS, ())
    part = shares(len(source))
    given = {name: source.parts == name for name in SPLITS} if source.parts is not None else {}
    kept: list[Split] = [name for name in SPLITS if given and given[name].any()]
    free = given["train"] if given else np.ones(len(source), dtype=bool)
    wanted = {name: part[name] for name in DEALT if name not in kept}
    rows = _deal(source, np.flatnonzero(free), wanted)
    for name in kept:
        if name != "train":
            rows[name] = np.flatnonzero(given[name])
    rows, notes = _without_copies(source, rows)
    rule = _rule(source, kept, wanted)
    if "select" in kept or len(rows["train"]) >= FEW or source.parallel is not None:
        return Splits(rows, rule, notes, movable="select" not in kept)
    rule += f"; fewer than {FEW} to train on: select is any of {FOLDS} stratified folds, dealt {REPEATS} times"
    return Splits(rows, rule, notes, (rows, *_folds(source, rows)))


def parted_anew(source: Source, rows: Rows, way: int) -> Rows:
    """Train and select of `rows` parted in another way, by another hash; confirm stays."""
    both = np.sort(np.concatenate((rows["train"], rows["select"])))
    dealt = _deal(source, both, {"select": len(rows["select"]) / len(both)}, way) | {"confirm": rows["confirm"]}
    return _without_copies(source, dealt)[0] | {"confirm": rows["confirm"]}


def undivided(source: Source) -> Splits:
    """Every item in train."""
    none = np.arange(0)
    rows: Rows = {"train": np.arange(len(source)), "select": none, "confirm": none}
    return Splits(rows, "all items are trained on", ())


def check_dealt(source: Source, dealt: Splits) -> None:
    """Check that each split can do its work.

    Raises:
        InputError: one is empty, or train lacks a class.
    """
    for name, rows in dealt.rows.items():
        if not len(rows):
            copies = "; ".join(dealt.notes) or "too few groups, or the data's own splits leave it none"
            raise InputError(f"{source.name}: no item is left for {name} ({copies})", "more distinct items are needed")
    if source.units is not None or source.parallel is not None:
        return
    missing = np.setdiff1d(np.arange(len(source.class_names)), source.labels[dealt.rows["train"]])
    if missing.size:
        raise InputError(
            f"{source.name}: no training item has class {source.class_names[missing[0]]!r}",
            "give it some, or leave the class out",
        )


def _deal(source: Source, rows: NDArray[np.int64], wanted: dict[Split, float], way: int = 0) -> Rows:
    """`wanted` shares of `rows`, the rest to train; of each class as far as there are no groups.

    Args:
        way: number of the hash.
    """
    if source.groups is None:
        groups, strata = rows, source.labels[rows]
    else:
        groups = np.unique(source.groups[rows], return_inverse=True)[1]
        strata = np.zeros(len(rows), dtype=np.int64)
    rank = _hashed(groups, source.fingerprint, way)
    order = np.lexsort((rank, strata))
    rows, groups, strata = rows[order], groups[order], strata[order]
    first = np.r_[True, (np.diff(groups) != 0) | (np.diff(strata) != 0)]
    begin = np.r_[True, np.diff(strata) != 0]
    # The place of an item's group in its stratum, and the number of groups there.
    number = np.cumsum(first) - 1
    places = number - number[begin][np.cumsum(begin) - 1]
    count = (np.bincount(strata, weights=first).astype(np.int64))[strata]
    dealt: Rows = {}
    start = np.zeros(len(rows), dtype=np.int64)
    for name in DEALT:
        if name not in wanted:
            continue
        stop = start + np.maximum(1, np.rint(wanted[name] * count).astype(np.int64))
        dealt[name] = np.sort(rows[(places >= start) & (places < stop)])
        start = stop
    dealt["train"] = np.sort(rows[places >= start])
    return {name: dealt[name] for name in SPLITS if name in dealt}


def _without_copies(source: Source, rows: Rows) -> tuple[Rows, tuple[str, ...]]:
    """Leave copies out of select and confirm, and say how many there are."""
    all_rows = np.concatenate([rows[name] for name in SPLITS])
    split_of = np.repeat(np.arange(len(SPLITS)), [len(rows[name]) for name in SPLITS])
    key = source.input_prints if source.parallel else source.input_prints + source.labels.astype(np.uint64)
    key = key[all_rows]
    # Stable: of equal items the one in the earliest split comes first.
    order = np.argsort(key, kind="stable")
    copy = np.zeros(len(key), dtype=bool)
    copy[order[1:]] = key[order[1:]] == key[order[:-1]]
    kept = ~copy | (split_of == 0)
    notes = []
    what = "inputs are copies" if source.parallel else "items are exact copies"
    if copy.any():
        _, select, confirm = (int((~kept & (split_of == number)).sum()) for number in range(len(SPLITS)))
        notes.append(
            f"{int(copy.sum()):,} {what} of others; {select:,} are left out of select and {confirm:,} out of confirm"
        )
    contradictions = int((~copy).sum()) - _distinct(source.input_prints[all_rows])
    if contradictions:
        notes.append(f"{contradictions:,} inputs appear under more than one class")
    return {name: all_rows[kept & (split_of == number)] for number, name in enumerate(SPLITS)}, tuple(notes)


def _distinct(values: NDArray[np.uint64]) -> int:
    ordered = np.sort(values)
    return 1 + int((ordered[1:] != ordered[:-1]).sum())


def _hashed(groups: NDArray[np.int64], fingerprint: str, way: int = 0) -> NDArray[np.uint64]:
    """A number for every group that looks random (splitmix64; Steele et al. 2014), seeded by fingerprint and way."""
    key = np.uint64((int(fingerprint[:16], 16) ^ way * 0xD1342543DE82EF95) % 2**64)
    with np.errstate(over="ignore"):
        x = (groups.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + key
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def _folds(source: Source, rows: Rows) -> Iterator[Rows]:
    """Part train and select anew, fold by fold."""
    both = np.sort(np.concatenate((rows["train"], rows["select"])))
    groups = both if source.groups is None else source.groups[both]
    folds = min(FOLDS, len(np.unique(groups)), int(np.bincount(source.labels[both], minlength=1).max()))
    for repeat in range(REPEATS if folds > 1 else 0):
        seed = (int(source.fingerprint[:8], 16) + repeat) % 2**32
        dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a class with fewer items than there are folds
            for train, select in dealer.split(both, source.labels[both], groups):
                parted: Rows = {"train": both[train], "select": both[select], "confirm": rows["confirm"]}
                parted = _without_copies(source, parted)[0] | {"confirm": rows["confirm"]}
                if len(parted["select"]) and len(np.unique(source.labels[parted["train"]])) > 1:
                    yield parted


def _rule(source: Source, kept: list[Split], wanted: dict[Split, float]) -> str:
    own = f"{', '.join(kept)} as the data has them" if kept else ""
    if kept and not wanted:
        return own
    how = "by group" if source.groups is not None else "in each class"
    named = wanted if kept else shares(len(source))
    dealt = ", ".join(f"{name} {share:.0%}" for name, share in named.items())
    dealt += " of train" if kept else ""
    return "; ".join(filter(None, (own, f"{dealt}, {how}, ordered by splitmix64 of the data's fingerprint")))
