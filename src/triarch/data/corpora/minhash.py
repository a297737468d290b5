"""Which documents say almost the same as another: MinHash (Broder 1997) and its bands (Indyk and Motwani 1998).

Two documents are alike where at least 0.8 of all runs of five words that either has are in both, as 128 hashes tell it
(± 0.035). Those are sought among documents with the same eight hashes in one of 16 bands: 0.8 alike are found in 95 of
100 cases, 0.9 in 9,999 of 10,000. The hashes lie in a file; a band is gone through in slices of its values, of no more
than 4 million documents at a time or so, so that memory is bounded but for a byte a document.
"""

from __future__ import annotations

import zlib
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.8
WORDS = 5
BANDS, HASHES = 16, 128
LONG_WORD = 16
SLICE = 4_000_000
ROWS = 1 << 16

Signatures = NDArray[np.uint32]


class Signer:
    """Makes signatures, by the library `datasketch`, which is slow to be loaded."""

    def __init__(self) -> None:
        self._blank = import_module("datasketch").MinHash(HASHES, seed=1, hashfunc=int, scheme="affine32")

    def sign(self, content: bytes) -> Signatures:
        """The signature (128) of a text in UTF-8."""
        made = self._blank.copy()
        made.update_batch(_shingles(content).tolist())
        return np.asarray(made.hashvalues)


def _shingles(content: bytes) -> NDArray[np.uint32]:
    """A hash of each run of five words; where words are long, as in scripts without spaces, of five characters."""
    words = content.split()
    if len(words) * LONG_WORD < len(content):
        units = np.frombuffer(content.decode().encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    else:
        units = np.fromiter(map(zlib.crc32, words), dtype=np.uint64, count=len(words))
    runs = max(1, len(units) - WORDS + 1)
    made = np.zeros(runs, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(min(WORDS, len(units))):
            made = made * np.uint64(0x9E3779B97F4A7C15) + units[offset : offset + runs]
            made ^= made >> np.uint64(29)
    return np.unique((made >> np.uint64(16)).astype(np.uint32))


def alike(signatures: Signatures, sought: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which documents (D) are almost the same as one before them, the first of those with which they share a band.

    Args:
        signatures: (D 128), which may be mapped from a file.
        sought: (D), those that are looked at.
    """
    found = np.zeros(len(signatures), dtype=bool)
    for band in range(BANDS):
        width = HASHES // BANDS
        columns = slice(band * width, (band + 1) * width)
        slices = 1 + int(sought.sum()) // SLICE
        for number in range(slices):
            numbers, keys = _keys(signatures, sought, columns, number, slices)
            order = np.argsort(keys, kind="stable")
            numbers, keys = numbers[order], keys[order]
            begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.arange(0)
            firsts = np.repeat(numbers[begins], np.diff(np.r_[begins, len(keys)]))
            later = numbers != firsts
            _compare(signatures, firsts[later], numbers[later], found)
    return found


def _keys(
    signatures: Signatures, sought: NDArray[np.bool_], columns: slice, number: int, slices: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The documents of a slice of a band, and the hash of their part of it."""
    numbers, keys = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.uint64)]
    for start in range(0, len(signatures), ROWS):
        some = start + np.flatnonzero(sought[start : start + ROWS])
        part = signatures[some, columns].astype(np.uint64)
        key = np.zeros(len(some), dtype=np.uint64)
        with np.errstate(over="ignore"):
            for column in range(part.shape[1]):
                key = (key ^ part[:, column]) * np.uint64(0xD6E8FEB86659FD93)
                key ^= key >> np.uint64(32)
        mine = key % np.uint64(slices) == number
        numbers.append(some[mine])
        keys.append(key[mine])
    return np.concatenate(numbers), np.concatenate(keys)


def _compare(
    signatures: Signatures, firsts: NDArray[np.int64], others: NDArray[np.int64], found: NDArray[np.bool_]
) -> None:
    """Mark those of `others` that are like the one of `firsts` beside them."""
    for start in range(0, len(others), ROWS // 4):
        some = slice(start, start + ROWS // 4)
        same = (signatures[firsts[some]] == signatures[others[some]]).mean(axis=1)
        found[others[some][same >= ALIKE]] = True
