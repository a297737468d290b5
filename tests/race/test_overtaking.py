"""A finalist whose trials misled gets more seeds, from made-up finals."""

from types import SimpleNamespace

import numpy as np

from triarch.core.budget import FOREVER, Budget
from triarch.core.results import Metric
from triarch.race.halving import Finalist
from triarch.race.keys import final_key
from triarch.race.overtaking import overtaking
from triarch.race.plan import Finals
from triarch.race.race import Race

ACCURACY = Metric("accuracy", "max")
STEPS = np.linspace(10, 200, 20)
LEARNED, FALLING = np.exp(-STEPS / 20), 2 - STEPS / 120
TCN, GRU, VIT = (Finalist(f"{name}/nano", name, 0.01) for name in ("tcn", "gru", "vit"))


def final(score, losses=LEARNED):
    if score is None:
        return {"score": None, "values": [], "losses": []}
    values = (np.arange(200) < 200 * score).astype(float).tolist()
    return {"score": score, "values": values, "losses": np.stack((STEPS, losses), axis=1).tolist()}


def misled(behind, **scores):
    return overtaking(
        {f"{name}/nano": made if isinstance(made, dict) else final(made) for name, made in scores.items()},
        [f"{name}/nano" for name in behind], ACCURACY,
    )  # fmt: skip


def test_who_reaches_the_best_was_misjudged():
    assert misled(["gru"], tcn=0.9, gru=0.99) == ["gru/nano"]
    assert misled(["gru"], tcn=0.9, gru=0.89) == ["gru/nano"]
    assert misled(["gru", "vit"], tcn=0.9, gru=0.6, vit=0.9) == ["vit/nano"]
    assert misled([], tcn=0.6, gru=0.9) == []


def test_who_still_learns_fast_may_have_been_misjudged():
    assert misled(["gru"], tcn=0.9, gru=final(0.6, FALLING)) == ["gru/nano"]
    assert misled(["gru"], tcn=0.9, gru=final(0.6, LEARNED + 0.5)) == []


def test_who_diverged_stays_behind():
    assert misled(["gru"], tcn=0.9, gru=None) == []
    assert misled(["gru"], tcn=None, gru=0.5) == ["gru/nano"]
    assert misled(["gru"], tcn=None, gru=None) == []


def test_what_is_to_be_small_is_better_where_it_is_small():
    low, high = (final(1.0) | {"values": (value + 0.01 * np.cos(np.arange(200))).tolist()} for value in (0.5, 0.9))
    metric = Metric("MASE", "min")
    assert overtaking({"tcn/nano": high, "gru/nano": low}, ["gru/nano"], metric) == ["gru/nano"]
    assert overtaking({"tcn/nano": low, "gru/nano": high}, ["gru/nano"], metric) == []


class MadeUp(Race):
    """Its finals have the scores of `scores`; those that were trained are in `trained`, in their order."""

    def __init__(self, budget, scores):
        self.budget, self.scores, self.trained, self.workers = budget, scores, [], 1
        self.task = SimpleNamespace(primary=ACCURACY)

    def rows(self, *_):
        return np.arange(200)

    def strata(self, _):
        return None

    def fold(self, _):
        return None

    def _train(self, runs, plan, ahead):
        assert ahead >= len(runs)
        self.trained += [run for run in runs if run not in self.trained]

    def _result(self, key):
        model = key.split("/seed=")[0].removeprefix("final/")
        assert key in {final_key(one.model, seed) for one, seed in self.trained}
        return final(self.scores[model.partition("/")[0]])


def seeds(budget, behind, count=3, **scores):
    """How many finals each had."""
    finalists = [one for one in (TCN, GRU, VIT) if one.family in scores]
    race = MadeUp(budget, scores)
    plan = Finals(count, FOREVER, 200, 200, 0.0, [f"{name}/nano" for name in behind])
    finals = race.finals(finalists, plan)
    assert sum(map(len, finals.values())) == len(race.trained)
    return {model.partition("/")[0]: len(results) for model, results in finals.items()}


def test_by_steps_it_has_as_many_finals_as_the_others():
    by_steps = Budget(steps=200, seconds=FOREVER)
    assert seeds(by_steps, ["gru"], tcn=0.9, gru=0.99) == {"tcn": 3, "gru": 3}
    assert seeds(by_steps, ["gru"], tcn=0.9, gru=0.5) == {"tcn": 3, "gru": 1}
    assert seeds(by_steps, [], tcn=0.9, gru=0.5) == {"tcn": 3, "gru": 3}


def test_by_seconds_the_finals_that_there_is_time_for_are_shared():
    """As many finals are run as were planned, and of one that was misjudged first."""
    seconds = Budget(seconds=100.0)
    assert seeds(seconds, ["gru", "vit"], 3, tcn=0.9, gru=0.99, vit=0.3) == {"tcn": 2, "gru": 2, "vit": 1}
    assert seeds(seconds, ["gru"], 2, tcn=0.9, gru=0.99) == {"tcn": 1, "gru": 2}
    assert seeds(seconds, ["gru"], 3, tcn=0.9, gru=0.99, vit=0.9) == {"tcn": 2, "gru": 3, "vit": 2}


def test_one_final_each_is_one_final_each():
    assert seeds(Budget(seconds=100.0), ["gru"], 1, tcn=0.9, gru=0.99) == {"tcn": 1, "gru": 1}
