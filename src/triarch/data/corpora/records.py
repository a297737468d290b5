"""What each document of a portion is, before it is known which are kept: hash, length, fault, signature."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.files import write_json
from triarch.data.corpora.documents import Document, Piece, documents
from triarch.data.corpora.minhash import HASHES, Signatures, Signer
from triarch.data.known import SPLITS

FINE, ENCODING, LENGTH = range(3)
SHORTEST = 16
NAMED = 3

RECORD = np.dtype([("print", "<u8"), ("bytes", "<u4"), ("fault", "u1"), ("follows", "u1"), ("part", "u1")])
"""`part` counts in `SPLITS`; where the data assigns none it is their number."""

Records = NDArray[Any]


def fault(content: bytes) -> int:
    """Why a document cannot be kept, whatever the others are: it is no text in UTF-8, or shorter than 16 bytes."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return ENCODING
    if "\0" in text:
        return ENCODING
    return LENGTH if len(text.strip().encode()) < SHORTEST else FINE


class Looker:
    """Says what documents are."""

    def __init__(self) -> None:
        self._signer, self._blank = Signer(), np.zeros(HASHES, dtype=np.uint32)

    def look(self, document: Document, part: str = "") -> tuple[Records, Signatures]:
        """The record and the signature (128) of a document, to which the data assigns the split `part`, if any."""
        content, follows = document
        found = fault(content)
        print_ = int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
        row = (print_, len(content), found, follows, SPLITS.index(part) if part else len(SPLITS))
        return np.array(row, dtype=RECORD), self._blank if found else self._signer.sign(content)


def each(pieces: Sequence[Piece], stretch: int) -> Iterator[tuple[Piece, Document]]:
    """All documents of a portion, in their order."""
    for piece in pieces:
        for document in documents(piece, stretch):
            yield piece, document


def record(pieces: Sequence[Piece], stretch: int, place: Path) -> None:
    """Write the records (D) and the signatures (D 128) of a portion: `place` with .records, .signatures, then .json.

    The last names some documents that are no UTF-8, and says that all is there.

    Raises:
        InputError: a file cannot be read.
    """
    looker, named = Looker(), list[str]()
    building = [place.with_suffix(f".{os.getpid()}{ending}.building") for ending in (".records", ".signatures")]
    with open(building[0], "wb") as records, open(building[1], "wb") as signatures:
        for piece, document in each(pieces, stretch):
            row, signature = looker.look(document, piece.part)
            if row["fault"] == ENCODING and len(named) < NAMED:
                named.append(f"{piece.path}: {wrong(document.content)}")
            records.write(row.tobytes())
            signatures.write(signature.tobytes())
        for file in (records, signatures):
            file.flush()
            os.fsync(file.fileno())
    for made, ending in zip(building, (".records", ".signatures")):
        made.replace(place.with_suffix(ending))
    write_json(place.with_suffix(".json"), named)


def wrong(content: bytes) -> str:
    """What keeps it from being a text in UTF-8, in words."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return f"byte {content[error.start]:#04x} is not UTF-8"
    return "a zero byte"
