"""Which families a race cannot judge, from made-up losses."""

import numpy as np

from triarch.core.results import Metric
from triarch.race.plateau import undecided

ACCURACY = Metric("accuracy", "max")
FAMILIES = {"a/nano": "rnn", "b/nano": "transformer", "c/nano": "cnn"}
STEPS = np.linspace(20, 1_000, 50)


def result(score, losses):
    return {"score": score, "losses": np.stack((STEPS, losses), axis=1).tolist()}


LEARNED = 4 * np.exp(-STEPS / 100)
FLAT = np.full(50, 2.08) + 2 * np.exp(-STEPS / 20)
FALLING = 4 - 3 * STEPS / 1_000


def test_who_stands_still_far_above_the_best_is_undecided():
    (found,) = undecided(
        {"a/nano": [result(0.99, LEARNED)], "b/nano": [result(0.2, FLAT), result(None, FLAT)]}, FAMILIES, ACCURACY
    )
    assert (found.family, found.model) == ("transformer", "b/nano")
    assert "stood still at 2.08" in found.reason


def test_who_was_still_falling_is_undecided():
    (found,) = undecided({"a/nano": [result(0.99, LEARNED)], "c/nano": [result(0.5, FALLING)]}, FAMILIES, ACCURACY)
    assert found.family == "cnn"
    assert "falling fast" in found.reason


def test_one_seed_that_left_the_plateau_is_enough():
    assert not undecided(
        {"a/nano": [result(0.99, LEARNED)], "b/nano": [result(0.2, FLAT), result(0.9, LEARNED + 0.1)]},
        FAMILIES, ACCURACY,
    )  # fmt: skip


def test_who_learned_as_much_and_scores_less_is_worse():
    finals = {"a/nano": [result(0.9, LEARNED + 0.3)], "c/nano": [result(0.6, LEARNED)]}
    assert not undecided(finals, FAMILIES, ACCURACY)


def test_who_scores_best_is_decided_though_it_still_learns():
    finals = {"a/nano": [result(0.9, FALLING)], "c/nano": [result(0.6, LEARNED)]}
    assert not undecided(finals, FAMILIES, ACCURACY)


def test_no_final_no_word():
    assert undecided({"a/nano": [result(None, FLAT)]}, FAMILIES, ACCURACY) == []
