"""From runs, made up by known laws, to forecasts, crossovers, purchases and words."""

from dataclasses import replace

import numpy as np
import pytest

from triarch.core.results import Metric
from triarch.core.scaling import SmallRun
from triarch.measure.powerlaw import Law
from triarch.scaling.prospect import crossovers, outlook, prospects, purchases, rounded, set_aside

ACCURACY = Metric("accuracy", "max")
AMOUNTS = (250, 500, 1_000, 2_000, 4_000, 8_000)
# They cross at 4,000 items.
EARLY = Law(0.2, 0.0, 1.0, 4.0, 0.35)
LATE = Law(0.0, 0.0, 1.0, float(EARLY(1, 4_000)) * 4_000**0.5, 0.5)
SIZED = Law(0.2, 10.0, 0.5, 3.0, 0.4)
MACS = {"a/nano": 1_000, "a/micro": 10_000, "a/tiny": 100_000, "b/nano": 1_000}


def made(model, params, law, noise=0.01, seeds=3, amounts=AMOUNTS, draw=0):
    """Runs that pass ten times over their items at 1e6 multiply–adds a second, with an error of half their loss."""
    random = np.random.default_rng([*model.encode()] + [draw] * (draw > 0))
    found = []
    for items in amounts:
        for seed in range(seeds):
            loss = float(law(params, items)) * float(np.exp(noise * random.standard_normal()))
            steps = items * 10 // 10
            macs = steps * 10 * MACS[model]
            found.append(
                SmallRun(model, params, items, seed, 0.01, loss, 1 - loss / 2, steps, steps, 10, macs, macs / 1e6, True)
            )
    return found


BOTH = [*made("a/nano", 1_000, EARLY), *made("b/nano", 1_000, LATE)]
LADDERS = {"a": {"a/nano": 1_000}, "b": {"b/nano": 1_000}}


def test_forecasts_hold_what_the_laws_say():
    losses, errors = outlook(BOTH, None, 1e-4), outlook(BOTH, ACCURACY, 1e-4)
    found = prospects(losses, errors, ACCURACY, LADDERS, [16_000, 80_000, 800_000])
    assert [(one.model, one.items) for one in found] == [
        (model, items) for model in ("a/nano", "b/nano") for items in (16_000, 80_000, 800_000)
    ]
    for one in found:
        truth = float((EARLY if one.model == "a/nano" else LATE)(1, one.items))
        if one.model == "a/nano":
            assert one.loss_interval[0] < truth < one.loss_interval[1]
            assert one.score_interval[0] < 1 - truth / 2 < one.score_interval[1]
        assert one.far == (one.items == 800_000)
        assert one.beyond == one.items / 8_000


def test_intervals_hold_what_is_true_as_often_as_they_say():
    """The second law has no floor at all, which draws of laws hold to be odd: it strays ten times beyond the runs."""
    inside: dict[str, list[bool]] = {"a/nano": [], "b/nano": []}
    crossed = []
    for draw in range(1, 13):
        runs = [*made("a/nano", 1_000, EARLY, draw=draw), *made("b/nano", 1_000, LATE, draw=draw)]
        told = outlook(runs, None, 1e-4)
        for one in prospects(told, None, ACCURACY, LADDERS, [16_000, 80_000]):
            truth = float((EARLY if one.model == "a/nano" else LATE)(1, one.items))
            inside[one.model].append(one.loss_interval[0] < truth < one.loss_interval[1])
        (found,) = crossovers(told, "loss")
        assert found.items == pytest.approx(4_000, rel=0.1)
        crossed.append(found.interval[0] < 4_000 < found.interval[1])
    assert np.mean(inside["a/nano"]) >= 0.85
    assert np.mean(inside["b/nano"]) >= 0.5
    assert np.mean(crossed) >= 0.8


def test_the_crossover_is_told():
    (found,) = crossovers(outlook(BOTH, None, 1e-4), "loss")
    assert (found.below, found.above) == ("a", "b")
    assert found.items == pytest.approx(4_000, rel=0.2)
    assert "examples take `a`, above it `b`" in found.text


def test_no_crossover_is_told_too():
    runs = [*made("a/nano", 1_000, EARLY), *made("b/nano", 1_000, Law(0.1, 0, 1, 3.0, 0.35))]
    (found,) = crossovers(outlook(runs, None, 1e-4), "loss")
    assert found.items is None
    assert "no crossover within reach (250 to 80,000 examples): `b` is better" in found.text


