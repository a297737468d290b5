"""Back-tests widen, bad fits are refused, crossovers and best buys are where the laws say."""

import numpy as np
import pytest

from triarch.measure.extrapolation import (
    Extrapolation,
    back_test,
    best_buy,
    crossing,
    fitted,
    interval,
    median_error,
    refusal,
    widening,
)
from triarch.measure.powerlaw import Law, Points

AMOUNTS = np.geomspace(250, 8000, 6)
# At 4,000 items they are equal.
EARLY = Law(0.2, 0.0, 1.0, 4.0, 0.35)
LATE = Law(0.0, 0.0, 1.0, float(EARLY(1, 4_000)) * 4_000**0.5, 0.5)


def runs(law, noise, seed, sizes=(1e4,), amounts=AMOUNTS, seeds=3):
    random = np.random.default_rng(seed)
    params, items = (np.repeat(grid.ravel(), seeds) for grid in np.meshgrid(sizes, amounts))
    return Points(params, items, law(params, items) * np.exp(noise * random.standard_normal(len(params))))


def foretold(points):
    laws, held = fitted(points)
    return Extrapolation(laws, widening([one.strayed for one in held]))


def test_widening_is_the_rank_that_covers():
    assert widening([]) == 1.0
    assert widening([0.5] * 20) == 1.0
    assert widening([float(number) for number in range(1, 101)]) == 91.0


def test_few_that_were_held_out_tell_a_spread():
    assert widening([0.3, 0.2]) == 1.0
    assert widening([0.1, 1.7]) > 1.7
    assert widening([1.0, 1.0]) > widening([1.0] * 8) > 1.0


def test_widened_intervals_of_normal_errors_cover():
    """Intervals that claim half of what errors are, 2,000 draws: from 3, from 9 and from 30 held out."""
    random = np.random.default_rng(0)
    for many in (3, 9, 30):
        inside = 0
        for _ in range(2_000):
            *held, last = np.abs(2 * random.standard_normal(many + 1)) / 1.645
            inside += last <= widening(held)
        assert 0.85 <= inside / 2_000 <= 0.97


def test_the_back_test_holds_out_each_amount_from_the_fourth_on():
    held = back_test(runs(EARLY, 0.01, 0))
    assert [one.items for one in held] == pytest.approx([2_000, 4_000, 8_000, 4_000, 8_000, 8_000])
    assert [one.beyond for one in held] == pytest.approx([2, 4, 8, 2, 4, 2])
    assert median_error(held) < 0.05


def test_a_kink_widens():
    """Where the loss stops falling as the law says, the largest runs lie far outside, and intervals become honest."""
    points = runs(EARLY, 0.003, 0)
    kinked = Points(points.params, points.items, np.where(points.items > 3_000, 0.75, 1.0) * points.values)
    straight, bent = foretold(points), foretold(kinked)
    assert bent.widened > 2 * straight.widened
    assert np.ptp(interval(bent.at(1e4, 16_000))) > 2 * np.ptp(interval(straight.at(1e4, 16_000)))


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.005, 0.02])
@pytest.mark.parametrize(
    ("law", "sizes"),
    [
        (EARLY, (1e4,)),
        (Law(0.3, 0.0, 1.0, 8.0, 0.5), (1e4,)),
        (Law(1.0, 20.0, 0.4, 30.0, 0.35), (1e4, 5e4, 2.5e5)),
    ],
)
def test_stated_intervals_cover_four_times_beyond(law, sizes, noise):
    """Over 100 draws: the 90% interval of the expected loss at four times the data holds it in 85 or more."""
    inside, missed = 0, []
    for seed in range(100):
        made = foretold(runs(law, noise, seed, sizes)).at(sizes[-1], 32_000)
        truth = float(law(sizes[-1], 32_000))
        low, high = interval(made)
        inside += low <= truth <= high
        missed.append(abs(np.median(made) / truth - 1))
    assert inside >= 85
    assert np.median(missed) < 2.5 * noise


def test_stated_intervals_cover_runs_that_were_held_out():
    """60 draws: fitted to five amounts, the runs on the sixth lie inside."""
    inside = []
    for seed in range(60):
        points = runs(EARLY, 0.02, seed)
        known, last = (points.where(points.items <= 5_000), points.where(points.items > 5_000))
        low, high = interval(foretold(known).at(1e4, 8_000, one_run=True))
        inside += [low <= value <= high for value in last.values]
    assert np.mean(inside) >= 0.85


