"""Races on tasks of which it is known who wins: the right family does, or the verdict says that it cannot tell."""

import numpy as np
import pytest

from race.orders import beyond, finalist, race, rates, rungs

SEEDS = (0, 1, 2)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "family", "loser"),
    [
        ("mnist1d", "cnn", "rnn"), ("parity", "rnn", "transformer"), ("recall", "hybrid", "transformer"),
        ("copy", "rnn", "cnn"), ("adding", "cnn", "rnn"), ("sequential digits", "cnn", "rnn"),
        ("motif", "cnn", "transformer"),
    ],
)  # fmt: skip
def test_the_right_family_wins(name, family, loser, seed, tmp_path):
    """Adding: gated recurrences and dilated convolutions both learn it, so that there either may win."""
    choice = race(name, seed, tmp_path / "a")
    right = {family, loser} if name == "adding" else {family}
    assert choice.best.family in right or choice.verdict.tie
    assert {one.family for one in choice.candidates if one.seeds} >= {family, loser}  # none is out before the finals


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["motif", "recall"])
def test_a_network_is_needed(name, seed, tmp_path):
    verdict = race(name, seed, tmp_path / "a").verdict
    assert verdict.kind == "network"
    assert verdict.baseline.interval[0] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_convolution_leads_by_are_neighbours(seed, tmp_path):
    """MNIST-1D with its points in another order: the lead is gone, and most of the score."""
    plain, shuffled = (race(name, seed, tmp_path / name) for name in ("mnist1d", "mnist1d shuffled"))
    assert finalist(plain, "cnn").score > finalist(plain, "rnn").score
    assert finalist(plain, "cnn").score - finalist(shuffled, "cnn").score > 0.15
    # One learning rate for all lies: at the lowest of its grid the winner's lead is small, or there is none.
    tried, beaten = rates(plain, "plain/micro"), max(rates(plain, "gru/nano").values())
    assert tried[min(tried)] - beaten < (max(tried.values()) - beaten) / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_the_early_ranking_does_not_decide(seed, tmp_path):
    """Associative recall: the attention that leads while nothing is learned is far behind at the end."""
    choice = race("recall", seed, tmp_path / "a")
    early = {model: scores[0] for model, scores in rungs(choice).items()}
    assert early["griffin/nano"] < early["encoder/nano"] + 0.2
    assert finalist(choice, "hybrid").score > finalist(choice, "transformer").score + 0.2


@pytest.mark.parametrize("seed", SEEDS)
def test_beyond_the_lengths_of_training_a_recurrence_knows_parity_and_attention_guesses(seed):
    """Trained on up to 24 steps, asked about 49 to 64."""
    assert beyond("lstm/nano", seed) > 0.9
    assert beyond("encoder/nano", seed) < 0.65


@pytest.mark.parametrize("seed", SEEDS)
def test_where_labels_mean_nothing_no_network_is_worth_it(seed, tmp_path):
    choice = race("no labels", seed, tmp_path / "a")
    assert choice.verdict.kind != "network"
    assert np.isclose(choice.verdict.score, 1 / 3, atol=0.1)
