"""Readings on a machine with and without other work; the clocks are made up."""

import pytest

from triarch.measure import latency as module
from triarch.measure.latency import latency, rough, undisturbed


class Clocks:
    """Each call takes `cpu` seconds of its thread, and `wall` altogether; of the first `times` calls more."""

    def __init__(self, patch, cpu=0.001, wall=0.001, busy_calls=0, threads=1):
        self.now, self.spent, self.calls = 0.0, 0.0, 0
        self.cpu, self.wall, self.busy_calls = cpu, wall, busy_calls
        patch.setattr(module.time, "perf_counter", lambda: self.now)
        patch.setattr(module.time, "thread_time", lambda: self.spent)
        patch.setattr(module.time, "process_time", lambda: threads * self.spent)

    def __call__(self):
        self.calls += 1
        self.spent += self.cpu
        self.now += self.wall if self.calls <= self.busy_calls else self.cpu


def test_a_quiet_machine(monkeypatch):
    found = latency(Clocks(monkeypatch, threads=2))
    assert found.p50 == found.p95 == pytest.approx(1.0)
    assert found.cpu == pytest.approx(2.0)
    assert found.spread == pytest.approx(0.0)
    assert not found.busy


def test_a_busy_block_is_repeated(monkeypatch):
    clocks = Clocks(monkeypatch, wall=0.002, busy_calls=300)
    found = latency(clocks)
    assert found.p95 == pytest.approx(1.0)
    assert not found.busy
    assert clocks.calls == 20 + 200 * (5 + 2)


def test_a_machine_that_stays_busy_is_marked(monkeypatch):
    found = latency(Clocks(monkeypatch, wall=0.002, busy_calls=10**6, threads=2))
    assert found.busy
    assert found.p50 == pytest.approx(2.0)
    assert found.cpu == pytest.approx(2.0)


def test_the_limit_is_kept(monkeypatch):
    assert latency(Clocks(monkeypatch), limit=0.5) is None


def test_other_work_is_looked_through(monkeypatch):
    assert rough(Clocks(monkeypatch, wall=0.003, busy_calls=60)) == pytest.approx(1.0)
    assert rough(Clocks(monkeypatch, wall=0.003, busy_calls=10**6)) == pytest.approx(3.0)
    assert undisturbed(Clocks(monkeypatch, wall=0.003, busy_calls=10**6), 0.1, threads=1) == pytest.approx(1.0)
