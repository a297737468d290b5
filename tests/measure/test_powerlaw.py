"""Known laws are found again, and what they leave open is told as wide as it is."""

from dataclasses import replace

import numpy as np
import pytest

from triarch.measure.powerlaw import Draws, Law, Points, draw, fit

CHINCHILLA = Law(1.817, 478.0, 0.347, 2143.0, 0.367)
SIZES, AMOUNTS = np.geomspace(1e7, 1e10, 6), np.geomspace(1e8, 1e11, 6)
SIDE = Law(0.3, 0.0, 1.0, 8.0, 0.5)


def runs(law, sizes, amounts, noise, seed, seeds=1):
    random = np.random.default_rng(seed)
    params, items = (np.repeat(grid.ravel(), seeds) for grid in np.meshgrid(sizes, amounts))
    return Points(params, items, law(params, items) * np.exp(noise * random.standard_normal(len(params))))


def test_an_exact_law_is_found_to_five_digits():
    found = fit(runs(CHINCHILLA, SIZES, AMOUNTS, 0.0, 0))
    for name in ("floor", "size", "alpha", "data", "beta"):
        assert getattr(found, name) == pytest.approx(getattr(CHINCHILLA, name), rel=1e-4)


def test_a_noisy_law_is_found_within_tolerance():
    """Medians over 20 draws of 108 runs with half a percent of noise."""
    found = [fit(runs(CHINCHILLA, SIZES, AMOUNTS, 0.005, seed, seeds=3)) for seed in range(20)]
    misses = {
        name: np.median([abs(getattr(law, name) / getattr(CHINCHILLA, name) - 1) for law in found])
        for name in ("floor", "size", "alpha", "data", "beta")
    }
    assert misses["floor"] < 0.02
    assert max(misses["alpha"], misses["beta"]) < 0.05
    assert max(misses["size"], misses["data"]) < 0.5  # ten to the eighth to the power of what the exponent errs


def test_one_size_has_no_term_for_it():
    found = fit(runs(SIDE, [1e4], np.geomspace(250, 8000, 6), 0.0, 0))
    assert found.size == 0.0
    assert (found.floor, found.data, found.beta) == pytest.approx((0.3, 8.0, 0.5), rel=1e-3)


def test_few_runs_leave_more_open():
    many, few = (
        draw(runs(SIDE, [1e4], np.geomspace(250, top, count), 0.01, 0, seeds=2)).at(1e4, 64_000)
        for top, count in ((8_000, 6), (1_000, 3))
    )
    assert np.ptp(np.quantile(few, (0.05, 0.95))) > 3 * np.ptp(np.quantile(many, (0.05, 0.95)))


def test_a_run_strays_more_than_its_expectation():
    laws = draw(runs(SIDE, [1e4], np.geomspace(250, 8000, 6), 0.03, 0, seeds=3))
    assert laws.runs_at(1e4, 2_000).std() > 1.5 * laws.at(1e4, 2_000).std()


@pytest.mark.parametrize("guess", [np.inf, 3.2])
def test_a_law_that_bends_towards_guessing_is_found_and_drawn(guess):
    """Losses begin at 72% of what guessing has; without the bend the same runs tell another law."""
    law = Law(0.3, 0.0, 1.0, 30.0, 0.45, guess)
    points = replace(runs(law, [1e4], np.geomspace(100, 3_200, 6), 0.0, 0), guess=guess)
    assert (points.values < guess).all()
    found = fit(points)
    assert (found.floor, found.data, found.beta) == pytest.approx((0.3, 30.0, 0.45), rel=1e-2)
    truth = law(1e4, 6_400)
    assert found(1e4, 6_400) == pytest.approx(truth, rel=1e-3)
    low, high = np.quantile(draw(points).at(1e4, 6_400), (0.05, 0.95))
    assert low < truth < high
    if guess < np.inf:
        assert fit(replace(points, guess=np.inf))(1e4, 6_400) > 1.02 * truth


def test_the_same_seed_draws_the_same():
    points = runs(SIDE, [1e4], np.geomspace(250, 8000, 6), 0.01, 0)
    first, second, other = (draw(points, seed).at(1e4, 1e5) for seed in (0, 0, 1))
    assert isinstance(draw(points), Draws)
    assert (first == second).all()
    assert not (first == other).all()


@pytest.mark.parametrize("values", [[1.0, 0.0, 0.5], [1.0, np.nan, 0.5], [1.0, 0.5]])
def test_what_is_no_loss_is_refused(values):
    points = Points(np.full(len(values), 1e4), np.geomspace(100, 400, len(values)), np.array(values))
    for work in (fit, draw):
        with pytest.raises(ValueError):
            work(points)
