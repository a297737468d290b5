"""How a classifier answers, class by class, and whether its probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triarch.core.findings import ClassScore, Quality
from triarch.measure.calibration import calibration, expected_error


def quality(truth: NDArray[np.int64], probabilities: NDArray[np.floating], names: tuple[str, ...]) -> Quality:
    """Confusion, recall, precision and F1 of each class, and calibration.

    Args:
        truth: class numbers (I).
        probabilities: of each class (I K); the answer is the greatest.
        names: of the classes (K).
    """
    answers = probabilities.argmax(axis=1)
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(table, (truth, answers), 1)
    right, there, answered = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
    classes = [
        ClassScore(name, int(items), _share(hits, items), _share(hits, told), _share(2 * hits, items + told))
        for name, hits, items, told in zip(names, right, there, answered)
    ]
    bins = calibration(probabilities.max(axis=1), answers == truth)
    return Quality(classes, table.tolist(), expected_error(bins), bins)


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
