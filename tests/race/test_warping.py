"""Dynamic time warping against the textbook's recursion."""

import numpy as np
import pytest

from triarch.race.warping import NearestWarped, distances


def textbook(a, b, radius):
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            if abs(i - j) <= radius:
                cost = ((a[i] - b[j]) ** 2).sum()
                table[i + 1, j + 1] = cost + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return table[-1, -1]


@pytest.mark.parametrize("channels", [1, 3])
def test_distances_are_those_of_the_textbook(channels):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(4, 20, channels)), random.normal(size=(5, 20, channels))
    expected = [[textbook(one, other, 2) for other in b] for one in a]
    assert np.allclose(distances(a, b), expected, rtol=1e-5)


def test_a_shifted_series_is_recognised():
    places, times = np.arange(6, 30, 2), np.arange(60)
    bump = [np.exp(-(((times - place) / 2.0) ** 2)) for place in places]
    two = [np.exp(-(((times - place) / 2.0) ** 2)) + np.exp(-(((times - place - 20) / 2.0) ** 2)) for place in places]
    x, y = np.array(bump + two), np.repeat([0, 1], len(places))
    assert NearestWarped(1).fit(x[::2], y[::2]).score(x[1::2], y[1::2]) == 1.0
