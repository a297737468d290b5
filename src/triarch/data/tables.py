"""Tables with an item a row, CSV, Parquet and JSON lines, read piece by piece."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from triarch.core.errors import InputError
from triarch.core.progress import Report, silent
from triarch.data.arrays import from_arrays
from triarch.data.asked import Asked
from triarch.data.cache import Draft, cached
from triarch.data.columns import Columns, choose, is_number, numbers, texts
from triarch.data.long_frame import recognised
from triarch.data.panel import from_long
from triarch.data.source import Source
from triarch.data.tokens import encodable

BLOCK = 16 << 20
ROWS = 4_096
OBJECT_A_LINE = 'each line is an object: {"text": …, "label": …}'
DELIMITERS = ",;\t|"
LABELLED = 'each line is an object: {"text": …, "label": …}'

Pieces = Callable[[Path, Report], Iterator[pd.DataFrame]]


def read_csv(path: Path, asked: Asked, report: Report) -> Source:
    """A CSV file, whose first line names the columns unless it holds numbers only."""
    return _read(path, asked, report, _csv)


def read_parquet(path: Path, asked: Asked, report: Report) -> Source:
    """A Parquet file."""
    return _read(path, asked, report, _parquet)


def read_jsonl(path: Path, asked: Asked, report: Report) -> Source:
    """A file with a JSON object in each line."""
    return _read(path, asked, report, _jsonl)


def from_frame(frame: pd.DataFrame, asked: Asked, name: str = "frame") -> Source:
    """A frame in memory.

    Raises:
        InputError: as for a file.
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if (roles := recognised(frame, asked)) is not None:
        return from_long(frame, roles, asked, name)
    if not len(frame.columns):
        raise InputError(f"{name}: it has no columns", "a row an item, one column of labels")
    columns = choose(frame, asked, name)
    x: Any
    if columns.kind == "text":
        x = texts(frame[columns.inputs[0]], 0, name)
    elif columns.kind == "numbers":
        x = numbers(frame, columns.inputs, 0, name)
    else:
        x = [_series(cell, f"{name}: row {row}") for row, cell in enumerate(frame[columns.inputs[0]])]
    source = from_arrays(x, frame[columns.target].to_numpy(), name)
    groups = None if columns.group is None else frame[columns.group].astype(str).to_numpy()
    return replace(source, groups=groups, notes=[*source.notes, *columns.notes])


