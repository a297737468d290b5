"""Differences: how often their intervals hold the truth, and what would make them clear."""

import numpy as np
import pytest

from triarch.measure.comparison import compare, paired_difference
from triarch.measure.statistics import score_interval


def answers(random, difficulty, seeds, between=0.0):
    """Right or wrong of each seed and item: items differ in how hard they are, seeds in how good (in log odds)."""
    skill = random.normal(0, between, size=(seeds, 1))
    return (random.random((seeds, len(difficulty))) < 1 / (1 + np.exp(-(difficulty + skill)))).astype(float)


@pytest.mark.parametrize("items", [30, 300, 10_000])
@pytest.mark.parametrize("between", [0.0, 0.05, 0.1])
@pytest.mark.parametrize("seeds", [2, 3])
def test_equal_models_are_seldom_told_apart(items, between, seeds):
    """At most 6% false winners: 200 pairs leave it at 8.5% with 95% confidence."""
    random, false = np.random.default_rng([items, int(100 * between), seeds]), 0
    for _ in range(200):
        difficulty = random.normal(2.5, 2.5, size=items)
        a, b = (answers(random, difficulty, seeds, between) for _ in range(2))
        false += paired_difference(a, b).clear
    assert false <= 17, false


def test_a_bootstrap_of_two_seeds_would_tell_equal_models_apart():
    """What this guards against."""
    random, false = np.random.default_rng(0), 0
    for _ in range(100):
        difficulty = random.normal(2.5, 2.5, size=10_000)
        a, b = (answers(random, difficulty, 2, 0.15).mean(axis=1) for _ in range(2))
        drawn = [side[random.integers(2, size=(1_000, 2))].mean(axis=1) for side in (a, b)]
        low, high = np.percentile(drawn[0] - drawn[1], (2.5, 97.5))
        false += low > 0 or high < 0
    assert false >= 20


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_holds_the_truth_as_often_as_it_says(level):
    """Models of different skill; the truth is the difference of their expected scores over items and seeds."""
    random, held = np.random.default_rng(0), 0
    many = random.normal(2.5, 2.5, size=200_000)
    skill = random.normal(0, 0.1, size=(2, 200_000))
    truth = answers(random, many + 0.6 + skill[0], 1).mean() - answers(random, many + skill[1], 1).mean()
    for _ in range(400):
        difficulty = random.normal(2.5, 2.5, size=1_000)
        a, b = answers(random, difficulty + 0.6, 3, 0.1), answers(random, difficulty, 3, 0.1)
        low, high = paired_difference(a, b, level=level).interval
        held += low <= truth <= high
    assert level - 0.04 <= held / 400 <= min(0.99, level + 0.05)


def test_intervals_of_strata_hold_the_truth():
    random, held = np.random.default_rng(0), 0
    strata = np.r_[np.zeros(200, int), np.ones(40, int)]
    truth = np.where(strata == 0, 0.9, 0.6)
    for _ in range(200):
        a = (random.random((1, 240)) < truth + 0.05).astype(float)
        b = (random.random((1, 240)) < truth).astype(float)
        low, high = paired_difference(a, b, strata).interval
        held += low <= 0.05 <= high
    assert held >= 0.9 * 200


def test_a_difference_is_found():
    random = np.random.default_rng(0)
    a, b = (random.random((3, 500)) < 0.95).astype(float), (random.random((3, 500)) < 0.80).astype(float)
    difference = paired_difference(a, b)
    assert difference.clear
    assert difference.interval[0] < difference.mean < difference.interval[1]
    assert difference.probability > 0.999
    assert difference.turned.probability < 0.001
    assert difference.turned.mean == -difference.mean == pytest.approx(paired_difference(b, a).mean)
    same = paired_difference(a, a)
    assert not same.clear
    assert same.probability == pytest.approx(0.5)


def test_pairing_narrows():
    random = np.random.default_rng(0)
    hard = random.random((1, 1000)) < 0.8
    better = hard | (random.random((1, 1000)) < 0.02)
    paired = paired_difference(better.astype(float)[0], hard.astype(float)[0]).interval
    alone = score_interval(hard[0].astype(float))
    assert paired[1] - paired[0] < (alone[1] - alone[0]) / 2


def test_what_has_no_seeds_adds_no_chance_of_seeds():
    random = np.random.default_rng(0)
    a, b = random.random((3, 400)), random.random(400)
    fixed, drawn = compare(a, b), compare(a, b[None])
    assert fixed.trained == (3, 0)
    assert drawn.trained == (3, 1)
    assert fixed.difference().interval[0] > drawn.difference().interval[0]
    nothing = compare(b, np.zeros(400))
    assert nothing.difference().interval == pytest.approx(score_interval(b))


def test_more_seeds_settle_what_chance_in_training_hides():
    random = np.random.default_rng(0)
    difficulty = random.normal(2.5, 2.5, size=10_000)
    shift = np.array([[-0.08], [0.08]])
    a = (random.random((2, 10_000)) < 1 / (1 + np.exp(-(difficulty + 0.1 + shift)))).astype(float)
    b = (random.random((2, 10_000)) < 1 / (1 + np.exp(-(difficulty + shift)))).astype(float)
    unclear = compare(a, b)
    assert not unclear.difference().clear
    assert 1 <= unclear.more_seeds() <= 40
    assert unclear.more_items() is None  # chance in training stays, however many items there are


def test_more_items_settle_what_few_items_hide():
    random = np.random.default_rng(1)
    a, b = random.normal(0.05, 1, size=(1, 300)), np.zeros(300)
    unclear = compare(np.repeat(a, 3, axis=0), b)  # seeds that answer alike
    assert not unclear.difference().clear
    assert unclear.more_seeds() is None
    assert 2 < unclear.more_items() < 100
    assert compare(a, b).more_items(margin=abs(unclear.mean) + 0.01) is None
