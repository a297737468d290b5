"""What is on the Pareto front."""

import numpy as np
import pytest

from triarch.measure.front import front


def test_a_point_that_another_beats_is_left_out():
    assert front([(1, 5), (2, 2), (3, 3), (5, 1), (5, 2)]) == [0, 1, 3]


def test_equals_stay_together():
    assert front([(1, 1), (1, 1), (2, 1)]) == [0, 1]


def test_one_and_none():
    assert front([(3.0, None)]) == [0]
    assert front([]) == []


def test_what_is_not_known_is_worst():
    assert front([(1, None), (1, 4), (0, float("nan"))]) == [1, 2]
    assert front([(2, None), (1, None)]) == [1]


def test_points_of_unlike_length_are_refused():
    with pytest.raises(ValueError):
        front([(1, 2), (0,)])


def test_against_the_definition():
    points = np.random.default_rng(0).integers(0, 5, size=(60, 3))
    beaten = [any((other <= point).all() and (other < point).any() for other in points) for point in points]
    assert front(points.tolist()) == np.flatnonzero(~np.array(beaten)).tolist()
