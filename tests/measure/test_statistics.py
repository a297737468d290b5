import numpy as np
import pytest

from triarch.measure.latency import latency
from triarch.measure.statistics import paired_difference, score_interval


def test_wilson():
    low, high = score_interval(np.r_[np.ones(95), np.zeros(5)])
    assert (low, high) == pytest.approx((0.888, 0.978), abs=0.001)
    low, high = score_interval(np.ones(20))
    assert low < 0.9
    assert high == 1.0


def test_the_interval_covers():
    """Models of equal skill on a finite sample of items and seeds: zero is inside about as often as is said."""
    random = np.random.default_rng(0)
    inside = 0
    for trial in range(200):
        hard = random.beta(8, 1, size=300)
        a, b = ((random.random((5, 300)) < hard).astype(float) for _ in range(2))
        low, high = paired_difference(a, b, seed=trial).interval
        inside += low <= 0 <= high
    assert inside >= 180


def test_a_difference_is_found():
    random = np.random.default_rng(0)
    a, b = (random.random((3, 500)) < 0.95).astype(float), (random.random((3, 500)) < 0.80).astype(float)
    difference = paired_difference(a, b)
    assert difference.clear
    assert difference.interval[0] < difference.mean < difference.interval[1]
    assert not paired_difference(a, a).clear


def test_pairing_narrows():
    random = np.random.default_rng(0)
    hard = random.random((1, 1000)) < 0.8
    better = hard | (random.random((1, 1000)) < 0.02)
    paired = paired_difference(better.astype(float), hard.astype(float)).interval
    alone = score_interval(hard[0].astype(float))
    assert paired[1] - paired[0] < (alone[1] - alone[0]) / 2


def test_latency_gives_up_in_time():
    assert latency(lambda: sum(range(200_000)), limit=0.5) is None
