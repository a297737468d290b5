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
from triarch.data.corpora.minhash import HASHES, Signer
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
    signer, named = Signer(), list[str]()
    blank = np.zeros(HASHES, dtype=np.uint32)
    building = [place.with_suffix(f".{os.getpid()}{ending}.building") for ending in (".records", ".signatures")]
    with open(building[0], "wb") as records, open(building[1], "wb") as signatures:
        for piece, (content, follows) in each(pieces, stretch):
            wrong = fault(content)
            if wrong == ENCODING and len(named) < NAMED:
                named.append(f"{piece.path}: {_wrong(content)}")
            part = SPLITS.index(piece.part) if piece.part else len(SPLITS)
            print_ = int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
            records.write(np.array((print_, len(content), wrong, follows, part), dtype=RECORD).tobytes())
            signatures.write((blank if wrong else signer.sign(content)).tobytes())
        for file in (records, signatures):
            file.flush()
            os.fsync(file.fileno())
    for made, ending in zip(building, (".records", ".signatures")):
        made.replace(place.with_suffix(ending))
    write_json(place.with_suffix(".json"), named)


def _wrong(content: bytes) -> str:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return f"byte {content[error.start]:#04x} is not UTF-8"
    return "a zero byte"
