"""Which columns of a table are the input, the target and the group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triarch.core.errors import InputError, near
from triarch.core.spec import Modality
from triarch.data.asked import Asked, listed
from triarch.data.known import TEXT_COLUMNS

TARGET_COLUMNS = ("label", "target", "class", "y")
HEAD, MOSTLY = 1_000, 0.9

Kind = Literal["text", "numbers", "lists"]


@dataclass(frozen=True)
class Columns:
    """The choice.

    Attributes:
        kind: one column of texts; columns of numbers, which make up a series in their order; one column of lists.
        notes: what was inferred, in words.
    """

    inputs: tuple[str, ...]
    target: str
    group: str | None
    kind: Kind
    notes: tuple[str, ...]

    @property
    def modality(self) -> Modality:
        """Of the input."""
        return "text" if self.kind == "text" else "series"


def choose(frame: pd.DataFrame, asked: Asked, name: str) -> Columns:
    """Choose from the first rows of a table.

    Raises:
        InputError: a column is not there, or what the input is cannot be told.
    """
    columns = [str(column) for column in frame.columns]
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise InputError(f"{name}: two columns are called {twice[0]!r}", "rename one")
    asked.refuse(f"{name}: a table", "image_size")
    target = asked.target or next((column for column in columns if column.lower() in TARGET_COLUMNS), columns[-1])
    given = listed(asked.inputs, columns)
    for column in (*given, target, *filter(None, [asked.group])):
        if column not in columns:
            raise InputError(f"{name}: there is no column {column!r}", near(column, columns))
    if target in given or target == asked.group:
        raise InputError(f"{name}: column {target!r} cannot be the target and more", "name another with --target")
    rest = given or [column for column in columns if column not in (target, asked.group)]
    if not rest:
        raise InputError(f"{name}: no column is left for the input", "name it with --input")
    kinds = {column: _kind(frame[column]) for column in rest}
    inputs = rest if given or len(rest) == 1 else _likely(rest, kinds)
    found = {kinds[column] for column in inputs}
    if len(found) > 1 or (len(inputs) > 1 and found != {"numbers"}):
        raise InputError(
            f"{name}: columns {', '.join(inputs)[:60]} are neither one text nor all numbers",
            "name the input with --input",
        )
    notes = [f"target: column {target!r}"]
    if kinds[inputs[0]] != "numbers":
        notes.append(f"input: column {inputs[0]!r}")
    left = [column for column in rest if column not in inputs]
    if left:
        notes.append(f"not used: {', '.join(left)}")
    return Columns(tuple(inputs), target, asked.group, kinds[inputs[0]], tuple(notes))


def _likely(rest: list[str], kinds: dict[str, Kind]) -> list[str]:
    """All where all are numbers; the only one that is not; one that is called like a text."""
    others = [column for column in rest if kinds[column] != "numbers"]
    if not others:
        return rest
    named = [column for column in others if column.lower() in TEXT_COLUMNS]
    return others if len(others) == 1 else named[:1] or rest


def _kind(column: pd.Series[Any]) -> Kind:
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return "numbers"
    known = column.dropna()
    if len(known) and isinstance(known.iloc[0], list | np.ndarray):
        return "lists"
    head = [str(value) for value in known.head(HEAD).tolist() if str(value).strip()]
    return "numbers" if sum(map(is_number, head)) > MOSTLY * len(head) else "text"


def is_number(cell: str) -> bool:
    """Whether a cell holds one."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def texts(column: pd.Series[Any], start: int, name: str) -> list[str]:
    """The texts of a column whose first row is number `start`.

    Raises:
        InputError: one is missing.
    """
    values = column.tolist()
    for row, value in enumerate(values, start):
        if not isinstance(value, str) and pd.isna(value):
            raise InputError(f"{name}: row {row} has no {str(column.name)!r}", "fill it in or leave the row out")
        if not str(value).strip():
            raise InputError(f"{name}: row {row} has an empty {str(column.name)!r}", "fill it in or leave the row out")
    return [str(value) for value in values]


def numbers(frame: pd.DataFrame, inputs: Sequence[str], start: int, name: str) -> NDArray[np.float32]:
    """The numbers of columns (I T), whose first row is number `start`.

    Raises:
        InputError: one is missing or is no number.
    """
    made = np.empty((len(frame), len(inputs)), dtype=np.float32)
    for place, column in enumerate(inputs):
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            cell = frame[column].iloc[int(wrong[0])]
            what = "is missing" if not isinstance(cell, str) or not cell.strip() else f"is {cell[:30]!r}, no number"
            raise InputError(
                f"{name}: row {start + wrong[0]}, column {column!r} {what}", "mend it or leave the row out"
            )
        made[:, place] = values
    return made
