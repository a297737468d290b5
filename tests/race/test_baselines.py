"""What is printed for a baseline is what was run."""

import numpy as np
import pandas as pd
import pytest

from triarch.core.interrupt import Stop
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race import baselines
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


def test_a_method_that_fails_leaves_the_others(tmp_path):
    """There are no words where no text has a letter."""
    texts = ["?" * n + "!" * m for n in range(1, 9) for m in range(1, 9)]
    dataset = prepare(open_source(pd.DataFrame({"text": texts, "label": ["a", "b"] * 32})))
    names = [baselines.WORDS_SVM.name, "majority"]
    (done,) = baselines.run(names, dataset, tmp_path, 60, 1, Stop())
    assert done.name == "majority"
    assert "empty vocabulary" in baselines.fault(tmp_path, names[0])
    assert baselines.fault(tmp_path, names[1]) is None
