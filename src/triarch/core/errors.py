"""What a user sees when something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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


def near(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the known ones that look like it, else all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(names)}"
