"""Confusion, recall and F1 against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from triarch.measure.classes import quality


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
