"""Which families a race cannot judge, from made-up losses."""

import numpy as np

from triarch.core.results import Metric
from triarch.race.plateau import blind, undecided

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


def guessed(score, losses, items=400):
    values = (np.arange(items) < score * items).astype(float)
    return {**result(score, losses), "values": values.tolist()}


def test_where_nobody_has_learned_anything_all_are_undecided():
    still = 0.693 + 0.001 * np.sin(STEPS)
    finals = {"a/nano": [guessed(0.52, still), guessed(0.5, still)], "b/nano": [guessed(0.49, still)]}
    found = undecided(finals, FAMILIES, ACCURACY, 0.51, "--seconds 480")
    assert [one.family for one in found] == ["rnn", "transformer"]
    assert all("stood still at 0.693" in one.reason and "--seconds 480" in one.reason for one in found)
    assert undecided(finals, FAMILIES, ACCURACY) == []  # chance is not known
    learned = finals | {"c/nano": [guessed(0.6, LEARNED)]}
    assert "c/nano" not in [one.model for one in undecided(learned, FAMILIES, ACCURACY, 0.51)]


def test_who_learns_by_heart_does_not_stand_still():
    finals = {"a/nano": [guessed(0.5, LEARNED)], "b/nano": [guessed(0.5, LEARNED)]}
    assert undecided(finals, FAMILIES, ACCURACY, 0.51) == []


def test_what_the_blind_score():
    labels = np.array([0, 0, 0, 2])
    assert blind(labels, ACCURACY) == 0.75
    assert blind(labels, Metric("balanced accuracy", "max")) == 0.5
    assert np.isclose(blind(labels, Metric("loss", "min")), 0.5623, atol=1e-4)
    assert blind(labels, Metric("another", "max")) is None
