"""Searches, regret and coverage on tables whose answer is known."""

from importlib import import_module

import numpy as np
import pytest

from bench.tabled import SECONDS, tabled
from coverage import covered
from race_replayed import race
from regret import regret, replayed, search, selected, summary, truths, winner
from strategies import Purse, halving_without_floor, one_epoch_top_k, random_search

EASY = {
    "plain/nano": (0.95, 0.0), "resnet/nano": (0.70, 0.0), "gru/nano": (0.60, 0.0), "lstm/nano": (0.65, 0.0),
    "encoder/nano": (0.55, 0.0), "decoder/nano": (0.50, 0.0),
}  # fmt: skip
LATE = EASY | {"plain/nano": (0.75, 0.0), "encoder/nano": (0.95, 3.0)}
ALL = {
    "ours": race,
    "random": random_search,
    "halving": halving_without_floor,
    "one epoch": one_epoch_top_k,
}


@pytest.fixture(scope="module")
def easy(tmp_path_factory):
    return tabled(tmp_path_factory.mktemp("easy") / "easy.jsonl", EASY)


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    return tabled(tmp_path_factory.mktemp("late") / "late.jsonl", LATE)


def searched(table, strategy, share):
    return [search(table, strategy, share, (number,)) for number in range(5)]


@pytest.mark.parametrize("name", ALL)
def test_the_best_is_found_where_there_is_time(easy, name):
    assert winner(easy) == ("plain/nano", easy.about["rates"]["plain/nano"][1])
    assert all(one.regret == 0 and one.right for one in searched(easy, ALL[name], 1.2))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_nobody_spends_more_than_he_has(easy, name, share):
    trial = SECONDS / easy.seconds
    assert all(0 < one.spent <= share + trial for one in searched(easy, ALL[name], share))


def test_optuna(easy):
    pytest.importorskip("optuna")
    tpe = import_module("tpe")
    assert min(one.regret for one in searched(easy, tpe.tpe_and_hyperband, 0.5)) == 0
    assert all(0 < one.spent <= 0.2 + SECONDS / easy.seconds for one in searched(easy, tpe.tpe_and_hyperband, 0.2))


def test_a_late_bloomer_needs_the_floor_of_its_family(late):
    """What Transformers come to is seen at the end only: who halves all together has dropped them by then."""
    assert winner(late)[0] == "encoder/nano"
    assert all(one.right for one in searched(late, race, 0.5))
    assert min(one.regret for one in searched(late, halving_without_floor, 0.1)) > 10


def test_a_purse_pays_the_difference(easy):
    purse = Purse(easy, 10.0, np.random.default_rng(0))
    key = purse.keys[0]
    first = purse.rung(key, 0.5)
    assert first.seconds <= 0.5
    assert purse.left == pytest.approx(10 - first.seconds)
    assert purse.rung(key, 0.5) is first
    second = purse.rung(key, 1.5)
    assert purse.left == pytest.approx(10 - second.seconds)
    assert purse.final(key).seconds == SECONDS
    assert purse.left == pytest.approx(10 - SECONDS)
    purse.rung(key, 0.5, anew=True)
    assert purse.left == pytest.approx(10 - SECONDS - first.seconds)
    assert purse.rung(key, 0.0).seconds > 0  # the first rung is the least that can be had


def test_a_decay_leads_nowhere(easy):
    """A final of half the length, then one of the whole: the decay of the first, a fifth of it, is paid besides."""
    purse = Purse(easy, 10.0, np.random.default_rng(0))
    key = purse.keys[0]
    for _ in range(2):
        purse.final(key, 1)
        assert purse.left == pytest.approx(10 - SECONDS / 2)
    purse.final(key, 2)
    assert purse.left == pytest.approx(10 - SECONDS - 0.2 * SECONDS / 2)


def test_regret_of_what_is_to_be_small(tmp_path):
    small = tabled(tmp_path / "small.jsonl", {"plain/nano": (1.2, 0.0), "gru/nano": (0.8, 0.0)}, ("MASE", "min"))
    low, middle, _ = small.about["rates"]["gru/nano"]
    assert winner(small) == ("gru/nano", low)
    assert regret(small, ("gru/nano", low)) == 0
    assert regret(small, ("gru/nano", middle)) == pytest.approx(100 * 0.05 / 0.75)


def test_what_diverged_counts_as_the_worst(tmp_path):
    table = tabled(tmp_path / "gone.jsonl", {"plain/nano": (0.9, 0.0), "gru/nano": (0.6, 0.0)}, diverged=["plain/nano"])
    middle = "plain/nano", table.about["rates"]["plain/nano"][1]
    assert truths(table)[middle] == pytest.approx((0.9 + 0.55) / 2)
    assert selected(table)[middle] < 0.9
    assert all(one.spent > 0 for name in ALL for one in searched(table, ALL[name], 0.3))


def test_summary_of_regrets(easy, late):
    outcomes = replayed([easy, late], {"ours": race, "random": random_search}, [0.1], 4)
    told = summary(outcomes["random"][0.1], outcomes["ours"][0.1])
    for name in ("median", "p90", "mean", "above_ours"):
        value, low, high = told[name]
        assert low <= value <= high
    flat = [one.regret for row in outcomes["random"][0.1] for one in row]
    assert told["mean"][0] == pytest.approx(np.mean(flat), abs=1e-3)
    assert told["p90"][0] == pytest.approx(np.quantile(flat, 0.9), abs=1e-3)
    own = summary(outcomes["ours"][0.1], outcomes["ours"][0.1])
    assert own["above_ours"] == [0, 0, 0]
    assert replayed([easy, late], {"ours": race, "random": random_search}, [0.1], 4) == outcomes


def test_intervals_hold_the_truth_as_often_as_stated(easy, late):
    """Items of the made-up tables are independent, and seeds do not differ."""
    held = covered([easy, late], 30)
    for kind in ("score", "difference, seeds drawn", "difference, seeds all"):
        for stated, by_items in held[kind].items():
            assert all(abs(share - float(stated)) < 0.06 for share, _ in by_items.values()), (kind, stated)
