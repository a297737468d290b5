"""Confusion, recall, F1 and calibration against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from triarch.measure.classes import calibration, quality


def test_as_scikit_learn_has_it():
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, 500)
    probabilities = random.dirichlet(np.ones(4), 500) + np.eye(4)[truth] * 0.3
    found = quality(truth, probabilities, ("a", "b", "c", "d"))
    answers = probabilities.argmax(axis=1)
    assert found.confusion == confusion_matrix(truth, answers).tolist()
    precision, recall, f1, items = precision_recall_fscore_support(truth, answers)
    assert [one.recall for one in found.classes] == pytest.approx(recall)
    assert [one.precision for one in found.classes] == pytest.approx(precision)
    assert [one.f1 for one in found.classes] == pytest.approx(f1)
    assert [one.items for one in found.classes] == items.tolist()


def test_a_class_without_items_or_answers():
    found = quality(np.array([0, 0, 1]), np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.7, 0.3, 0]]), ("a", "b", "c"))
    assert [one.recall for one in found.classes] == [1.0, 0.0, None]
    assert [one.precision for one in found.classes] == [2 / 3, None, None]
    assert [one.f1 for one in found.classes] == [0.8, 0.0, None]


def test_bins_are_fifteen_of_equal_width_and_hold_their_upper_end():
    confidence = np.array([0.0, 1 / 15, 0.07, 0.5, 0.95, 1.0])
    bins = calibration(confidence, np.ones(6, bool))
    assert [(round(15 * one.low), one.items) for one in bins] == [(0, 2), (1, 1), (7, 1), (14, 2)]
    assert all(one.high - one.low == pytest.approx(1 / 15) for one in bins)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    truth = np.r_[np.zeros(9, int), 1, np.zeros(3, int), np.ones(7, int)]
    assert quality(truth, probabilities, ("a", "b")).calibration_error == pytest.approx((0.0 + 0.3) / 2)
    sure = quality(np.zeros(4, int), np.array([[1.0, 0.0]] * 4), ("a", "b"))
    assert sure.calibration_error == 0.0
