"""What is printed for a baseline is what was run."""

import numpy as np
import pytest

from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race.baselines import BASELINES, suited


@pytest.mark.parametrize("name", BASELINES)
def test_the_lines_make_what_was_run(name):
    baseline, scope = BASELINES[name], {}
    exec(f"{baseline.imports}\nmodel = {baseline.expression}", scope)
    assert repr(scope["model"]) == repr(baseline.make())


@pytest.mark.parametrize("data", ["digits", "japanese-vowels"])
def test_a_fit_repeats(data):
    dataset = prepare(open_source(data))
    x, y = dataset.table("train")
    for name in suited(dataset.spec.modality, len(y)):
        first, again = (BASELINES[name].make().fit(x, y).predict(x[:200]) for _ in range(2))
        assert np.array_equal(first, again)


def test_a_fit_on_texts_repeats():
    texts, labels = ["good film", "bad film", "good plot", "bad plot", "dull"] * 8, [1, 0, 1, 0, 0] * 8
    for name in {*suited("text", len(texts)), *suited("text", len(texts), 500)}:
        first, again = (BASELINES[name].make().fit(texts, labels) for _ in range(2))
        if name != "majority":
            assert np.array_equal(first[-1].coef_, again[-1].coef_)
