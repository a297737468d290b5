"""Half of the data: what it costs where items are needed, and what is said of it."""

import numpy as np

import triarch
from triarch.core.results import Metric
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race.less import Halved, half_of, learns_from, suited

ACCURACY, ERROR = Metric("accuracy", "max"), Metric("MASE", "min")


def by_heart(items=1_200, kinds=300):
    """Inputs of so many kinds, whose labels follow no rule: which were not seen cannot be known."""
    random = np.random.default_rng(0)
    kind = random.integers(kinds, size=items)
    x = 2 * random.normal(size=(kinds, 16))[kind] + 0.05 * random.normal(size=(items, 16))
    return x.astype(np.float32), random.integers(2, size=kinds)[kind]


def test_half_is_half_of_each_class_and_of_groups():
    dataset = prepare(open_source("digits"))
    half = half_of(dataset, 1)
    counts, before = (np.bincount(one.labels("train")) for one in (half, dataset))
    assert (abs(counts - before / 2) <= 1).all()
    assert set(half.rows("train")) < set(dataset.rows("train"))
    assert (half.rows("select") == dataset.rows("select")).all()
    assert set(half_of(dataset, 2).rows("train")) != set(half.rows("train"))
    assert (half_of(dataset, 1).rows("train") == half.rows("train")).all()


def test_tiny_data_and_windows_are_not_halved():
    assert suited(prepare(open_source("digits")))
    assert not suited(prepare(open_source(by_heart(300))))
    assert not suited(prepare(open_source("sunspots")))


def test_words():
    one = Halved("a/nano", 500, 900, -0.041, (-0.062, -0.02))
    begin = "a/nano: with half of the items (500; 900 steps with either)"
    assert learns_from(one, ACCURACY) == f"{begin} the score is worse by 4.1 points (2.0 to 6.2): more data would help."
    assert learns_from(Halved("a/nano", 500, 900, 0.041, (0.02, 0.062)), ACCURACY).endswith(
        "better by 4.1 points (2.0 to 6.2)."
    )
    assert "worse by 0.041 MASE" in learns_from(Halved("a/nano", 500, 900, 0.041, (0.02, 0.062)), ERROR)
    unclear = learns_from(Halved("a/nano", 500, 900, -0.001, (-0.02, 0.018)), ACCURACY)
    assert unclear == f"{begin} no difference of the score could be measured (−2.0 to +1.8 points)."


def test_a_race_tells_what_less_data_costs(tmp_path):
    choice = triarch.choose(by_heart(), models="gru/nano", steps=240, seed=0, threads=1, out=tmp_path / "a")
    (one,) = (one for one in choice.reasons if one.kind == "data")
    assert one.model == "gru/nano"
    assert one.interval[1] < 0
    assert "more data would help" in one.statement


def test_few_steps_tell_nothing_of_data(tmp_path):
    choice = triarch.choose(by_heart(), models="plain/nano", steps=20, seed=0, threads=1, out=tmp_path / "a")
    assert "data" not in {one.kind for one in choice.reasons}
    assert not any("half of the items" in note for note in choice.notes)
