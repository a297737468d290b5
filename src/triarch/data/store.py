"""Items of unequal length end to end in one flat array, in memory or mapped from a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray


class Ragged(Sequence[NDArray[Any]]):
    """Arrays (T …) of unequal T.

    Attributes:
        flat: all steps (N …).
        offsets: (I + 1), where each item begins, and the end of the last.
    """

    def __init__(self, flat: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        self.flat, self.offsets = flat, offsets

    @classmethod
    def of(cls, items: Sequence[NDArray[Any]]) -> Self:
        """The items, copied into memory."""
        return cls(np.concatenate(items), offsets([len(item) for item in items]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """T of each item (I)."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[Any]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | list[NDArray[Any]]:
        """One item, or a list of them."""
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = range(len(self))[index]
        return self.flat[self.offsets[number] : self.offsets[number + 1]]


class Texts(Sequence[str]):
    """Texts, held as UTF-8."""

    def __init__(self, encoded: Ragged) -> None:
        self.encoded = encoded

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The texts, copied into memory."""
        encoded = [text.encode() for text in texts]
        flat = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(Ragged(flat, offsets([len(content) for content in encoded])))

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One text, or a list of them."""
        if isinstance(index, slice):
            return [content.tobytes().decode() for content in self.encoded[index]]
        return self.encoded[index].tobytes().decode()


class Chosen(Sequence[str]):
    """Some of many texts, in place."""

    def __init__(self, texts: Texts, rows: NDArray[np.int64]) -> None:
        self.texts, self.rows = texts, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One text, or a list of them."""
        if isinstance(index, slice):
            return [self.texts[int(row)] for row in self.rows[index]]
        return self.texts[int(self.rows[index])]


def offsets(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Where items of these lengths begin, and the end of the last."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
