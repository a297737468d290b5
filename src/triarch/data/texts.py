"""Texts in a folder for each class, a file an item → Source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.data.asked import Asked
from triarch.data.cache import Draft, cached
from triarch.data.classes import Classes, Item, read_each
from triarch.data.source import Source

ENDINGS = (".txt", ".text", ".md")


def is_text(path: Path) -> bool:
    """Whether its name ends as that of a text."""
    return path.suffix.lower() in ENDINGS


def read_texts(found: Classes, asked: Asked, report: Report) -> Source:
    """All texts. Where no file has an ending, each is one, as in the 20 newsgroups.

    Raises:
        InputError: a file is not UTF-8, or empty.
    """
    asked.refuse(f"{found.root}: a folder of texts", "image_size")
    bare = all(not path.suffix for folder in found.folders for path in folder.files)
    items, left_out = found.choose("texts", (lambda _: True) if bare else is_text)
    files = [item.path for item in items]
    source = cached(found.root, files, asked, lambda place: _fill(place, found.root, items, report))
    return replace(source, notes=[*source.notes, *left_out])


def _fill(place: Path, root: Path, items: Sequence[Item], report: Report) -> None:
    draft = Draft(place, lambda number: str(items[number].path))
    for item, text in read_each(read_text, items, "texts", report):
        draft.add(text, item.label, part=item.part)
    draft.finish(root.resolve().name, "text", ["each file is a text"])


def read_text(path: Path) -> str:
    """What is in a file, without the mark of its encoding.

    Raises:
        InputError: it is not UTF-8, or empty, or cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8: byte {error.object[error.start]:#04x} at {error.start:,}", "save it as UTF-8"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "mend its permissions, or take it out") from error
    if "\0" in text:
        raise InputError(f"{path} holds a zero byte and is no text", "save it as UTF-8, or take it out")
    if not text.strip():
        raise InputError(f"{path} is empty", "fill it, or take it out")
    return text
