import numpy as np
import pytest

from triarch.measure.latency import latency
from triarch.measure.statistics import score, score_interval


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
    assert (high - low) / 2 == pytest.approx(1.96 * values.std(ddof=1) / 20, rel=5e-3)
    few = score_interval(values[:5])
    assert (few[1] - few[0]) / 2 == pytest.approx(2.776 * values[:5].std(ddof=1) / 5**0.5, rel=1e-3)
    wide, narrow = score_interval(values, level=0.95), score_interval(values, level=0.9)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_latency_gives_up_in_time():
    assert latency(lambda: sum(range(200_000)), limit=0.5) is None


def test_each_stratum_counts_alike():
    strata = np.r_[np.zeros(90, int), np.ones(10, int)]
    values = np.r_[np.ones(90), np.zeros(10)]
    assert score(values) == pytest.approx(0.9)
    assert score(values, strata) == pytest.approx(0.5)
    low, high = score_interval(values, strata)
    assert 0.3 < low < 0.5 < high < 0.7  # as sure as 36 items, not as 100
