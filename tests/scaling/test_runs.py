"""Small runs: each to its lowest loss, the same again, none done twice, and the user may stop them."""

import time

import numpy as np
import pytest

from triarch.core.errors import Interrupted
from triarch.core.interrupt import Stop
from triarch.core.machine import computing
from triarch.core.progress import Reporter
from triarch.race.options import Options
from triarch.race.subject import subject
from triarch.scaling import runs
from triarch.scaling.runs import Cell, Runs, converge, counted, most_steps
from triarch.training.loop import Diverged


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Runs of a second."""
    for name, value in (("FEWEST_STEPS", 120), ("MOST_EPOCHS", 2), ("SEEDS", 2)):
        monkeypatch.setattr(runs, name, value)


@pytest.fixture(scope="module")
def about():
    random = np.random.default_rng(0)
    x = random.normal(size=(1_200, 12)).astype(np.float32)
    base = Options.of({}).recipe()
    with computing(1, 0):
        return *subject((x, (x[:, 0] > 0).astype(int)), Options(), base), base


def small_runs(folder, about, seconds=1e6):
    return Runs(folder, *about, seconds, Reporter("", None), Stop(), time.perf_counter())


def test_a_run_is_the_same_again_and_more_data_is_better(about):
    few, again, many = (converge(Cell("plain/nano", items, 0, 3e-3), *about) for items in (64, 64, 600))
    assert {**few, "seconds": 0} == {**again, "seconds": 0}
    assert many["loss"] < few["loss"]
    assert many["score"] > few["score"]


def test_it_ends_when_the_loss_has_stopped_falling_and_keeps_the_lowest(about, monkeypatch):
    monkeypatch.setattr(runs, "FEWEST_STEPS", 5_000)
    told = converge(Cell("plain/nano", 64, 0, 1e-2), *about)
    assert told["settled"]
    assert told["steps"] < told["ended"] < 5_000
    assert told["ended"] <= 2 * told["steps"] + 10


def test_it_ends_at_its_bound(about):
    told = converge(Cell("plain/nano", 64, 0, 1e-5), *about)
    assert not told["settled"]
    assert told["ended"] == most_steps(64, 64) == 120


def test_a_run_that_diverges_has_no_loss(about, monkeypatch):
    def blow_up(*_, **__):
        raise Diverged(3, float("nan"), 9.0)

    monkeypatch.setattr(runs.Trial, "run", blow_up)
    told = converge(Cell("plain/nano", 64, 0, 9.0), *about)
    assert (told["loss"], told["score"], told["ended"]) == (None, None, 3)


def test_the_way_back_is_counted_too(about):
    dataset, task, _ = about
    nano, micro = (counted(f"plain/{size}", (1e-3, 1e-2), dataset, task) for size in ("nano", "micro"))
    assert nano.params < micro.params
    assert nano.macs < micro.macs
    assert nano.rates == pytest.approx((1e-3, 10**-2.5, 1e-2))


def test_the_learning_rate_with_the_lowest_loss_is_taken(about, tmp_path):
    made = small_runs(tmp_path, about)
    size = counted("plain/nano", (1e-6, 1e-4), *about[:2])
    (rate,) = made.calibrate([size], 300).values()
    tried = {record.key: record.result["loss"] for record in made.ledger}
    assert len(tried) > 3  # the best lay at the edge
    assert rate > 1e-4
    assert tried[Cell("plain/nano", 300, 0, rate).key] == min(tried.values())


def test_without_time_the_middle_rate_stays(about, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "CALIBRATING", 0.0)
    size = counted("plain/nano", (1e-3, 1e-2), *about[:2])
    assert small_runs(tmp_path, about).calibrate([size], 64) == {"plain/nano": size.rates[1]}


def test_nothing_is_done_twice_and_the_user_may_stop(about, tmp_path):
    size = counted("plain/nano", (1e-3, 1e-2), *about[:2])
    first = small_runs(tmp_path, about)
    count = 0

    def beat(note, go_on=first.beat):
        nonlocal count
        count += 1
        first.stop.asked = count > 150
        go_on(note)

    first.beat = beat
    with pytest.raises(Interrupted) as stopped:
        first.fill([size], [64, 128], {"plain/nano": 3e-3})
    assert stopped.value.resume == f"triarch scale --resume {tmp_path.parent}"
    before = (tmp_path / "records.jsonl").read_bytes()
    assert before
    second = small_runs(tmp_path, about)
    assert second.elapsed >= first.ledger.elapsed
    second.fill([size], [64, 128], {"plain/nano": 3e-3})
    after = (tmp_path / "records.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(list(second.ledger)) == len(after.splitlines()) == 4
    whole = small_runs(tmp_path / "whole", about)
    whole.fill([size], [64, 128], {"plain/nano": 3e-3})
    for record in whole.ledger:
        there = second.ledger.get(record.key).result
        assert {**there, "seconds": 0} == {**record.result, "seconds": 0}


def test_a_run_for_which_the_time_is_over_does_not_count(about, tmp_path):
    size = counted("plain/nano", (1e-3, 1e-2), *about[:2])
    made = small_runs(tmp_path, about, seconds=0.0)
    made.fill([size], [64], {"plain/nano": 3e-3})
    assert not list(made.ledger)
