"""Classical forecasts against what they must give."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from triarch.data.asked import Continued
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.race import baselines
from triarch.race.forecasters import ExponentialSmoothing, Frame, RidgeOnLags, SeasonalNaive
from triarch.tasks.forecast import Forecast

FRAME = Frame(lookback=28, horizon=10, lags=(1, 7), season=7)


def windows(values, channels=1):
    count = len(values) - 38
    made = np.stack([values[start : start + 38] for start in range(count)])
    x = np.repeat(made[:, :28, None], channels, axis=2).reshape(count, -1)
    return x.astype(np.float32), made[:, 28:].astype(np.float32)


def test_the_naive_one_takes_the_lag_that_errs_least():
    x, y = windows(np.tile([5.0, 1, 2, 8, 3, 9, 4], 20))
    found = SeasonalNaive(FRAME).fit(x, y)
    assert found.lag == 7
    assert np.allclose(found.predict(x), y)
    walk = np.cumsum(np.random.default_rng(0).normal(size=300))
    assert SeasonalNaive(FRAME).fit(*windows(walk)).lag == 1


def test_smoothing_continues_season_and_level():
    count = np.arange(400)
    x, y = windows(np.tile([5.0, 1, 2, 8, 3, 9, 4], 58)[:400] + 30 * (count > 100))
    found = ExponentialSmoothing(FRAME).fit(x, y)
    assert np.abs(found.predict(x[200:]) - y[200:]).mean() < 0.05


@pytest.mark.parametrize("channels", [1, 2])
def test_ridge_learns_a_linear_recurrence(channels):
    values = np.zeros(400)
    values[:2] = 1, 0.5
    for step in range(2, 400):
        values[step] = 1.9 * np.cos(0.3) * values[step - 1] - 0.98 * values[step - 2] + (step % 50 == 0)
    x, y = windows(values, channels)
    frame = replace(FRAME, channels=channels)
    found = RidgeOnLags(frame).fit(x[:250], y[:250])
    naive = SeasonalNaive(frame).fit(x[:250], y[:250])
    assert np.abs(found.predict(x[250:]) - y[250:]).mean() < 0.5 * np.abs(naive.predict(x[250:]) - y[250:]).mean()


def test_the_line_that_reproduces_a_forecaster_runs():
    data = prepare(open_source("sunspots"))
    frame = baselines.frame_of(data)
    for name in baselines.suited_to(data, Forecast(data.spec)):
        code = baselines.find(name, frame).code("'sunspots'")
        printed = []
        exec(code, {"print": printed.append})
        x, y = data.table("confirm")
        model = baselines.find(name, frame).make().fit(*data.table("train"))
        assert printed == [pytest.approx(np.abs(model.predict(x) - y).mean())]


def test_covariates_and_as_many_steps_ahead_as_seen_confuse_nobody():
    times = pd.date_range("2024-01-01", periods=300, freq="D")
    table = pd.DataFrame({"ds": times, "y": np.arange(300.0) % 7, "open": 100 + np.arange(300) % 3})
    data = prepare(open_source(table, continued=Continued(horizon=14, lookback=14, known=("open",), calendar=())))
    x, y = data.table("confirm")
    assert np.allclose(SeasonalNaive(baselines.frame_of(data)).fit(*data.table("train")).predict(x), y)