def read_frame(path: Path) -> pd.DataFrame:
    """A whole table.

    Raises:
        InputError: it is none, or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}", "a table with the columns of the training data is wanted")
    kinds: dict[str, Pieces] = {".parquet": _parquet, ".jsonl": _jsonl, ".ndjson": _jsonl, ".jsonl.gz": _jsonl}
    pieces = next((kind for ending, kind in kinds.items() if path.name.lower().endswith(ending)), _csv)
    frames = list(pieces(path, silent))
    if not frames:
        raise InputError(f"{path}: there are no rows", "a row for each step is wanted")
    return pd.concat(frames, ignore_index=True)


def _read(path: Path, asked: Asked, report: Report, pieces: Pieces) -> Source:
    frames = pieces(path, report)
    first = next(frames, None)
    roles = None if first is None else recognised(first, asked)
    if first is not None and roles is not None:
        return from_long(pd.concat([first, *frames], ignore_index=True), roles, asked, path.name)

    def read(folder: Path) -> None:
        draft = Draft(folder, lambda row: f"{path}: row {row + 1}")
        columns = fill(draft, pieces(path, report), asked, str(path))
        if columns is None:
            raise InputError(f"{path}: there are no rows", "a row an item is wanted, after the names of the columns")
        draft.finish(path.name, columns.modality, list(columns.notes))

    return cached(path, [path], asked, read)


def fill(
    draft: Draft,
    frames: Iterable[pd.DataFrame],
    asked: Asked,
    name: str,
    part: str = "",
    columns: Columns | None = None,
) -> Columns | None:
    """Put the rows of frames into a draft.

    Args:
        part: the split that the data assigns to them, where it does.
        columns: chosen before; None: by the first frame.

    Returns:
        The columns; None where there are no rows.
    """
    row = 1
    for frame in frames:
        columns = columns or choose(frame, asked, name)
        items: Any
        if columns.kind == "text":
            items = texts(frame[columns.inputs[0]], row, name)
        elif columns.kind == "numbers":
            items = numbers(frame, columns.inputs, row, name)[..., None]
        else:
            items = [_series(cell, f"{name}: row {at}") for at, cell in enumerate(frame[columns.inputs[0]], row)]
        groups = [None] * len(frame) if columns.group is None else frame[columns.group].astype(str)
        for item, label, group in zip(items, frame[columns.target].tolist(), groups):
            if isinstance(item, str) and not encodable(item):
                raise InputError(f"{draft.where(len(draft))} is not valid Unicode", "mend its encoding")
            draft.add(item, label, group, part)
        row += len(frame)
    return columns


def _series(cell: Any, where: str) -> Any:
    """A list of numbers, or of lists with a number a channel → (T C)."""
    try:
        series = np.array(cell.tolist() if isinstance(cell, np.ndarray) else cell, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is no list of numbers: {str(cell)[:40]}", "mend it or leave the row out") from error
    if series.ndim not in (1, 2) or not series.size or not np.isfinite(series).all():
        raise InputError(f"{where} is empty or has a missing value", "mend it or leave the row out")
    return series[:, None] if series.ndim == 1 else series


def _csv(path: Path, report: Report) -> Iterator[pd.DataFrame]:
    size = max(1, path.stat().st_size)
    with open(path, "rb") as raw:
        zipped = path.suffix == ".gz"
        with gzip.GzipFile(fileobj=raw) if zipped else raw as stream:
            try:
                head, delimiter = _header(stream, path)
                stream.seek(0)
                raw.seek(0)
                unnamed = all(is_number(cell) for cell in head)
                names = [f"{number}" for number in range(1, len(head) + 1)] if unnamed else head
                if len(set(names)) < len(names):
                    twice = next(name for name in names if names.count(name) > 1)
                    raise InputError(f"{path}: two columns are called {twice!r}", "rename one")
                options: dict[str, Any] = {
                    "read_options": pa_csv.ReadOptions(
                        block_size=BLOCK, column_names=names, skip_rows=0 if unnamed else 1, use_threads=False
                    ),
                    "parse_options": pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                    "convert_options": pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
                }
                for batch in pa_csv.open_csv(stream, **options):
                    if batch.num_rows:
                        yield batch.to_pandas()
                    report(min(1.0, raw.tell() / size), f"reading {path.name}")
            except (pa.ArrowInvalid, UnicodeDecodeError, OSError, EOFError, csv.Error) as error:
                raise unreadable(path, "CSV", error) from error


def _header(stream: Any, path: Path) -> tuple[list[str], str]:
    """The cells of the first line, and what stands between them."""
    line = io.TextIOWrapper(io.BytesIO(stream.read(BLOCK)), encoding="utf-8-sig", newline="")
    try:
        first = line.readline()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 ({error.reason})", "save it as UTF-8") from error
    if not first.strip():
        raise InputError(f"{path}: is empty", "a line with the names of the columns, then a row an item")
    delimiter = max(DELIMITERS, key=first.count)
    return [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))], delimiter


def _parquet(path: Path, report: Report) -> Iterator[pd.DataFrame]:
    try:
        with pa_parquet.ParquetFile(path) as file:
            done = 0
            for batch in file.iter_batches(batch_size=ROWS):
                if batch.num_rows:
                    yield batch.to_pandas()
                done += batch.num_rows
                report(done / max(1, file.metadata.num_rows), f"reading {path.name}")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise unreadable(path, "Parquet", error) from error


def _jsonl(path: Path, report: Report) -> Iterator[pd.DataFrame]:
    size = max(1, path.stat().st_size)
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    with open(path, "rb") as raw, gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw as stream:
        try:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    rows.append(read_object(line, f"{path}: line {number}", LABELLED))
                if len(rows) == ROWS:
                    names = names or list(rows[0])
                    yield _frame(rows, names)
                    rows = []
                    report(min(1.0, raw.tell() / size), f"reading {path.name}")
        except (OSError, EOFError) as error:
            raise unreadable(path, "JSON lines", error) from error
    if rows:
        yield _frame(rows, names or list(rows[0]))


def read_object(line: bytes, where: str, form: str) -> dict[str, Any]:
    """The object in a line of JSON.

    Args:
        form: what is to be written there.

    Raises:
        InputError: there is none.
    """
    try:
        made = json.loads(line)
    except (ValueError, RecursionError) as error:  # JSON, its encoding, or its depth
        raise InputError(f"{where} is no JSON ({error})", form) from error
    if not isinstance(made, dict):
        raise InputError(f"{where} is no JSON object", form)
    return made


def _frame(rows: list[dict[str, Any]], names: list[str]) -> pd.DataFrame:
    """Of objects that have the keys of the first; others are left out."""
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names})


def unreadable(path: Path, kind: str, error: Exception) -> InputError:
    """That a file is not what its name says."""
    told = " ".join(str(error).split())
    return InputError(f"{path}: cannot be read as {kind}: {told[:200]}", "mend the file, or leave the row out")