def test_the_same_law_twice_is_undecided():
    runs = [*made("a/nano", 1_000, EARLY, 0.03), *made("b/nano", 1_000, EARLY, 0.03)]
    (found,) = crossovers(outlook(runs, None, 1e-4), "loss")
    assert "undecided" in found.text


def test_noise_is_refused_and_not_foretold():
    random = np.random.default_rng(0)
    noise = [replace(run, loss=float(random.uniform(0.3, 2))) for run in made("b/nano", 1_000, LATE)]
    told = outlook([*made("a/nano", 1_000, EARLY), *noise], None, 1e-4)
    assert list(told.foretold) == ["a"]
    assert [bool(trend.refused) for trend in told.trends] == [False, True]
    assert crossovers(told, "loss") == []
    assert {one.model for one in prospects(told, None, ACCURACY, LADDERS, [80_000])} == {"a/nano"}


def test_what_hardly_beats_guessing_is_set_aside():
    runs = set_aside([*BOTH, replace(BOTH[0], loss=2.2), replace(BOTH[0], loss=None)], guess=2.3)
    assert [run.used for run in runs[-2:]] == [False, False]
    assert all(run.used for run in runs[:-2])


def test_the_law_begins_where_it_holds():
    """On the two smallest amounts nothing is learned yet."""
    runs = [
        replace(run, loss=EARLY(1, 1_000) + 0.01) if run.items < 1_000 else run for run in made("a/nano", 1_000, EARLY)
    ]
    told = outlook(runs, None, 1e-4)
    assert told.trends[0].since > 250
    assert outlook(BOTH, None, 1e-4).trends[0].since == 250
    (one,) = prospects(told, None, ACCURACY, {"a": LADDERS["a"]}, [16_000])
    assert one.loss_interval[0] < EARLY(1, 16_000) < one.loss_interval[1]


def test_too_few_amounts_are_refused_by_name():
    told = outlook(made("a/nano", 1_000, EARLY, amounts=AMOUNTS[:3]), None, 1e-4)
    assert not told.foretold
    assert "3 amounts" in told.trends[0].refused
    assert not outlook(made("a/nano", 1_000, EARLY, seeds=1, amounts=AMOUNTS[:2]), None, 1e-4).foretold


@pytest.fixture(scope="module")
def sized():
    runs = [*made("a/nano", 1_000, SIZED, 0.003), *made("a/micro", 10_000, SIZED, 0.003)]
    return runs, outlook(runs, None, 1e-4), {"a": {"a/nano": 1_000, "a/micro": 10_000, "a/tiny": 100_000}}


def test_a_larger_size_is_foretold_where_one_law_holds_for_all(sized):
    _, told, tall = sized
    found = {one.model: one for one in prospects(told, None, ACCURACY, tall, [8_000])}
    low, high = found["a/tiny"].loss_interval
    assert low < SIZED(100_000, 8_000) < high
    assert not found["a/tiny"].far


def test_little_computing_buys_the_small_size_and_much_the_large_one(sized):
    runs, told, tall = sized
    hours = (1e-6, 3e-3, 100.0)
    found = purchases(told, runs, tall, MACS, hours, 8_000, None)
    there = {one.hours: one for one in found if one.data == "there"}
    assert 1e-6 not in there  # not the smallest run fits
    assert there[3e-3].params < there[100.0].params
    assert there[100.0].model == "a/tiny"
    assert there[100.0].items == 8_000
    assert "more time would buy nothing more" in there[100.0].text
    assert all(one.takes <= one.hours for one in found)
    (more,) = (one for one in found if one.data == "more" and one.hours == 100.0)
    assert more.items == 80_000
    assert more.loss < there[100.0].loss


def test_another_machine_has_its_own_hours(sized):
    runs, told, tall = sized
    slow, fast = (purchases(told, runs, tall, MACS, (10.0,), 8_000, speed)[0] for speed in (1e6, 1e9))
    assert slow.takes == pytest.approx(1_000 * fast.takes)
    passed = 8_000 * 10
    assert slow.takes == pytest.approx(passed * MACS[slow.model] / 1e6 / 3600, rel=0.05)


def test_numbers_are_rounded_to_two_digits():
    assert [rounded(items) for items in (4_027, 87, 123_456)] == ["4,000", "87", "120,000"]
