"""Names that readers know: of splits, of columns, and of files that are none of the user's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

Split = Literal["train", "select", "confirm"]
SPLITS: tuple[Split, ...] = ("train", "select", "confirm")
DEALT: tuple[Split, ...] = ("confirm", "select")
PARTS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "select",
    "valid": "select",
    "validation": "select",
    "dev": "select",
    "test": "confirm",
    "testing": "confirm",
}
IGNORED = ("thumbs.db", "desktop.ini", "__macosx")
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
"""How the names of tables end that are no rows of JSON or Parquet."""
TEXT_COLUMNS = ("text", "sentence", "content", "review", "message", "body", "document", "description")
NAMED = 3


def some(names: Sequence[str]) -> str:
    """The first three names."""
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def endings(files: Iterable[Path]) -> str:
    """How the names of files end, in words."""
    found = sorted({path.suffix.lower() for path in files})
    return f"its files end with {some([ending or 'nothing' for ending in found])}"
