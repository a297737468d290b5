"""Reasons that are right where the truth is known, and that claim nothing where there is nothing."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import triarch
import triarch.race.reasons as module
from race.races import tiny
from triarch.core.findings import Effect
from triarch.core.results import Metric
from triarch.data.augment.series import jitter
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race.changes import ablations, disturbances
from triarch.race.plan import Finals
from triarch.race.reasons import Faded, _items, faded, far, used
from triarch.race.robustness import Bench
from triarch.race.trial import Trial
from triarch.tasks import registry as tasks
from triarch.training.recipe import Recipe

STEPS, ITEMS = 32, 600
ACCURACY, ERROR = Metric("accuracy", "max"), Metric("MASE", "min")


def motif(random, y):
    """Up then down, or down then up, at a random place: only the order tells."""
    x = 0.1 * random.normal(size=(ITEMS, STEPS))
    for row, place in enumerate(random.integers(0, STEPS - 4, ITEMS)):
        x[row, place : place + 4] += np.array([2, 2, -2, -2]) * (1 if y[row] else -1)
    return x


def mean(random, y):
    """One class stands higher than the other: no order in it."""
    return random.normal(size=(ITEMS, STEPS)) + 0.8 * y[:, None]


def trained(make, model="tcn/nano", steps=100):
    """A data set and two seeds of a network that learned it."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, ITEMS)
    dataset = prepare(open_source((make(random, y).astype(np.float32)[:, :, None], y)))
    task = tasks.infer(dataset.spec)
    networks = []
    for seed in (1, 2):
        trial = Trial(
            Recipe(model=model, seed=seed, threads=1, batch_size=32, seconds=None, steps=steps), dataset, task
        )
        trial.run(None, finish=True, steps=steps)
        networks.append(trial.trainer.result)
    return dataset, Bench({model: networks}, task, list(dataset.batches(dataset.rows("confirm"))), 1, 0)


@pytest.fixture(scope="module")
def ordered():
    return trained(motif)


@pytest.fixture(scope="module")
def unordered():
    return trained(mean)


def told(found, name):
    dataset, bench = found
    (change,) = (one for one in ablations(dataset) if one.name == name)
    (model,) = bench.networks
    effect = bench.effect(model, change)
    return effect, used(effect, change, bench.task.primary)


def test_where_only_order_tells_shuffling_costs_many_points(ordered):
    assert ordered[1].before("tcn/nano").mean() > 0.95
    effect, sentence = told(ordered, "steps shuffled")
    assert effect.interval[1] < -0.2
    cost = r"\d\d\.\d points \(\d\d\.\d to \d\d\.\d\)"
    assert re.fullmatch(rf"tcn/nano uses the order of the steps: shuffling the steps costs it {cost}\.", sentence)


def test_where_order_says_nothing_shuffling_costs_nothing(unordered):
    assert unordered[1].before("tcn/nano").mean() > 0.9
    effect, sentence = told(unordered, "steps shuffled")
    assert effect.interval[0] <= 0 <= effect.interval[1]
    assert "costs nothing that could be measured (" in sentence
    assert "uses" not in sentence


def test_what_is_cut_away_is_missed_where_it_is_needed(ordered, unordered):
    for found in (ordered, unordered):
        effect, sentence = told(found, "last quarter only")
        assert effect.interval[1] < 0
        assert "uses what stands before the last quarter of an item" in sentence


def test_the_same_seed_gives_the_same_numbers(ordered):
    dataset, bench = ordered
    again = Bench(bench.networks, bench.task, bench.batches, 1, 0)
    other = Bench(bench.networks, bench.task, bench.batches, 1, 1)
    for change in (*ablations(dataset)[:1], *disturbances(dataset)[:1]):
        assert again.effect("tcn/nano", change) == bench.effect("tcn/nano", change)
    change = ablations(dataset)[0]
    assert other.effect("tcn/nano", change).difference != bench.effect("tcn/nano", change).difference


def test_noise_costs_the_more_the_stronger_it_is(unordered):
    dataset, bench = unordered
    weak = disturbances(dataset)[0]
    strong = replace(weak, name="strong", make=partial(jitter, strength=8.0))
    effects = [bench.effect("tcn/nano", change) for change in (weak, strong)]
    assert effects[1].difference < effects[0].difference - 0.1
    assert effects[1].score == pytest.approx(bench.before("tcn/nano").mean() + effects[1].difference, abs=1e-6)


def test_the_gradient_is_told_for_sequences(ordered):
    dataset, bench = ordered
    (one,) = faded(bench.networks, dataset, bench.task, 0)
    assert (one.distance, one.both_ends) == (15, True)
    assert one.interval[0] <= one.part <= one.interval[1]


def test_words():
    change = ablations(prepare(open_source("digits")))[0]
    lost = Effect("a/nano", change.name, 0.5, -0.31, (-0.34, -0.29))
    assert used(lost, change, ACCURACY) == (
        "a/nano uses where patches of 2×2 pixels stand: shuffling patches of 2×2 pixels costs it 31.0 points"
        " (29.0 to 34.0)."
    )
    gained = replace(lost, difference=0.02, interval=(0.01, 0.03))
    assert used(gained, change, ACCURACY) == (
        "a/nano: shuffling patches of 2×2 pixels gains it 2.0 points (1.0 to 3.0)."
    )
    assert "costs it 0.020 MASE (0.010 to 0.030)." in used(gained, change, ERROR)
    unclear = replace(lost, difference=0.0, interval=(-0.003, 0.004))
    assert used(unclear, change, ACCURACY).endswith("costs nothing that could be measured (−0.3 to +0.4 points).")
    assert far(Faded("rnn/nano", 60, False, 1.5e-6, (1e-6, 2e-6))) == (
        "rnn/nano: 60 steps back from where it reads its answer, the gradient of its answer is 1.5·10⁻⁶"
        " (1.0·10⁻⁶ to 2.0·10⁻⁶) of its size where that is largest."
    )


def test_items_fit_the_time():
    plan = Finals(3, 5.0, 400, 400, 8.0)  # 10 ms an item and model
    assert _items(plan, np.inf, 12) == 400
    assert _items(plan, 1000.0, 12) == 400
    assert 100 < _items(plan, 30.0, 12) < 200
    assert _items(plan, 8.0, 12) == 100
    assert _items(plan, 1.0, 12) == 0
    assert _items(replace(plan, confirm=5_000, closing=0.0), 1.0, 12) == 500


def test_a_race_tells_them_and_gone_on_with_tells_the_same(tmp_path):
    folder = tmp_path / "a"
    choice = triarch.choose(tiny(tmp_path), steps=20, models="plain/nano,encoder/nano", seed=0, out=folder)
    raced = {"plain/nano", "encoder/nano"}
    assert {(one.kind, one.model) for one in choice.reasons} >= {("order", model) for model in raced}
    assert {one.model for one in choice.robustness} == raced
    assert all(low <= one.difference <= high for one in choice.robustness for low, high in [one.interval])
    assert all(one.calibration_error is not None for one in choice.candidates if one.seeds)
    before = (folder / "run" / "records.jsonl").read_bytes()
    again = triarch.choose(resume=folder)
    assert (again.reasons, again.robustness) == (choice.reasons, choice.robustness)
    assert (folder / "run" / "records.jsonl").read_bytes() == before


def test_without_time_nothing_is_told_but_that(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_items", lambda *_: 0)
    choice = triarch.choose(tiny(tmp_path), steps=10, models="plain/nano", seed=0, out=tmp_path / "a")
    assert choice.reasons == choice.robustness == []
    assert choice.notes[-1] == "there was no time to measure: what the finalists use and what they bear"
