"""Token ids on disk: a shard for each portion of a corpus, mapped into memory.

A shard is `NNNNN.tokens`, with the token [END] first and after each document, and `NNNNN.npy`, a row a document: where
it begins, the bytes of its text, its split and what its tokens do not say. The latter appears last and says that all is
there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.data.corpora.documents import Piece
from triarch.data.corpora.encoder import Encoder
from triarch.data.corpora.records import each
from triarch.data.store import offsets

BATCH = 512 << 10
OUT = 255
DOCUMENT = np.dtype([("begin", "<u8"), ("bytes", "<u4"), ("part", "u1"), ("unknown", "<u4"), ("inexact", "u1")])

Tokens = NDArray[np.uint16] | NDArray[np.uint32]


def tokenise(
    pieces: Sequence[Piece], stretch: int, dealt: NDArray[np.uint8], encoder: Encoder, end: int, place: Path
) -> None:
    """Write the shard of a portion to `place` with .tokens and .npy.

    Args:
        dealt: (D), the split of each document of the portion, or `OUT`.
        end: the id of the token between documents.

    Raises:
        InputError: the files are not those that were looked at.
    """
    dtype = encoder.dtype
    rows: list[tuple[int, int, int, int, bool]] = []
    building = place.with_suffix(f".{os.getpid()}.building")
    with open(building, "wb") as file:
        file.write(dtype.type(end).tobytes())
        begin = 0
        for batch in _batches(pieces, stretch, dealt):
            texts = [content.decode() for content, _ in batch]
            for (content, part), text, ids in zip(batch, texts, encoder.encode(texts)):
                file.write(ids + dtype.type(end).tobytes())
                rows.append((begin, len(content), part, *encoder.lost(text, ids)))
                begin += len(ids) // dtype.itemsize + 1
        file.flush()
        os.fsync(file.fileno())
    building.replace(place.with_suffix(".tokens"))
    with open(building, "wb") as file:
        np.save(file, np.array(rows, dtype=DOCUMENT), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    building.replace(place.with_suffix(".npy"))


def _batches(pieces: Sequence[Piece], stretch: int, dealt: NDArray[np.uint8]) -> Iterator[list[tuple[bytes, int]]]:
    """The documents that are kept and their splits, half a megabyte at a time or a document."""
    batch: list[tuple[bytes, int]] = []
    size, number = 0, 0
    for piece, (content, _) in each(pieces, stretch):
        if number >= len(dealt):
            raise _changed(piece)
        if dealt[number] != OUT:
            batch.append((content, int(dealt[number])))
            size += len(content)
        number += 1
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if number != len(dealt):
        raise _changed(pieces[-1])
    if batch:
        yield batch


def _changed(piece: Piece) -> InputError:
    return InputError(f"{piece.path} was changed while it was read", "run this again")


class Shards:
    """The tokens of all shards, mapped from their files, as if they were one array; where two meet is one [END].

    Attributes:
        lengths: (D), the tokens of each document and the one after it.
        bytes: (D), those of its text.
        parts: (D), its split, a position in `SPLITS`.
        unknown: (D), how many of its tokens stand for something unknown.
        inexact: (D), whether its tokens do not say all of it.
    """

    def __init__(self, folder: Path, count: int, dtype: np.dtype[Any]) -> None:
        paths = [folder / f"{number:05}" for number in range(count)]
        self._tokens: list[Tokens] = [np.memmap(path.with_suffix(".tokens"), dtype=dtype, mode="r") for path in paths]
        tables = [np.load(path.with_suffix(".npy"), allow_pickle=False) for path in paths]
        lasts = [len(tokens) - 1 for tokens in self._tokens]
        self._firsts = offsets(lasts)
        self.lengths = np.concatenate(
            [np.diff(np.append(table["begin"].astype(np.int64), last)) for table, last in zip(tables, lasts)]
        )
        self.bytes = np.concatenate([table["bytes"] for table in tables])
        self.parts = np.concatenate([table["part"] for table in tables])
        self.unknown = np.concatenate([table["unknown"] for table in tables])
        self.inexact = np.concatenate([table["inexact"] for table in tables])

    def __getitem__(self, span: slice) -> Tokens:
        """The tokens of a span, which lies in one shard, as a document does."""
        shard = int(np.searchsorted(self._firsts, span.start, side="right")) - 1
        first = self._firsts[shard]
        return self._tokens[shard][span.start - first : span.stop - first]
