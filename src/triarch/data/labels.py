"""Labels as they are written → class numbers."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triarch.core.errors import InputError

ONE_LABEL = "only one class an item can be learned so far"


class Labels:
    """Collects the labels of one item after the other.

    Args:
        where: item number → what to call the item in an error.
    """

    def __init__(self, where: Callable[[int], str]) -> None:
        self.where = where
        self.numbers = array("q")
        self.known: dict[str, int] = {}
        self.first: list[int] = []

    def add(self, label: Any) -> None:
        """The label of the next item.

        Raises:
            InputError: it is missing, or several.
        """
        if not isinstance(label, str) and isinstance(label, list | tuple | set | dict | np.ndarray):
            raise InputError(f"{self.where(len(self.numbers))} has several labels: {str(label)[:60]}", ONE_LABEL)
        if not label.strip() if isinstance(label, str) else pd.isna(label):
            raise InputError(f"{self.where(len(self.numbers))} has no label", "fill it in or leave the row out")
        name = label if isinstance(label, str) else _name(label)
        number = self.known.get(name)
        if number is None:
            number = self.known[name] = len(self.known)
            self.first.append(len(self.numbers))
        self.numbers.append(number)

    def extend(self, labels: Iterable[Any]) -> None:
        """`add` each."""
        for label in labels:
            self.add(label)

    def finish(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Positions (I) among the class names, and these: in numerical order where all are whole numbers.

        Raises:
            InputError: the labels are continuous.
        """
        names = list(self.known)
        numbers = [_number(name) for name in names]
        order = sorted(range(len(names)), key=names.__getitem__)
        if all(number is not None for number in numbers):
            for number, row in zip(numbers, self.first):
                if number is None or not isfinite(number) or number != round(number):
                    raise InputError(
                        f"{self.where(row)} has label {number:g}: the labels are continuous",
                        "only classes can be learned so far: cut the values into classes, or name another --target",
                    )
            order.sort(key=lambda place: numbers[place] or 0.0)
        rank = np.empty(len(names), dtype=np.int64)
        rank[order] = np.arange(len(names))
        return rank[np.frombuffer(self.numbers, dtype=np.int64)], tuple(names[place] for place in order)


def number_labels(labels: Sequence[Any] | NDArray[Any], name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels of any kind → their positions among the sorted class names.

    Raises:
        InputError: missing, continuous or multi-label.
    """
    values = np.asarray(labels) if hasattr(labels, "__array__") else labels
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise InputError(f"{name}: the labels have shape {values.shape}, one label an item is wanted", ONE_LABEL)
    collected = Labels(lambda row: f"{name}: row {row}")
    collected.extend(values.tolist() if isinstance(values, np.ndarray) else values)
    return collected.finish()


def _name(label: Any) -> str:
    """1.0 is the class 1."""
    whole = isinstance(label, float | np.floating) and isfinite(label) and label == round(label)
    return str(int(label)) if whole else str(label)


def _number(name: str) -> float | None:
    try:
        return float(name)
    except ValueError:
        return None