def test_a_law_for_all_sizes_where_it_holds_and_for_each_where_not():
    law = Law(0.3, 20.0, 0.4, 8.0, 0.5)
    laws, _ = fitted(runs(law, 0.005, 0, sizes=(1e4, 1e5)))
    assert set(laws) == {0.0}
    larger = Extrapolation(laws, 1.0)
    assert larger.joint
    low, high = interval(larger.at(1e6, 8_000))
    assert low <= law(1e6, 8_000) <= high
    small, large = runs(EARLY, 0.005, 0), runs(LATE, 0.005, 1, sizes=(1e5,))
    crossed = Points(
        *(np.concatenate(parts) for parts in zip(*((p.params, p.items, p.values) for p in (small, large))))
    )
    laws, _ = fitted(crossed)
    assert set(laws) == {1e4, 1e5}
    assert not Extrapolation(laws, 1.0).joint


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_refused(seed):
    random = np.random.default_rng(seed)
    points = Points(np.full(18, 1e4), np.repeat(AMOUNTS, 3), random.uniform(0.3, 2.0, 18))
    laws, held = fitted(points)
    assert refusal(points, laws, held)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (runs(EARLY, 0.01, 0, amounts=AMOUNTS[:3]), "3 amounts of data are too few"),
        (Points(np.full(6, 1e4), AMOUNTS, np.geomspace(1, 3, 6)), "does not fall"),
        (Points(np.full(6, 1e4), AMOUNTS, np.array([1.0, 0.99, 0.98, 0.97, 0.4, 0.2])), "missed by"),
    ],
)
def test_a_refusal_says_why(points, told):
    laws, held = fitted(points)
    assert told in refusal(points, laws, held)


def test_a_law_is_not_refused():
    for seed in range(5):
        points = runs(EARLY, 0.02, seed)
        assert refusal(points, *fitted(points)) == ""


def test_the_crossover_is_found():
    """20 draws of two laws that cross at 4,000 items; the runs end at 8,000."""
    found = []
    for seed in range(20):
        first, second = foretold(runs(EARLY, 0.01, seed)), foretold(runs(LATE, 0.01, seed + 100))
        found.append(crossing(lambda d, law=first: law.at(1e4, d), lambda d, law=second: law.at(1e4, d), 250, 80_000))
    assert all((one.below, one.above) == (0, 1) for one in found)
    assert np.median([one.items for one in found]) == pytest.approx(4_000, rel=0.1)
    held = [(one.interval[0] or 0) <= 4_000 <= (one.interval[1] or np.inf) for one in found]
    assert sum(held) >= 17
    assert np.median([one.sure for one in found]) > 0.9


def test_a_crossover_beyond_the_runs_is_foretold_with_an_interval():
    """10 draws; the runs end at 2,000 items."""
    amounts, held = np.geomspace(60, 2_000, 6), 0
    for seed in range(10):
        first, second = (
            foretold(runs(law, 0.005, seed + 50 * (law is LATE), amounts=amounts)) for law in (EARLY, LATE)
        )
        found = crossing(lambda d, law=first: law.at(1e4, d), lambda d, law=second: law.at(1e4, d), 60, 20_000)
        assert (found.below, found.above) == (0, 1)
        held += (found.interval[0] or 0) <= 4_000 <= (found.interval[1] or np.inf)
    assert held >= 8


def test_no_crossover_within_reach():
    first, second = foretold(runs(EARLY, 0.01, 0)), foretold(runs(Law(0.1, 0, 1, 3.0, 0.35), 0.01, 1))
    found = crossing(lambda d: first.at(1e4, d), lambda d: second.at(1e4, d), 250, 80_000)
    assert (found.below, found.above, found.items, found.interval) == (1, 1, None, None)
    assert found.sure > 0.95


def test_the_best_buy_is_where_calculus_says():
    """Hoffmann et al., eq. 4: at C = 6 N D the best N is G (C/6)^(β/(α+β)), G = (α A / (β B))^(1/(α+β))."""
    law = Law(1.817, 478.0, 0.347, 2143.0, 0.367)
    budget = 1e20
    sizes, amounts = np.geomspace(1e7, 1e11, 400), np.geomspace(1e7, 1e12, 400)
    found = best_buy(sizes, amounts, lambda n, d: float(law(n, d)), lambda n, d: 6 * n * d, budget)
    power = (0.347 * 478 / (0.367 * 2143)) ** (1 / (0.347 + 0.367))
    best = power * (budget / 6) ** (0.367 / (0.347 + 0.367))
    assert found[0] == pytest.approx(best, rel=0.2)
    assert law(*found) == pytest.approx(law(best, budget / 6 / best), rel=2e-3)
    assert best_buy(sizes, amounts, lambda n, d: float(law(n, d)), lambda n, d: 6 * n * d, 1e3) is None
