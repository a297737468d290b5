"""How a classifier answers, class by class, and whether its probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triarch.core.verdict import CalibrationBin, ClassScore, Quality

BINS = 15


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
    error = sum(one.items * abs(one.accuracy - one.confidence) for one in bins) / max(1, len(truth))
    return Quality(classes, table.tolist(), float(error), bins)


def calibration(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> list[CalibrationBin]:
    """Items by how sure the answer was, in 15 bins of equal width, without the empty ones.

    The expected calibration error is the mean over items of |accuracy - confidence| of their bin: Guo et al. 2017, "On
    calibration of modern neural networks" (arXiv 1706.04599).

    Args:
        confidence: probability of each answer (I).
        right: whether it was right (I).
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for number in np.unique(place).tolist():
        rows = place == number
        sure, hits = float(confidence[rows].mean()), float(right[rows].mean())
        bins.append(CalibrationBin(number / BINS, (number + 1) / BINS, int(rows.sum()), sure, hits))
    return bins


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
