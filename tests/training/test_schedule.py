import pytest

from triarch.training.recipe import Schedule
from triarch.training.schedule import decay_begin, factor, total_from


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.2, 0.5, 1.0])
def test_a_decay_that_begins_at_a_step_ends_at_its_total(decay):
    schedule = Schedule(decay=decay)
    for step in range(1, 300):
        total = total_from(schedule, step) if decay < 1 else step
        if decay < 1:
            assert decay_begin(schedule, total) == step
            assert decay_begin(schedule, total - 1) < step


def test_shape_of_warmup_stable_decay():
    schedule = Schedule(warmup=9, decay=0.2)
    factors = [factor(schedule, step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:80] == [1.0] * 71
    assert all(after < before for before, after in zip(factors[79:], factors[80:]))
    assert 0 < factors[-1] < 0.1
    assert [factor(schedule, step, None) for step in range(80)] == factors[:80]


def test_cosine():
    schedule = Schedule(name="cosine", warmup=0)
    assert factor(schedule, 0, 100) == 1.0
    assert factor(schedule, 50, 100) == pytest.approx(0.5)
    assert factor(schedule, 100, 100) == pytest.approx(0.0)
