"""What is told before anything is trained; no real clock decides here."""

import pytest
import torch

from triarch.core.budget import Budget
from triarch.core.errors import InputError
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.measure.count import params
from triarch.race import limits
from triarch.race.candidates import entries, save_untrained
from triarch.race.limits import quick_enough, quick_look, refuse_hopeless, within
from triarch.race.selection import selected
from triarch.ship.probe import measure
from triarch.tasks import registry as tasks


@pytest.fixture(scope="module")
def digits():
    dataset = prepare(open_source("digits"))
    return dataset, tasks.infer(dataset.spec)


def count(digits, **given):
    budget = Budget(60.0, **given)
    return budget, entries(*digits, budget, 32, selected("image"))


@pytest.fixture
def clock(monkeypatch):
    """Every model takes a millisecond for each thousand of its parameters; who was looked at."""
    looked = []

    def answering(arm, task):
        looked.append(arm.name)
        with torch.device("meta"):
            return params(arm.build(task)) / 1000

    monkeypatch.setattr(limits, "_answering", answering)
    monkeypatch.setattr(limits, "rough", lambda milliseconds: milliseconds)
    return looked


def test_memory_is_told_as_it_will_be_measured(digits, tmp_path):
    budget, found = count(digits, max_params=20_000, max_memory=60_000)
    allowed = within(budget, found, *digits)
    assert allowed
    for entry in allowed:
        folder = tmp_path / entry.model.replace("/", "-")
        save_untrained(entry.trained(digits[0]), digits[1], folder)
        reading = measure(folder, 1, timed=False)
        assert reading.peak_memory_bytes == entry.counted.peak_memory_bytes <= 60_000
        assert reading.artifact_bytes <= entry.counted.artifact_bytes
    over = [entry for entry in found if "bytes of memory" in entry.counted.reason]
    assert over
    assert all(entry.counted.status == "over budget" for entry in over)


def test_large_models_are_followed_without_weights(digits):
    budget, found = count(digits, max_params=100_000_000, max_memory=30_000_000)
    allowed = {entry.model: entry.counted for entry in within(budget, found, *digits)}
    assert 4 * allowed["resnet/tiny"].params < allowed["resnet/tiny"].peak_memory_bytes < 30_000_000


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ({"max_params": 10}, "--max-params 3658"),
        ({"max_memory": 1_000}, "--max-memory 18984"),
        ({"max_params": 100_000, "max_memory": 1_000}, "--max-memory 18984"),
    ],
)
def test_the_nearest_is_named(digits, given, needed):
    budget, found = count(digits, **given)
    with pytest.raises(InputError, match=f"nearest is plain/nano(.|\n)*raise the limit: {needed}$"):
        within(budget, found, *digits)


def test_only_the_quick_ones_race(digits, clock):
    budget, found = count(digits, max_params=100_000, max_latency=40.0)
    allowed = within(budget, found, *digits)
    quick = quick_enough(budget, allowed, quick_look(budget, allowed, *digits, 1))
    assert {entry.model for entry in quick} == {entry.model for entry in allowed if entry.counted.params <= 25_000}
    slow = [entry.counted for entry in allowed if entry not in quick]
    assert slow
    assert all(one.status == "over budget" and "limit" in one.reason for one in slow)


def test_a_ladder_ends_at_the_first_that_is_too_slow(digits, clock):
    budget, found = count(digits, max_params=100_000, max_latency=10.0)
    allowed = [entry for entry in within(budget, found, *digits) if entry.architecture.name == "plain"]
    assert len(allowed) > 2
    quick_enough(budget, allowed, quick_look(budget, allowed, *digits, 1))
    assert clock == ["plain/nano", "plain/micro"]
    assert allowed[-1].counted.reason == "plain/micro already breaks the limit of 10 ms"


def test_a_hopeless_limit_is_refused_before_anything_is_counted(digits, clock):
    with pytest.raises(InputError, match=r"nearest is plain/nano: (.|\n)*raise the limit: --max-latency 8\.2$"):
        refuse_hopeless(Budget(60.0, max_latency=3.0), selected("image"), *digits, 1)
    assert len(clock) == limits.FIRST_LOOK
    refuse_hopeless(Budget(60.0, max_latency=4.0), selected("image"), *digits, 1)  # near enough to look at all
    refuse_hopeless(Budget(60.0), selected("image"), *digits, 1)


def test_where_none_is_quick_the_nearest_is_named(digits, clock):
    budget, found = count(digits, max_params=30_000, max_latency=5.0)
    allowed = within(budget, found, *digits)
    with pytest.raises(InputError, match=r"nearest is plain/nano: (.|\n)*raise the limit: --max-latency 8\.2$"):
        quick_enough(budget, allowed, quick_look(budget, allowed, *digits, 1))
