import numpy as np
import pytest

from triarch.measure.latency import latency
from triarch.measure.statistics import paired_difference, score, score_interval


def test_wilson():
    low, high = score_interval(np.r_[np.ones(95), np.zeros(5)])
    assert (low, high) == pytest.approx((0.888, 0.978), abs=0.001)
    low, high = score_interval(np.ones(20))
    assert low < 0.9
    assert high == 1.0


def test_the_interval_of_many_values_is_the_normal_one():
    values = np.random.default_rng(0).exponential(size=400)
    low, high = score_interval(values)
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=1e-3)
    assert score_interval(values) == pytest.approx(
        paired_difference(values[None], np.zeros((1, 400))).interval, abs=0.01
    )
    few = score_interval(values[:50])
    assert few == paired_difference(values[None, :50], np.zeros((1, 50))).interval


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


def test_a_lower_level_lies_within_a_higher_one():
    random = np.random.default_rng(0)
    right, values = random.integers(2, size=(2, 150)).astype(float), random.normal(size=(2, 150))
    for told in (
        lambda level: score_interval(right[0], level=level),
        lambda level: score_interval(values[0], level=level),
        lambda level: score_interval(values[0, :30], level=level),
        lambda level: paired_difference(right, values, level=level).interval,
    ):
        (low, high), (lowest, highest) = told(0.9), told(0.95)
        assert lowest < low < high < highest


def test_latency_gives_up_in_time():
    assert latency(lambda: sum(range(200_000)), limit=0.5) is None


def test_each_stratum_counts_alike():
    strata = np.r_[np.zeros(90, int), np.ones(10, int)]
    values = np.r_[np.ones(90), np.zeros(10)]
    assert score(values) == pytest.approx(0.9)
    assert score(values, strata) == pytest.approx(0.5)
    low, high = score_interval(values, strata)
    assert 0.3 < low < 0.5 < high < 0.7  # as sure as 36 items, not as 100
    difference = paired_difference(np.ones((2, 100)), values[None], strata=strata)
    assert difference.mean == pytest.approx(0.5)
    assert difference.interval == pytest.approx((0.5, 0.5))


def test_intervals_of_strata_hold_the_truth():
    random, held = np.random.default_rng(0), 0
    strata = np.r_[np.zeros(200, int), np.ones(40, int)]
    truth = np.where(strata == 0, 0.9, 0.6)
    for trial in range(200):
        a = (random.random((1, 240)) < truth + 0.05).astype(float)
        b = (random.random((1, 240)) < truth).astype(float)
        low, high = paired_difference(a, b, seed=trial, strata=strata).interval
        held += low <= 0.05 <= high
    assert held >= 0.9 * 200
