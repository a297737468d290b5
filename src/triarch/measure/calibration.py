"""Whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triarch.core.findings import CalibrationBin

BINS = 15


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


def expected_error(bins: Sequence[CalibrationBin]) -> float:
    """The expected calibration error of `calibration`; 0 where there are no items."""
    items = sum(one.items for one in bins)
    return float(sum(one.items * abs(one.accuracy - one.confidence) for one in bins) / max(1, items))


def of_classes(truth: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """The expected calibration error of probabilities (I K), where the answer is the greatest, given classes (I)."""
    return expected_error(calibration(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth))


def of_quantiles(truth: NDArray[np.floating], quantiles: NDArray[np.floating], levels: Sequence[float]) -> float:
    """How far, on average over levels, the share of values at or below a quantile is from its level.

    Kuleshov, Fenner, Ermon 2018, "Accurate uncertainties for deep learning using calibrated regression" (arXiv
    1807.00263); the mean distance instead of the squared one.

    Args:
        truth: what came (I H).
        quantiles: what was foretold (I H Q).
        levels: of the quantiles (Q).
    """
    below = (truth[..., None] <= quantiles).mean(axis=(0, 1))
    return float(np.abs(below - np.asarray(levels)).mean())
