"""Rows with an instruction and its answer, or with the messages of a chat → dialogues."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from triarch.core.errors import InputError, near
from triarch.data.corpora.documents import open_plain
from triarch.data.known import TABLES
from triarch.data.tables import DELIMITERS, read_frame, read_object, unreadable
from triarch.data.template import ASSISTANT, ROLES, USER, Dialogue
from triarch.data.tokens import encodable

INSTRUCTION, INPUT, OUTPUT, MESSAGES = "instruction", "input", "output", "messages"
LINES = (".jsonl", ".jsonl.gz", ".ndjson")
FORM = f"rows with {INSTRUCTION}, {INPUT} and {OUTPUT}, or with {MESSAGES}: [{{role, content}}, …]"

Row = Mapping[str, Any]


def columns_of(data: Any) -> tuple[str, ...]:
    """The names of the columns of a table, a frame or a list of objects; none where it is nothing of the kind."""
    if isinstance(data, pd.DataFrame):
        return tuple(str(column) for column in data.columns)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return tuple(data[0]) if len(data) and isinstance(data[0], Mapping) else ()
    if not isinstance(data, str | Path) or not os.path.isfile(data):
        return ()
    path, name = Path(data), Path(data).name.lower()
    try:
        if name.endswith(".parquet"):
            return tuple(pa_parquet.read_schema(path).names)
        if name.endswith(LINES):
            with open_plain(path) as file:
                first = json.loads(next((line for line in file if line.strip()), b"null"))
            return tuple(first) if isinstance(first, dict) else ()
        if name.endswith(TABLES):
            with io.TextIOWrapper(open_plain(path), encoding="utf-8-sig", newline="") as table:
                line = table.readline(1 << 16)
            cells = next(csv.reader([line], delimiter=max(DELIMITERS, key=line.count)), [])
            return tuple(cell.strip() for cell in cells)
    except (OSError, EOFError, ValueError, RecursionError, csv.Error, pa.ArrowException):
        pass  # who reads the whole file says what is wrong with it
    return ()


def answered(columns: Sequence[str]) -> bool:
    """Whether these are the columns of instructions or messages."""
    return MESSAGES in columns or {INSTRUCTION, OUTPUT} <= set(columns)


def dialogues(data: Any, where: str) -> list[tuple[str, Dialogue]]:
    """Where each row is, in words, and its dialogue up to the last answer.

    Args:
        data: a path, a frame or a list of objects, with the columns that `answered` knows.
        where: what to call it in errors.

    Raises:
        InputError: a row has no instruction or answer, or messages that are none.
    """
    chat = MESSAGES in columns_of(data)
    return [
        (place, _of_messages(row.get(MESSAGES), place) if chat else _of_instruction(row, place))
        for place, row in _rows(data, where)
    ]


def _rows(data: Any, where: str) -> Iterator[tuple[str, Row]]:
    """Where each row is, and what is in it."""
    if isinstance(data, str | Path) and Path(data).name.lower().endswith(LINES):
        try:
            with open_plain(Path(data)) as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield (place := f"{where}: line {number}"), read_object(line, place, FORM)
        except (OSError, EOFError) as error:
            raise unreadable(Path(data), "JSON lines", error) from error
        return
    if isinstance(data, str | Path):
        data = read_frame(Path(data))
    rows = data.to_dict("records") if isinstance(data, pd.DataFrame) else data
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise InputError(f"{where}: row {number} is no object", FORM)
        yield f"{where}: row {number}", row


def _of_instruction(row: Row, where: str) -> Dialogue:
    """What is asked, with its input after an empty line, and the answer."""
    asked, answer = (_text(row.get(name), f"{where}, {name!r},") for name in (INSTRUCTION, OUTPUT))
    more = row.get(INPUT)
    if _there(more):
        asked = f"{asked}\n\n{_text(more, f'{where}, {INPUT!r},')}"
    return [{"role": USER, "content": asked}, {"role": ASSISTANT, "content": answer}]


def _of_messages(messages: Any, where: str) -> Dialogue:
    if not isinstance(messages, list | np.ndarray) or not len(messages):
        raise InputError(f"{where}: {MESSAGES!r} is no list", f"write {FORM}")
    made = [read_message(one, f"{where}, message {number}") for number, one in enumerate(messages, 1)]
    last = max((turn for turn, one in enumerate(made) if one["role"] == ASSISTANT), default=None)
    if last is None:
        raise InputError(f"{where}: no message is the assistant's", "nothing could be learned from it: take it out")
    return made[: last + 1]


def read_message(message: Any, where: str) -> dict[str, str]:
    """Who says what.

    Raises:
        InputError: that is not to be told.
    """
    if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
        raise InputError(f"{where} has no role and content", f"write {FORM}")
    role = message["role"]
    if role not in ROLES:
        raise InputError(f"{where}: there is no role {role!r}", near(str(role), ROLES))
    return {"role": role, "content": _text(message["content"], f"{where}, 'content',")}


def _there(cell: Any) -> bool:
    if isinstance(cell, str):
        return bool(cell.strip())
    return isinstance(cell, list | dict | np.ndarray) or not pd.isna(cell)


def _text(cell: Any, where: str) -> str:
    if not _there(cell):
        raise InputError(f"{where} is missing or empty", "fill it in or leave the row out")
    if not isinstance(cell, str):
        raise InputError(f"{where} is no text: {str(cell)[:40]}", "write it as a text, or leave the row out")
    if not encodable(cell):
        raise InputError(f"{where} is not valid Unicode", "mend its encoding")
    return cell
