"""The documents of a corpus, streamed from its files: what they are (`survey`) and what is in them (`documents`).

A text or source file is a document, and so is a row of JSON lines, of Parquet or of a set of the hub. One that is
longer than two stretches is cut into stretches at the ends of lines, so that no more than that is held at a time.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pa_parquet
from pydantic import BaseModel, ConfigDict

from triarch.core.errors import InputError

Kind = Literal["text", "jsonl", "parquet", "arrow"]

SOURCE_CODE = (
    *(".py", ".pyi", ".js", ".ts", ".jsx", ".tsx", ".java", ".kt", ".scala", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs"),
    *(".go", ".rs", ".rb", ".php", ".pl", ".lua", ".r", ".jl", ".swift", ".sh", ".sql", ".hs", ".ml", ".el", ".lisp"),
)
PLAIN = (".txt", ".text", ".md", ".rst", ".tex", ".org", *SOURCE_CODE)
KINDS: dict[str, Kind] = {
    **dict.fromkeys(PLAIN, "text"),
    **dict.fromkeys((".jsonl", ".jsonl.gz", ".ndjson"), "jsonl"),
    ".parquet": "parquet",
    ".arrow": "arrow",
}
"""Ending of a file's name → how it is read."""
STRETCH = 64 << 10
SHORTEST_STRETCH, STRETCHES = 2 << 10, 64
LONGEST_ROW = 64 << 20
TOO_LONG = f"is longer than {LONGEST_ROW >> 20} MB"
ROWS = 256
SERIES_HEAD = 64 << 10
SERIES_MARKS = (b"@problemname", b"@timestamps", b"@missing", b"@univariate", b"@dimension", b"@equallength", b"@data")
"""How the first line of the UCR/UEA archive's .ts files begins, after remarks."""


