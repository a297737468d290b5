"""What a language model learns from: documents in blocks of tokens, or dialogues, of which answers are sought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from triarch.data.store import offsets


class Flat(Protocol):
    """Tokens end to end: an array, or shards of one."""

    def __getitem__(self, span: slice, /) -> NDArray[Any]: ...


class Blocks(Sequence[NDArray[np.int64]]):
    """Pieces of documents of at most T + 1 tokens: the first is only seen, the last only sought.

    The documents lie end to end with [END] before the first and after each; the pieces of one follow each other with
    one token in common, so that every token but the first [END] is sought once, and none crosses a boundary.

    Args:
        flat: the tokens of all documents (N).
        marks: (D + 1), where in `flat` the [END]s are.
        context: T.

    Attributes:
        starts: (I), where in `flat` each piece begins.
        lengths: (I), its tokens.
        documents: (I), the number of its document.
    """

    def __init__(self, flat: Flat, marks: NDArray[np.int64], context: int) -> None:
        self.flat, self.marks, self.context = flat, marks, context
        sought = np.diff(marks)
        pieces = -(-sought // context)
        self.documents = np.repeat(np.arange(len(sought)), pieces)
        place = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        self.starts = marks[self.documents] + place * context
        self.lengths = np.minimum(self.starts + context, marks[self.documents + 1]) + 1 - self.starts

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.int64]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.int64]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        """The tokens of one piece, or a list of them."""
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        start = self.starts[index]
        return np.asarray(self.flat[start : start + self.lengths[index]], dtype=np.int64)

    def sought(self, index: int) -> NDArray[np.bool_] | None:
        """Which tokens of a piece are sought; None: all but the first."""
        return None


class Dialogues(Blocks):
    """Dialogues as they are, each a piece of at most T + 1 tokens, of which those of its answers are sought.

    Args:
        pieces: the tokens of each.
        sought: of each (T + 1), True at those that are sought.
        context: T.
    """

    def __init__(self, pieces: Sequence[NDArray[np.int64]], sought: Sequence[NDArray[np.bool_]], context: int) -> None:
        self.flat, self._sought = np.concatenate(pieces), np.concatenate(sought)
        self.lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        self.marks, self.context = offsets(self.lengths), context
        self.starts, self.documents = self.marks[:-1], np.arange(len(pieces))

    def sought(self, index: int) -> NDArray[np.bool_]:
        """Which tokens of a dialogue are of its answers."""
        start = self.starts[index]
        return self._sought[start : start + self.lengths[index]]
