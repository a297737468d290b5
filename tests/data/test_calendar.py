"""What the calendar tells of steps, and that windows hold it of the steps ahead too."""

import numpy as np
import pandas as pd
import pytest

from triarch.core.errors import InputError
from triarch.data.asked import Continued
from triarch.data.calendar import columns, cycles
from triarch.data.dataset import prepare
from triarch.data.long_frame import latest
from triarch.data.open import open_source
from triarch.race.baselines import frame_of
from triarch.race.forecasters import RidgeOnLags


@pytest.mark.parametrize(
    ("step", "count", "expected"),
    [
        ("h", 47, ()), ("h", 48, ("day",)), ("h", 336, ("day", "week")), ("15min", 192, ("day",)), ("D", 13, ()),
        ("D", 14, ("week",)), ("D", 731, ("week", "year")), ("B", 600, ("week", "year")), ("W-SUN", 105, ("year",)),
        ("MS", 30, ("year",)), ("QS", 12, ("year",)), ("YS", 300, ()),
    ],
)  # fmt: skip
def test_cycles_are_told_that_are_passed_through_twice(step, count, expected):
    assert cycles(pd.date_range("2024-01-01", periods=count, freq=step)) == expected


def test_numbered_steps_have_no_calendar():
    assert cycles(pd.RangeIndex(10_000)) == ()
    assert columns(pd.RangeIndex(5), ()).shape == (5, 0)


def test_columns_tell_where_a_time_is():
    times = pd.DatetimeIndex(["2024-01-01 00:00", "2024-01-01 06:00", "2024-07-02 12:00", "1969-12-31 18:00"])
    told = columns(times, ("day", "week", "year"))
    assert told.shape == (4, 2 + 7 + 2)
    assert told[:, :2] == pytest.approx(np.array([[0, 1], [1, 0], [0, -1], [-1, 0]]), abs=1e-6)
    assert told[:, 2:9].argmax(axis=1).tolist() == [time.day_of_week for time in times]
    assert told[:, 2:9].sum(axis=1).tolist() == [1, 1, 1, 1]
    assert told[0, 9:] == pytest.approx([0, 1])
    assert told[2, 9:] == pytest.approx([0, -1], abs=0.02)


def hourly(steps=24 * 60):
    times = pd.date_range("2024-01-01", periods=steps, freq="h")
    random = np.random.default_rng(0)
    return pd.DataFrame({
        "ds": times, "y": 10.0 * (times.day_of_week == 2) + random.normal(size=steps),
        "open": times.hour % 5, "past": np.arange(steps),
    })  # fmt: skip


def test_windows_hold_it_of_the_steps_ahead_too():
    table = hourly()
    source = open_source(table, input="past", continued=Continued(horizon=6, lookback=30, known=("open",)))
    window, origin = source.inputs[5], int(source.continued.origins[5])
    dates = columns(pd.DatetimeIndex(table["ds"][origin - 30 : origin + 6]), ("day", "week"))
    assert window.shape == (36, 3 + 9)
    assert (window[:, 3:] == dates).all()
    assert (window[30:, 0] == 0).all()
    assert (window[30:, 2] == 0).all()
    assert (window[30:, 1] == table["open"][origin : origin + 6]).all()
    assert any("day, week" in note for note in source.notes)
    none = open_source(table, continued=Continued(horizon=6, lookback=30, calendar=()))
    assert none.inputs[0].shape == (30, 1)


def test_the_latest_window_is_made_as_those_of_training():
    table = hourly()
    source = open_source(table, input="past", continued=Continued(horizon=6, lookback=30, known=("open",)))
    row = len(source) - 1
    cut = table.copy()
    cut.loc[len(cut) - 6 :, ["y", "past"]] = np.nan
    _, (window,), _ = latest(cut, source.continued.future, "frame")
    assert (window == source.inputs[row]).all()


@pytest.mark.parametrize("lookback", [24, 30])
def test_ridge_reads_the_dates_ahead(lookback):
    def error(asked):
        data = prepare(open_source(hourly(), continued=asked))
        x, y = data.table("confirm")
        return np.abs(RidgeOnLags(frame_of(data)).fit(*data.table("train")).predict(x) - y).mean()

    told = Continued(horizon=24, lookback=lookback)
    untold = Continued(horizon=24, lookback=lookback, calendar=())
    assert error(told) < 0.8 * error(untold)


def test_numbers_have_no_place_in_a_day():
    numbered = pd.DataFrame({"ds": np.arange(400), "y": np.sin(np.arange(400))})
    with pytest.raises(InputError, match="holds numbers"):
        open_source(numbered, continued=Continued(calendar=("day",)))
