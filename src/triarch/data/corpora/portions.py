"""How the files of a corpus are parted for work: portions, each read by one process at a time, each a shard of tokens.

Portions depend on the files alone, so that what is made of them is the same for any number of processes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
from pydantic import BaseModel

from triarch.core.errors import InputError, near
from triarch.data.corpora.documents import (
    LONGEST_ROW,
    STRETCH,
    Kind,
    Piece,
    holds_series,
    kind_of,
    open_plain,
    stretch_for,
    to_line_end,
)
from triarch.data.known import IGNORED, PARTS, TABLES, TEXT_COLUMNS, endings, some

PREFIX = "hf:"
SMALLEST, MOST_PORTIONS = 16 << 20, 256


class Plan(BaseModel):
    """What is read, by absolute paths, and how it is parted.

    Attributes:
        size: bytes of the files.
        stretch: bytes of a stretch of a long document.
        notes: what was inferred, in words.
    """

    name: str
    portions: list[list[Piece]]
    size: int
    stretch: int
    notes: list[str]

    @property
    def files(self) -> list[Path]:
        """Those that are read, each once."""
        return list(dict.fromkeys(piece.path for portion in self.portions for piece in portion))


def survey(place: str, column: str = "") -> Plan:
    """Look at a file, a folder with all in it, or a set of the hub.

    Args:
        column: of rows, that of the text; empty: one that is called like a text, or the only one of words.

    Raises:
        InputError: it is not there, or holds no documents.
    """
    if place.startswith(PREFIX):
        name, files = _hub(place)
        notes: list[str] = []
    else:
        root = Path(place)
        files, notes = _files(root)
        there = root.resolve()
        name, files = there.name, [(there / path.relative_to(root), kind, part) for path, kind, part in files]
    sizes = [path.stat().st_size for path, _, _ in files]
    total = sum(sizes)
    if not total:
        raise InputError(f"{place} is empty", "text is wanted: files, or rows with a column of texts")
    most = max(SMALLEST, total // MOST_PORTIONS)
    portions: list[list[Piece]] = []
    room = 0
    for (path, kind, part), size in zip(files, sizes):
        for piece, weight in _pieces(path, kind, part, size, most, column):
            if not portions or (room < weight and portions[-1]):
                portions.append([])
                room = most
            portions[-1].append(piece)
            room -= weight
    columns = sorted({piece.column for portion in portions for piece in portion if piece.column})
    notes += [f"text: column {some([repr(one) for one in columns])}"] if columns else []
    return Plan(name=name, portions=portions, size=total, stretch=stretch_for(total), notes=notes)


def _files(root: Path) -> tuple[list[tuple[Path, Kind, str]], list[str]]:
    """The files, how each is read and its split; and a note on those that are none of ours."""
    if not root.is_dir():
        if not root.exists():
            raise InputError(f"there is no corpus {str(root)!r}", "give a file or a folder of text, or an hf: set")
        if holds_series(root):
            raise _series(root)
        if root.name.lower().endswith(TABLES):
            raise InputError(
                f"{root} is a table, not text",
                "write its texts as JSON lines or Parquet; named .txt, it is read as it stands, columns and all",
            )
        return [(root, kind_of(root) or "text", "")], []
    found: list[Path] = []
    rest: list[Path] = []
    for path in _below(root):
        (found if kind_of(path) else rest).append(path)
    if not found and any(map(holds_series, rest)):
        raise _series(root)
    if not found:
        what = f"holds no text: {endings(rest)}" if rest else "is empty"
        raise InputError(f"{root} {what}", "texts end with .txt, .md, .py and the like, rows with .jsonl or .parquet")
    tops = {path.relative_to(root).parts[0] for path in found}
    parted = "train" in {PARTS.get(top.lower()) for top in tops} and len(tops) > 1 and all(
        top.lower() in PARTS for top in tops
    )  # fmt: skip
    files: list[tuple[Path, Kind, str]] = []
    for path in found:
        kind = kind_of(path)
        assert kind is not None
        files.append((path, kind, PARTS[path.relative_to(root).parts[0].lower()] if parted else ""))
    shown = some([str(path.relative_to(root)) for path in rest])
    return _train_first(files), [f"{len(rest):,} files are left out, they are no text: {shown}"] if rest else []


def _series(root: Path) -> InputError:
    return InputError(
        f"{root} holds time series, not text", f"triarch choose {root}, say: language models learn from text"
    )


def _train_first(files: list[tuple[Path, Kind, str]]) -> list[tuple[Path, Kind, str]]:
    """Of documents that are alike the first stays: so that it is one of train."""
    order = ("", "train", "select", "confirm")
    return sorted(files, key=lambda file: order.index(file[2]))


def _below(folder: Path) -> Iterator[Path]:
    """All files in a folder and those below it, by name; hidden ones and links to folders are passed over."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}", "mend its permissions, or copy it")

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not _passed_over(name))
        yield from (
            Path(place, name)
            for name in sorted(names)
            if not _passed_over(name) and os.path.isfile(os.path.join(place, name))
        )


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name.lower() in (*IGNORED, "__pycache__")


