"""Forecasts as a report shows them."""

import numpy as np
import pytest

from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race.outlook import drawn, outlooks
from triarch.tasks.forecast import QUANTILES
from triarch.training.evaluate import Scores


def test_the_last_origins_are_shown_beside_what_came():
    data = prepare(open_source("co2"))
    rows = data.rows("confirm")
    truth = data.source.labels[rows]
    answers = truth[..., None] + np.array(QUANTILES) - 0.5
    found = outlooks(data, Scores(rows, truth, {}, answers))
    assert [one.origin for one in found[:2]] == ["2001-11-10", "2001-09-15"]
    assert found[0].truth == pytest.approx(data.source.continued.panel[0][-8:, 0].tolist())
    assert found[0].past == pytest.approx(data.source.continued.panel[0][-32:-8, 0].tolist())
    assert all(one.hit == 8 for one in found)
    points = drawn(found[0])
    assert points["now"] == f"{300 * 24 / 31:.1f}"
    assert len(points["band"].split()) == 16


def test_nothing_is_foretold_of_classes():
    data = prepare(open_source("digits"))
    assert outlooks(data, Scores(data.rows("confirm"), data.labels("confirm"), {}, np.zeros((1, 10)))) == []
