"""What a user sees when something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class InputError(Exception):
    """The user's input is at fault. Exit status 2, no traceback.

    Args:
        what: what is wrong and where (file, row, option).
        remedy: how to mend it.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}\n{remedy}" if remedy else what)


class Interrupted(Exception):
    """The user, or the system, asked to stop. Exit status 130.

    Args:
        resume: the command that goes on from here; empty where nothing was begun.
    """

    def __init__(self, resume: str = "") -> None:
        super().__init__(resume)
        self.resume = resume


def misread(path: Path, error: ValidationError, remedy: str) -> InputError:
    """That a file of ours is not as it was written: which of its fields, and what is wrong with it."""
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    value = "" if first["type"] in ("missing", "json_invalid") else f", not {str(first['input'])[:60]!r}"
    return InputError(f"{path}: {f'field {field!r}: ' if field else ''}{first['msg']}{value}", remedy)


def near(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the known ones that look like it, else all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names)}"
