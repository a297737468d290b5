"""The forecaster: data as people have it, a frame back, scikit-learn's manners."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import triarch

WAVE = 10 + np.sin(2 * np.pi * np.arange(240) / 12) + 0.05 * np.random.default_rng(0).normal(size=240)


@pytest.fixture(scope="module")
def fitted():
    return triarch.Forecaster("plain/nano", horizon=6, steps=60, threads=1).fit(WAVE)


def test_values_go_on(fitted):
    ahead = fitted.predict()
    assert ahead["ds"].tolist() == list(range(240, 246))
    truth = 10 + np.sin(2 * np.pi * np.arange(240, 246) / 12)
    assert np.abs(ahead["value"] - truth).max() < 0.4
    assert (ahead["low"] <= ahead["value"]).all()
    assert (ahead["value"] <= ahead["high"]).all()
    assert fitted.choice_ is None


def test_the_score_is_that_of_the_last_steps(fitted):
    cut = fitted.predict(WAVE[:-6])["value"]
    unit = np.abs(WAVE[12:-6] - WAVE[:-18]).mean()
    assert fitted.score(WAVE) == pytest.approx(-np.abs(cut - WAVE[-6:]).mean() / unit, rel=1e-3)


def test_frames_keep_their_names():
    times = pd.date_range("2020-01-01", periods=240, freq="MS")
    frame = pd.concat(
        pd.DataFrame({"item_id": name, "timestamp": times, "target": level * WAVE})
        for name, level in (("a", 1), ("b", 10))
    )
    found = triarch.Forecaster("plain/nano", horizon=3, steps=5, threads=1).fit(frame).predict()
    assert found.columns.tolist() == ["item_id", "timestamp", "value", "low", "high"]
    assert found["item_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found["timestamp"].iloc[0] == pd.Timestamp("2040-01-01")


def test_a_series_with_times():
    series = pd.Series(WAVE, index=pd.date_range("2020-01-01", periods=240, freq="D"))
    found = triarch.Forecaster("plain/nano", horizon=2, steps=2, threads=1).fit(series).predict()
    assert found["ds"].tolist() == [pd.Timestamp("2020-08-28"), pd.Timestamp("2020-08-29")]


def test_parameters_are_those_of_scikit_learn():
    one = triarch.Forecaster("lstm/nano", horizon=4, known=["promo"])
    assert clone(one).get_params() == one.get_params()
    assert one.set_params(horizon=7).horizon == 7


def test_faults_are_value_errors():
    with pytest.raises(ValueError, match="too few"):
        triarch.Forecaster("plain/nano", horizon=6, steps=1).fit(WAVE[:12])
    with pytest.raises(ValueError, match="long frame"):
        triarch.Forecaster("plain/nano").fit(np.zeros((3, 4)))
