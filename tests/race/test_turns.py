"""Who of a family has a turn, from made-up times."""

import pytest

from triarch.core.choice import Candidate
from triarch.core.results import Metric
from triarch.models import registry
from triarch.race.candidates import Entry
from triarch.race.plan import _first_slot, clearly_behind, plan_finals, worth
from triarch.race.turns import turns

TIMES = {
    "gru/nano": 0.004, "gru/micro": 0.012, "lstm/nano": 0.002, "lstm/micro": 0.008, "rnn/nano": 0.002,
    "mamba2/nano": 0.4, "mamba2/micro": 2.0,
}  # fmt: skip


def family(times):
    return [
        Entry(registry.find(model.split("/")[0]), model.split("/")[1], Candidate(model, "rnn", 1, int(1e6 * seconds)))
        for model, seconds in times.items()
    ]


def race(share, per_epoch=100, times=TIMES, patience=9.0, asked=None, final=0.0):
    def pace(entry):
        if asked is not None:
            asked.append(entry.model)
        return times[entry.model]

    found = turns(family(times), pace, lambda models: _first_slot(share, 3, models), per_epoch, patience, final)
    chosen = [entry.model for entry in found.chosen]
    assert set(chosen) | set(found.reasons) == set(times)
    assert not set(chosen) & set(found.reasons)
    return chosen, found


def test_with_little_time_one_races_the_largest_that_sees_every_item():
    assert race(3.0)[0] == ["lstm/micro"]
    assert race(1.5, per_epoch=150)[0] == ["lstm/nano"]


def test_a_slow_one_never_shortens_the_list():
    for share in (10.0, 30.0, 100.0):
        quick = {model: seconds for model, seconds in TIMES.items() if "mamba2" not in model}
        assert len(race(share)[0]) >= len(race(share, times=quick)[0])
        assert "mamba2/nano" not in race(share)[0]


def test_every_architecture_comes_once_before_any_a_second_time():
    chosen, found = race(40.0)
    assert {model.split("/")[0] for model in chosen[:3]} == {"gru", "lstm", "rnn"}
    slot = _first_slot(40.0, 3, len(chosen))
    assert all(slot / found.paces[model] >= 150 for model in chosen)


def test_the_largest_that_is_trained_properly_in_a_final_comes_first():
    assert race(3.0, final=10.0)[0] == ["lstm/nano"]  # 1,500 steps of 8 ms are more than 10 s
    assert race(3.0, final=12.5)[0] == ["lstm/micro"]
    chosen, _ = race(20.0, final=20.0)
    assert set(chosen[:3]) == {"gru/micro", "lstm/micro", "rnn/nano"}
    chosen, _ = race(60.0, final=20.0)
    assert set(chosen) == set(TIMES) - {"mamba2/nano", "mamba2/micro"}
    assert set(chosen[:3]) == {"gru/micro", "lstm/micro", "rnn/nano"}


def test_a_size_that_leaves_no_room_for_others_gives_way_to_a_smaller_one():
    times = {"gru/nano": 0.002, "gru/micro": 0.03, "lstm/nano": 0.002, "rnn/nano": 0.002}
    assert "gru/nano" in race(20.0, times=times, final=100.0)[0]
    chosen, found = race(40.0, times=times, final=100.0)
    assert "gru/micro" in chosen
    assert all(_first_slot(40.0, 3, len(chosen)) >= 75 * found.paces[model] for model in chosen)


def test_every_family_has_a_turn():
    chosen, found = race(0.001)
    assert chosen[0] in ("lstm/nano", "rnn/nano")
    assert "a smaller mamba2" in found.reasons["mamba2/micro"]


def test_timing_has_an_end():
    asked = []
    _, found = race(30.0, patience=-1.0, asked=asked)
    assert len(asked) == 1
    assert found.reasons["gru/micro"] == "its turn did not come: there was no time to try it"


def test_larger_ones_of_a_ladder_that_is_too_slow_are_not_timed():
    asked = []
    race(30.0, asked=asked)
    assert "mamba2/nano" in asked
    assert "mamba2/micro" not in asked


def test_rather_fewer_seeds_than_finals_that_are_too_short():
    assert plan_finals(24, 4, 1e-6, 100, 100).seeds == 3
    least = worth([0.001, 0.01, 9.0], per_epoch=50, seconds=6.0)
    assert least == pytest.approx(5.0)  # 9 s a step is hopeless, and no reason to shorten the others
    assert plan_finals(24, 4, 1e-6, 100, 100, least=least).seeds == 1
    assert plan_finals(24, 4, 1e-6, 100, 100, workers=2, least=least).seeds == 2
    assert worth([9.0], per_epoch=50, seconds=6.0) == 0.0


def test_who_is_clearly_behind_has_one_final():
    intervals = {"a": (0.90, 0.94), "b": (0.88, 0.91), "c": (0.70, 0.75)}
    assert clearly_behind(Metric("accuracy", "max"), intervals) == ["c"]
    assert clearly_behind(Metric("MASE", "min"), intervals) == ["a", "b"]
    all_alike = plan_finals(24, 4, 1e-6, 100, 100)
    two_behind = plan_finals(24, 4, 1e-6, 100, 100, behind=["c", "d"])
    assert (all_alike.seeds, two_behind.seeds) == (3, 3)
    assert two_behind.slot == pytest.approx(1.5 * all_alike.slot)
