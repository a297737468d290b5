"""What a calibration leaves, and what describe tells by it."""

import pytest
import torch

import triarch
from triarch.core.results import Latency
from triarch.core.spec import reference
from triarch.core.types import Batch
from triarch.measure.singles import singles
from triarch.model import build
from triarch.ship import calibration, probe
from triarch.tasks.classify import Classify


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A calibration of seconds, and a cache of its own."""
    monkeypatch.setenv("TRIARCH_CACHE", str(tmp_path))
    monkeypatch.setattr(calibration, "PASSES", 1)
    monkeypatch.setattr(calibration, "PATIENCE", 0.0)
    monkeypatch.setattr(calibration, "PATIENCE_FOR_STEPS", 0.0)
    monkeypatch.setattr(calibration, "singles", lambda: list(singles())[::40])
    spec = reference("series")
    networks = [(f"{name}/nano", spec) for name in ("gru", "tcn", "encoder")]
    monkeypatch.setattr(calibration, "_networks", lambda **_: networks)
    return tmp_path


def test_it_is_kept_for_this_machine_and_number_of_threads(small):
    assert calibration.known(1) is None
    told = []
    found = calibration.learn(1, lambda *said: told.append(said[0]))
    assert calibration.known(1) == found
    assert calibration.known(2) is None
    assert found.errors.keys() == {"gru", "tcn", "encoder"}
    assert told == sorted(told)
    (path,) = small.rglob("*.json")
    path.write_text("{")
    assert calibration.known(1) is None


def test_a_prediction_brings_its_error(small):
    spec = reference("series")
    with torch.device("meta"):
        model = build("lstm", "nano", Classify(), spec)
    batch = Batch(torch.randn(1, *spec.shape))
    assert calibration.foretold(model, batch, 1) is None
    found = calibration.learn(1)
    told = calibration.foretold(model, batch, 1)
    assert told.p50 > 0
    assert told.error == found.error


def test_steps_of_training_are_another_calibration(small):
    found = calibration.learn(1, steps=True)
    assert calibration.known(1) is None
    assert calibration.known(1, steps=True) == found
    assert found.errors.keys() == {"gru", "tcn", "encoder"}
    calibration.learn(1)
    assert calibration.known(1, steps=True) == found


def test_every_lone_operator_that_is_trained_goes_back(small):
    """Of each name the first."""
    for single in {one.name: one for one in singles() if one.is_trained}.values():
        case = calibration._step_of_single(single)
        case.call()
        forth = calibration._answer_of_single(single).count()
        assert sum(case.count().values()) > sum(forth.values())


def test_describe_foretells_a_step_only_where_it_is_calibrated(small, monkeypatch):
    reading = probe.Reading(Latency(2.0, 3.0, 1.0, 0.1), 10, 10)
    monkeypatch.setattr(probe, "measure_apart", lambda folders, _: dict.fromkeys(folders, reading))
    assert triarch.describe("tcn/nano").foretold_step_ms is None
    few = triarch.describe("tcn/nano", batch_size=4, calibrate=True).foretold_step_ms
    many = triarch.describe("tcn/nano", batch_size=64).foretold_step_ms
    assert 0 < few.p50 < many.p50
    assert few.error == many.error == calibration.known(1, steps=True).error


@pytest.mark.parametrize("busy", [False, True])
def test_describe_foretells_what_could_not_be_measured(small, monkeypatch, busy):
    reading = probe.Reading(Latency(2.0, 3.0, 1.0, 0.1, busy), 10, 10)
    monkeypatch.setattr(probe, "measure_apart", lambda folders, _: dict.fromkeys(folders, reading))
    assert triarch.describe("tcn/nano").foretold_ms is None
    found = calibration.learn(1)
    told = triarch.describe("tcn/nano")
    assert told.latency_ms.busy == busy
    assert (told.foretold_ms is not None) == busy
    if busy:
        assert told.foretold_ms.error == found.error
