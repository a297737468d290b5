"""Calibration by hand."""

import numpy as np
import pytest

from triarch.measure.calibration import calibration, of_classes, of_quantiles
from triarch.measure.classes import quality


def test_bins_are_fifteen_of_equal_width_and_hold_their_upper_end():
    confidence = np.array([0.0, 1 / 15, 0.07, 0.5, 0.95, 1.0])
    bins = calibration(confidence, np.ones(6, bool))
    assert [(round(15 * one.low), one.items) for one in bins] == [(0, 2), (1, 1), (7, 1), (14, 2)]
    assert all(one.high - one.low == pytest.approx(1 / 15) for one in bins)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    truth = np.r_[np.zeros(9, int), 1, np.zeros(3, int), np.ones(7, int)]
    assert of_classes(truth, probabilities) == pytest.approx((0.0 + 0.3) / 2)
    assert quality(truth, probabilities, ("a", "b")).calibration_error == of_classes(truth, probabilities)
    sure = quality(np.zeros(4, int), np.array([[1.0, 0.0]] * 4), ("a", "b"))
    assert sure.calibration_error == 0.0


def test_quantiles_that_hold_what_they_promise_have_no_error():
    random = np.random.default_rng(0)
    truth, levels = random.random((20_000, 2)), (0.1, 0.5, 0.9)
    right = np.broadcast_to(levels, (20_000, 2, 3))
    assert of_quantiles(truth, right, levels) < 0.01
    assert of_quantiles(truth, right + 0.1, levels) == pytest.approx(0.1, abs=0.01)
    assert of_quantiles(truth, np.full((20_000, 2, 3), 0.5), levels) == pytest.approx(0.8 / 3, abs=0.01)