class Piece(BaseModel):
    """A part of a file.

    Attributes:
        start, stop: of texts and JSON lines in bytes, where lines begin; of Parquet in row groups; of Arrow in batches.
        column: of a row, that of the text.
        part: the split that the data assigns, where it does.
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    kind: Kind
    start: int
    stop: int
    column: str = ""
    part: str = ""


class Document(NamedTuple):
    """A text as it lies in its file, or a stretch of one.

    Attributes:
        content: in the file's encoding, which should be UTF-8.
        follows: whether it goes on with the document before.
    """

    content: bytes
    follows: bool


def kind_of(path: Path) -> Kind | None:
    """How a file is read, by the ending of its name; None: it holds no documents, .ts with time series among them."""
    name = path.name.lower()
    kind = next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)
    return None if kind and holds_series(path) else kind


def holds_series(path: Path) -> bool:
    """Whether a file whose name ends with .ts is of time series, and not of TypeScript."""
    if path.suffix.lower() != ".ts":
        return False
    try:
        with open(path, "rb") as file:
            lines = [line.strip().lower() for line in file.read(SERIES_HEAD).splitlines()]
    except OSError:  # which is told where it is read
        return False
    return next((line for line in lines if line and not line.startswith(b"#")), b"").startswith(SERIES_MARKS)


def documents(piece: Piece, stretch: int = STRETCH) -> Iterator[Document]:
    """All that begin in a piece, in their order.

    Args:
        stretch: bytes of a stretch.

    Raises:
        InputError: the file cannot be read, or a row is at fault.
    """
    try:
        if piece.kind == "text":
            with open(piece.path, "rb") as file:
                yield from _stretches(file, piece.start, piece.stop, stretch)
            return
        rows = {"jsonl": _jsonl, "parquet": _parquet, "arrow": _arrow}[piece.kind]
        for content in rows(piece):
            yield from parts_of(content, stretch)
    except (OSError, EOFError, pa.ArrowException) as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{piece.path}: cannot be read as {piece.kind}: {told}", "mend it, or take it out") from error


def stretch_for(size: int) -> int:
    """Bytes of a stretch in a corpus of `size` bytes."""
    return min(STRETCH, max(SHORTEST_STRETCH, size // STRETCHES))


def parts_of(content: bytes, stretch: int) -> Iterator[Document]:
    """A text, whole or in stretches."""
    yield from _stretches(io.BytesIO(content), 0, len(content), stretch)


def _stretches(file: BinaryIO, start: int, stop: int, stretch: int) -> Iterator[Document]:
    """What lies from `start` to `stop`: whole, or in stretches that end with a line; the last may be twice as long."""
    file.seek(start)
    follows = start > 0
    while start < stop:
        left = stop - start
        content = file.read(left) if left <= 2 * stretch else to_line_end(file, file.read(stretch), stretch)
        if not content:
            return
        start += len(content)
        mark = b"" if follows else b"\xef\xbb\xbf"
        yield Document(content.removeprefix(mark), follows)
        follows = True


def to_line_end(file: BinaryIO, content: bytes, most: int) -> bytes:
    """`content` and what follows in `file` up to the end of the line, or of the character after `most` bytes more."""
    if content.endswith(b"\n"):
        return content
    content += file.readline(most)
    if content.endswith(b"\n"):
        return content
    place = file.tell()
    ahead = file.read(3)
    rest = next((number for number, byte in enumerate(ahead) if byte & 0xC0 != 0x80), len(ahead))
    file.seek(place + rest)
    return content + ahead[:rest]


def _jsonl(piece: Piece) -> Iterator[bytes]:
    with open_plain(piece.path) as file:
        file.seek(max(0, piece.start - 1))
        if piece.start and file.read(1) != b"\n":
            raise InputError(
                f"{piece.path}: line {_line_number(piece.path, piece.start)}: {TOO_LONG}",
                "part the text into several rows, or give it as a .txt",
            )
        while file.tell() < piece.stop or piece.stop < 0:
            place = file.tell()
            line = file.readline(LONGEST_ROW + 1)
            if not line:
                return
            if line.isspace():
                continue
            try:
                if len(line) > LONGEST_ROW:
                    raise ValueError(TOO_LONG)
                yield _text(json.loads(line.decode("utf-8", "surrogateescape")), piece.column)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{piece.path}: line {_line_number(piece.path, place)}: {error}",
                    f'each line is an object with a text: {{"{piece.column}": "…"}}',
                ) from error


def open_plain(path: Path) -> BinaryIO:
    """The file, unpacked where its name ends with .gz."""
    return gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb")  # type: ignore[return-value]


def _line_number(path: Path, place: int) -> int:
    number = 1
    with open_plain(path) as file:
        while place > 0 and (block := file.read(min(place, 1 << 20))):
            number += block.count(b"\n")
            place -= len(block)
    return number


def _parquet(piece: Piece) -> Iterator[bytes]:
    with pa_parquet.ParquetFile(piece.path) as file:
        row = sum(file.metadata.row_group(number).num_rows for number in range(piece.start))
        groups = list(range(piece.start, piece.stop))
        for batch in file.iter_batches(ROWS, groups, [piece.column], use_threads=False):
            yield from _column(batch, piece, row)
            row += batch.num_rows


def _arrow(piece: Piece) -> Iterator[bytes]:
    row = 0
    with pa.memory_map(str(piece.path)) as mapped, pa.ipc.open_stream(mapped) as stream:
        for number, batch in enumerate(stream):
            if number >= piece.stop:
                return
            if number >= piece.start:
                yield from _column(batch, piece, row)
            row += batch.num_rows


def _column(batch: pa.RecordBatch, piece: Piece, row: int) -> Iterator[bytes]:
    column = batch.column(piece.column).cast(pa.large_binary())
    for number, cell in enumerate(column, row + 1):
        if (content := cell.as_py()) is None:
            raise InputError(f"{piece.path}: row {number} has no {piece.column!r}", "fill it in or leave the row out")
        yield content


def _text(row: Any, column: str) -> bytes:
    if not isinstance(row, dict):
        raise ValueError("is no JSON object")
    text = row.get(column)
    if not isinstance(text, str):
        raise ValueError(f"has no text {column!r}")
    return text.encode("utf-8", "surrogatepass")  # half a character makes it undecodable, as in its line