def _pieces(
    path: Path, kind: Kind, part: str, size: int, most: int, column: str
) -> Iterator[tuple[Piece, int]]:  # fmt: skip
    """Pieces of a file of about `most` bytes each, and their sizes."""
    try:
        if kind == "text":
            cuts: Iterable[tuple[int, int, int]] = _ranges(path, size, most, STRETCH)
        elif kind == "jsonl":
            column = _column(path, [*_first(path)], column)
            cuts = [(0, -1, size)] if path.suffix.lower() == ".gz" else _ranges(path, size, most, LONGEST_ROW)
        elif kind == "parquet":
            with pa_parquet.ParquetFile(path) as file:
                column = _column(path, _of_words(file.schema_arrow), column)
                groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
                weights = [group.total_byte_size * size // max(1, _total(file)) for group in groups]
            cuts = _runs(weights, most)
        else:
            with pa.memory_map(str(path)) as mapped, pa.ipc.open_stream(mapped) as stream:
                column = _column(path, _of_words(stream.schema), column)
                weights = [batch.nbytes for batch in stream]
            cuts = _runs(weights, most)
    except (OSError, EOFError, pa.ArrowException) as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as {kind}: {told}", "mend it, or take it out") from error
    for start, stop, weight in cuts:
        yield Piece(path=path, kind=kind, start=start, stop=stop, column=column, part=part), weight


def _total(file: pa_parquet.ParquetFile) -> int:
    return sum(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))


def _ranges(path: Path, size: int, most: int, line: int) -> list[tuple[int, int, int]]:
    """Where each of about `size` / `most` ranges begins and ends: with a line, where none is longer than `line`."""
    count = max(1, size // most)
    places = [0]
    with open(path, "rb") as file:
        for number in range(1, count):
            file.seek(size * number // count)
            to_line_end(file, b"", line)
            places.append(min(size, file.tell()))
    places = sorted({*places, size})
    return [(start, stop, stop - start) for start, stop in zip(places, places[1:])]


def _runs(weights: list[int], most: int) -> Iterator[tuple[int, int, int]]:
    """Neighbours that weigh `most` together, or little more."""
    start, weight = 0, 0
    for number, one in enumerate(weights):
        weight += one
        if weight >= most or number == len(weights) - 1:
            yield start, number + 1, weight
            start, weight = number + 1, 0


def _first(path: Path) -> Iterator[str]:
    """The columns of words of the first row of JSON lines."""
    with open_plain(path) as file:
        line = next((line for line in file if not line.isspace()), b"{}")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise InputError(f"{path}: line 1 is no JSON object", 'each line is an object with a text: {"text": "…"}')
    yield from (name for name, cell in row.items() if isinstance(cell, str))


def _of_words(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]


def _column(path: Path, words: list[str], asked: str) -> str:
    """The column of the texts.

    Raises:
        InputError: there is none, or it cannot be told which.
    """
    if asked and asked not in words:
        raise InputError(f"{path}: there is no column {asked!r} of texts", near(asked, words))
    likely = asked or next((one for one in words if one.lower() in TEXT_COLUMNS), "")
    if not likely and len(words) != 1:
        what = f"which of {', '.join(words)[:80]} is the text" if words else "it has no column of texts"
        raise InputError(f"{path}: {what}", "name the column with --input")
    return likely or words[0]


def _hub(place: str) -> tuple[str, list[tuple[Path, Kind, str]]]:
    """The Arrow files of a set of the hub, or of one that `save_to_disk` wrote."""
    if find_spec("datasets") is None:
        raise InputError(f"{place}: the library `datasets` is not there", "pip install 'triarch[hf]'")
    library = import_module("datasets")
    name = place.removeprefix(PREFIX)
    try:
        loaded = library.load_from_disk(name) if Path(name).is_dir() else library.load_dataset(name)
    except Exception as error:  # the library's errors have no common base
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{place}: cannot be loaded: {told}", "is the name right, and is there a network?") from None
    splits = dict(loaded) if isinstance(loaded, library.DatasetDict) else {"": loaded}
    strange = [split for split in splits if split and split not in PARTS]
    if strange and len(splits) > 1:
        raise InputError(f"{place}: what is its split {strange[0]!r} for?", near(strange[0], PARTS))
    parts = {split: PARTS[split] if len(splits) > 1 else "" for split in splits}
    files: list[tuple[Path, Kind, str]] = [
        (Path(file["filename"]).absolute(), "arrow", parts[split])
        for split, one in splits.items()
        for file in one.cache_files
    ]
    if not files:
        raise InputError(f"{place}: there are no items")
    return Path(name).name, _train_first(files)
