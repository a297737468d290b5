"""The one door for data: a name, a path, arrays or a frame → Source."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from triarch.core.errors import InputError, near
from triarch.core.progress import Report, silent
from triarch.data.arrays import from_arrays, from_npz
from triarch.data.asked import Asked, Continued, Modelled, names
from triarch.data.builtin import BUILT_IN, CORPORA
from triarch.data.classes import listing
from triarch.data.corpora.corpus import read_corpus
from triarch.data.corpora.documents import kind_of
from triarch.data.dialogues import answered, columns_of
from triarch.data.folder import read_folder
from triarch.data.hub import PREFIX, read_hub
from triarch.data.idx import IDX_ENDINGS, holds_idx, read_idx
from triarch.data.instructions import holds_answers, read_instructions
from triarch.data.parallel import read_parallel
from triarch.data.source import Source
from triarch.data.tables import from_frame, read_csv, read_jsonl, read_parquet
from triarch.data.ts import holds_ts, read_ts

Reader = Callable[[Path, Asked, Report], Source]

LANGUAGE = ("language-model", "masked-model")
"""The tasks for which data is raw text, without labels."""
MASKED = "masked-model"
"""That of these for which tokens are hidden."""
TRANSLATE = "translate"
"""The task for which a column of texts is the target."""

RAW = (".txt", ".md")
"""Endings of files that hold nothing but text: language can be modelled in them."""

FILES: dict[str, Reader] = {
    ".npz": from_npz,
    ".csv": read_csv,
    ".csv.gz": read_csv,
    ".tsv": read_csv,
    ".tsv.gz": read_csv,
    ".parquet": read_parquet,
    ".jsonl": read_jsonl,
    ".jsonl.gz": read_jsonl,
    ".ndjson": read_jsonl,
    ".ts": read_ts,
    **dict.fromkeys(IDX_ENDINGS, read_idx),
}
"""Ending of a file's name → its reader."""


def open_source(
    data: Any,
    input: str | Sequence[str] = (),
    target: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    task: str | None = None,
    continued: Continued = Continued(),  # noqa: B008
    modelled: Modelled = Modelled(),  # noqa: B008
    *,
    image_shape: tuple[int, int, int] | None = None,
    image_white: float | None = None,
    report: Report = silent,
) -> Source:
    """Read `data`.

    Args:
        data: the name of a built-in set; a path; a pair of arrays (x, y); a DataFrame.
        input: the input columns of a table; of arrays and folders image, text or series.
        target: the column of labels.
        group: the column that says which items belong together and must not be split.
        image_size: the shorter side of pictures.
        task: classify, forecast, translate, language-model or masked-model, where the data could be for several.
        continued: how series are, where they are to be forecast.
        modelled: how text is, where language is to be modelled.
        image_shape: (C, Y, X) of pictures, for a model that takes these only.
        image_white: what white is in pictures, for such a model.
        report: told how far it is.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    if isinstance(data, Source):
        return data
    asked = Asked(names(input), target, group, image_size, image_shape, image_white, task, continued, modelled)
    if modelled.whole_words and task != MASKED:
        raise InputError("whole_words: only where tokens are hidden are words", "--objective masked, or leave it out")
    if str(data) in CORPORA and task in (None, *LANGUAGE):
        asked.refuse(f"{data} is built in: it", "inputs", "target", "group", "image_size")
        return _hidden(CORPORA[str(data)](asked), asked)
    if task in LANGUAGE and holds_answers(data, asked):
        return read_instructions(data, asked, report)
    if task in LANGUAGE:
        return _hidden(read_corpus(data, asked, report), asked)
    if task == TRANSLATE and not (isinstance(data, str) and data in BUILT_IN):
        return read_parallel(data, asked, report)
    if isinstance(data, pd.DataFrame):
        return _continued(from_frame(data, asked), asked)
    if isinstance(data, tuple) and len(data) == 2:
        asked.refuse("a pair of arrays (x, y)", "target", "group")
        return _continued(from_arrays(*data, modality=asked.modality), asked)
    if not isinstance(data, str | Path):
        raise InputError(
            f"data of type {type(data).__name__} cannot be read",
            "give a name, a path, a pair of arrays (x, y) or a DataFrame",
        )
    if str(data) in BUILT_IN:
        asked.refuse(f"{data} is built in: it", "inputs", "target", "group", "image_size")
        return _continued(BUILT_IN[str(data)](asked), asked)
    if str(data).startswith(PREFIX):
        return _continued(read_hub(str(data).removeprefix(PREFIX), asked, report), asked)
    path = Path(data)
    if path.suffix in RAW and path.is_file():
        return read_corpus(path, asked, report)
    try:
        there, is_folder = path.exists(), path.is_dir()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "mend its name or its permissions") from error
    if not there:
        raise InputError(f"there is no data set or file {str(data)!r}", near(str(data), {**BUILT_IN, **CORPORA}))
    if is_folder:
        folder: Reader = read_ts if holds_ts(path) else read_idx if holds_idx(path) else read_folder
        return _continued(folder(path, asked, report), asked)
    for ending, reader in FILES.items():
        if path.name.lower().endswith(ending):
            return _continued(reader(path, asked, report), asked)
    raise InputError(f"{path}: an unknown format", f"what can be read ends with {', '.join(FILES)}")


def reachable(data: str) -> str:
    """The data that something was begun on, as it was named then.

    Raises:
        InputError: it is not there, seen from the current folder.
    """
    named = data in BUILT_IN or data in CORPORA or data.startswith(PREFIX)
    if not named and not os.path.exists(data):
        raise InputError(
            f"the data was {data!r}, which is not to be found from the folder {str(Path.cwd())!r}",
            "go to the folder where it was begun, or name the data",
        )
    return data


def unlabelled(data: Any) -> bool:
    """Whether data is text, and nothing says what a label would be: texts, a corpus that is built in, a file of text, a
    folder of such without folders of classes, or rows with one column, or with instructions or messages.
    """
    columns = columns_of(data)
    if columns:
        return len(columns) == 1 or answered(columns)
    if not isinstance(data, str | Path):
        return isinstance(data, list)
    path = Path(data)
    if str(data) in CORPORA or (os.path.isfile(path) and kind_of(path) == "text"):
        return True
    folders, files = listing(path) if os.path.isdir(path) else ([], [])
    return not folders and any(map(kind_of, files))


def _hidden(source: Source, asked: Asked) -> Source:
    """The source, which knows how its tokens are to be hidden."""
    assert source.corpus is not None
    return replace(source, corpus=replace(source.corpus, whole_words=asked.modelled.whole_words))


def _continued(source: Source, asked: Asked) -> Source:
    """The source itself.

    Raises:
        InputError: its items are no series to be continued, and it was said how they should be.
    """
    if source.continued is None and (asked.task == "forecast" or asked.continued != Continued()):
        raise InputError(
            f"{source.name} holds no series to be continued",
            "a table with columns unique_id, ds, y is wanted; else leave --task, --horizon and their like out",
        )
    return source
