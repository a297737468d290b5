"""Forecasts of curves, and factors of learning rates, where the answer is known."""

import numpy as np
import pytest
import torch

from bench.tabled import tabled
from curve_ensemble import PLACES, Ensemble, Forecast, below, errors, members, seen_from
from curves import curved, most_promising
from regret import search
from transfer import Factored, factors
from triarch.core.results import Metric
from triarch.core.spec import reference
from triarch.model import build
from triarch.tasks.classify import Classify

STEPS = np.geomspace(10, 320, 10)
EASY = {
    "plain/nano": (0.95, 0.0), "plain/micro": (0.70, 0.0), "gru/nano": (0.60, 0.0), "lstm/nano": (0.65, 0.0),
    "encoder/nano": (0.55, 0.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    return [tabled(folder / f"{name}.jsonl", EASY, noise=0.01) for name in ("a", "b", "c")]


def test_a_power_law_is_among_the_members():
    for floor in (0.0, 0.1):
        law = floor + 2 * STEPS**-0.5
        found = np.exp(members(STEPS[:6], law[:6], STEPS[-1]))
        assert found.min() <= law[-1] * 1.001
        assert found.max() == pytest.approx(law[5])
    assert np.abs(members(STEPS[:6], 2 * STEPS[:6] ** -0.5, 320.0) - np.log(2 * 320**-0.5)).min() < 1e-9


def test_errors_fall_whatever_the_metric(known):
    trial = known[0].trials["plain/nano", known[0].about["rates"]["plain/nano"][1], 0]
    for metric in (Metric("accuracy", "max"), Metric("MASE", "min")):
        steps, values = errors(metric, trial.rungs)
        assert (np.diff(steps) > 0).all()
        assert (values[-1] < values[0]) == (metric.direction == "max")


def test_intervals_are_as_wide_as_forecasts_are_off():
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        law = random.uniform(1, 3) * STEPS ** -random.uniform(0.2, 1.0) * np.exp(0.05 * random.standard_normal(10))
        for known in (4, 6):
            seen = [seen_from(STEPS[:known], law[:known], steps) for steps in STEPS[known:]]
            rows += [(*one, change) for one, change in zip(seen, np.log(law[known:] / law[known - 1]))]
    ensemble = Ensemble(np.array(rows))
    inside = []
    for _ in range(300):
        law = random.uniform(1, 3) * STEPS ** -random.uniform(0.2, 1.0) * np.exp(0.05 * random.standard_normal(10))
        low, high = np.quantile(ensemble.drawn(STEPS[:6], law[:6], STEPS[-1]), (0.1, 0.9))
        inside.append(low <= np.log(law[-1]) <= high)
    assert 0.65 <= np.mean(inside) <= 0.9
    assert below(np.zeros(len(PLACES)) + 2.0, PLACES) == 1.0
    assert below(PLACES, PLACES) == pytest.approx(0.5, abs=0.05)


def test_searches_find_what_is_easily_best_and_stop_at_what_was_paid(known):
    forecasts = {table.name: Forecast(table, known) for table in known}
    for way in (curved(forecasts, 0.95), curved(forecasts, ranked=True), most_promising(forecasts, 0.25)):
        found = [search(known[0], way, 0.3, (0, number)) for number in range(3)]
        assert max(one.regret for one in found) < 6  # the right model, at its best learning rate or the next
        assert max(one.spent for one in found) < 0.5


def test_factors_are_one_where_the_data_says_how_wide():
    nano, micro = (build("encoder", size, Classify(), reference("series")) for size in ("nano", "micro"))
    found = factors(nano, micro)
    assert found["backbone.blocks.0.feed.widen.weight"] == 0.5
    assert found["head.linear.weight"] == 0.5
    assert not any("table" in name or "bias" in name for name in found)
    assert found[next(name for name in found if "embed" in name)] == 1.0


def test_a_factor_slows_its_weights_alone():
    one, other = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    optimiser = Factored(
        [{"params": [one], "factor": 1.0}, {"params": [other], "factor": 0.25}], lr=0.1, weight_decay=0
    )
    for _ in range(2):
        for group in optimiser.param_groups:
            group["lr"] = 0.1
        one.grad = other.grad = torch.ones(3)
        optimiser.step()
    assert (1 - other).tolist() == pytest.approx((0.25 * (1 - one)).tolist(), rel=1e-4)
