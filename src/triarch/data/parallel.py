"""Pairs of texts, a sentence and its translation or a word and its sounds, in two columns of a table → Source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from triarch.core.errors import InputError, near
from triarch.core.progress import Report
from triarch.data.asked import Asked, listed
from triarch.data.cache import cached, store
from triarch.data.columns import TARGET_COLUMNS, texts
from triarch.data.source import Hashes, Parallel, Source
from triarch.data.store import Texts
from triarch.data.tables import read_frame
from triarch.data.tokens import encodable

FEWEST = 3


def read_parallel(data: Any, asked: Asked, report: Report) -> Source:
    """A table with a column of texts and another of what they become: a file, a frame, or two lists.

    Raises:
        InputError: it is none of these, a column is not there, or a text is empty.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, pd.DataFrame):
        return from_pairs(data, asked, "frame")
    if isinstance(data, tuple) and len(data) == 2 and all(isinstance(one, Sequence) for one in data):
        if len(data[0]) != len(data[1]):
            raise InputError(f"{len(data[0]):,} texts but {len(data[1]):,} answers", "give one answer for each text")
        pairs = pd.DataFrame({"source": list(data[0]), "target": list(data[1])})
        return from_pairs(pairs, replace(asked, inputs=("source",), target="target"), "pairs")
    if not isinstance(data, str | Path) or not Path(data).is_file():
        raise InputError(
            f"there is no table of pairs {str(data)[:60]!r}", "CSV, TSV, JSONL or Parquet with two columns of texts"
        )
    path = Path(data)

    def read(folder: Path) -> None:
        report(0.0, f"reading {path.name}")
        store(from_pairs(read_frame(path), asked, str(path), path.name), folder)

    return cached(path, [path], asked, read)


def from_pairs(frame: pd.DataFrame, asked: Asked, where: str, name: str | None = None) -> Source:
    """The pairs of a frame. All that begin with the same text are in one split, or those of one group where that is
    said.

    Args:
        where: what to call the frame in errors; `name` elsewhere, where that is another.
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    asked.refuse(f"{where}: pairs of texts", "image_size")
    source, target = _columns(frame, asked, where)
    inputs, answers = (texts(frame[column], 1, where) for column in (source, target))
    for row, pair in enumerate(zip(inputs, answers), 1):
        if not all(map(encodable, pair)):
            raise InputError(f"{where}: row {row} is not valid Unicode", "mend its encoding")
    if len(inputs) < FEWEST:
        raise InputError(f"{where}: {len(inputs)} pair(s); each split needs one, so {FEWEST} at least", "give more")
    ours, theirs, nothing = Hashes(), Hashes(), np.zeros(0, dtype=np.int64)
    ours.add(inputs)
    theirs.add(answers)
    digest, prints = ours.finish(nothing, ())
    whole = blake2b((digest + theirs.finish(nothing, ())[0]).encode(), digest_size=16).hexdigest()
    by = prints if asked.group is None else frame[asked.group].astype(str).to_numpy()
    held = Texts.of(answers)
    return Source(
        name or where, "text", Texts.of(inputs), held.encoded.lengths.astype(np.float32), (),
        groups=np.unique(by, return_inverse=True)[1], notes=[f"input: column {source!r}", f"target: column {target!r}"],
        digest=whole, prints=prints, parallel=Parallel(held),
    )  # fmt: skip


def _columns(frame: pd.DataFrame, asked: Asked, where: str) -> tuple[str, str]:
    """The columns of the texts and of what they become: those that are named, else the only two."""
    columns = list(frame.columns)
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise InputError(f"{where}: two columns are called {twice[0]!r}", "rename one")
    given = listed(asked.inputs, columns)
    for column in (*given, *filter(None, (asked.target, asked.group))):
        if column not in columns:
            raise InputError(f"{where}: there is no column {column!r}", near(column, columns))
    rest = [column for column in columns if column not in (*given, asked.target, asked.group)]
    known = [column for column in rest if column.lower() in TARGET_COLUMNS]
    target = asked.target or (known or rest[-1:] or [""])[0]
    source = given or [column for column in rest if column != target]
    if not target or len(source) != 1 or target in source or asked.group in (target, *source):
        raise InputError(
            f"{where}: which column is the text, and which is what it becomes?", "--input en --target es, say"
        )
    return source[0], target
