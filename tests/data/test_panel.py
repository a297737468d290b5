"""Long frames as windows: what is seen, what is asked for, and that no part sees another's future."""

import numpy as np
import pandas as pd
import pytest

from triarch.data.asked import Continued
from triarch.data.dataset import prepare
from triarch.data.long_frame import latest
from triarch.data.open import open_source
from triarch.data.panel import to_long
from triarch.data.season import best, movement, plausible, repeated, season


def frame(series=2, steps=300, period=7, step="D"):
    times = pd.date_range("2024-01-01", periods=steps, freq=step)
    count = np.arange(steps)
    return pd.concat(
        pd.DataFrame({
            "unique_id": f"s{number}", "ds": times, "y": 1000 * number + count + 0.5 * (count % period),
            "open": count % 3, "note": "x",
        })
        for number in range(series)
    )  # fmt: skip


def test_windows_hold_what_comes_before_and_after():
    data = prepare(open_source(frame(), continued=Continued(horizon=5, lookback=20)))
    source, future = data.source, data.spec.future
    assert (future.horizon, future.lookback, future.season, future.step) == (5, 20, 7, "D")
    for row in (0, 77, len(source) - 1):
        panel = source.continued.panel[int(source.continued.series[row])][:, 0]
        origin = int(source.continued.origins[row])
        assert (source.inputs[row][:20, 0] == panel[origin - 20 : origin]).all()
        assert (source.labels[row] == panel[origin : origin + 5]).all()


def test_parts_follow_each_other_and_share_no_step():
    data = prepare(open_source(frame(), continued=Continued(horizon=5, lookback=20)))
    continued, horizon = data.source.continued, data.spec.horizon
    for number in range(2):
        asked = {}
        for part, rows in data.splits.items():
            origins = continued.origins[rows][continued.series[rows] == number]
            asked[part] = {int(origin) + step for origin in origins for step in range(horizon)}
        assert max(asked["train"]) < min(asked["select"]) <= max(asked["select"]) < min(asked["confirm"])
        assert max(asked["confirm"]) == 299
    judged = np.concatenate([continued.origins[data.splits[part]] for part in ("select", "confirm")])
    assert len(judged) >= 20


def test_windows_of_a_part_overlap_only_where_there_would_be_too_few():
    long = prepare(open_source(frame(steps=2000), continued=Continued(horizon=5, lookback=20)))
    origins = long.source.continued.origins[long.splits["confirm"]]
    assert set(np.diff(origins[long.source.continued.series[long.splits["confirm"]] == 0])) == {5}
    assert not any("overlap" in note for note in long.source.notes)
    short = prepare(open_source(frame(series=1, steps=120), continued=Continued(horizon=6, lookback=12)))
    assert any("overlap" in note for note in short.source.notes)


def test_what_is_known_ahead_is_seen_ahead_and_nothing_else():
    data = prepare(open_source(frame(), continued=Continued(horizon=5, lookback=20, known=("open",), calendar=())))
    window = data.source.inputs[3]
    series, origin = int(data.source.continued.series[3]), int(data.source.continued.origins[3])
    panel = data.source.continued.panel[series]
    assert window.shape == (25, 2)
    assert (window[20:, 0] == 0).all()
    assert (window[20:, 1] == panel[origin : origin + 5, 1]).all()
    assert any("note" in note and "not used" in note for note in data.source.notes)
    past = prepare(open_source(frame(), input="open", continued=Continued(horizon=5, lookback=20, calendar=())))
    assert past.spec.shape == (20, 2)
    assert open_source(frame(), input="open").continued.future.channels == ("y", "open")


def test_times_with_zones_are_taken_to_utc():
    times = pd.date_range("2024-03-20", periods=500, freq="h", tz="Europe/Berlin").astype(str)
    source = open_source(pd.DataFrame({"ds": times, "y": np.arange(500) % 24}))
    assert source.continued.starts == ("2024-03-19 23:00:00",)
    assert any("UTC" in note for note in source.notes)


def test_gaps_are_filled_only_when_asked():
    holes = frame(series=1).drop(index=[10, 11, 12])
    filled = open_source(holes, continued=Continued(horizon=5, impute="linear"))
    assert any("3 missing steps filled (linear)" in note for note in filled.notes)
    assert np.allclose(np.interp([10, 11, 12], [9, 13], filled.continued.panel[0][[9, 13], 0]),
                       filled.continued.panel[0][10:13, 0])  # fmt: skip
    last = open_source(holes, continued=Continued(horizon=5, impute="last"))
    assert (last.continued.panel[0][10:13, 0] == last.continued.panel[0][9, 0]).all()


def test_order_of_rows_and_names_of_columns_change_nothing():
    plain = open_source(frame())
    mixed = frame().sample(frac=1, random_state=0)
    assert open_source(mixed).fingerprint == plain.fingerprint
    renamed = mixed.rename(columns={"unique_id": "item_id", "ds": "timestamp", "y": "target"})
    found = open_source(renamed)
    assert (found.continued.panel.flat == plain.continued.panel.flat).all()


def test_a_table_of_classes_with_dates_stays_one():
    table = pd.DataFrame({
        "date": pd.date_range("2024-01-01", periods=60).astype(str), "text": [f"w{row}" for row in range(60)],
        "label": [f"c{row % 3}" for row in range(60)],
    })  # fmt: skip
    assert open_source(table, input="text").continued is None
    assert open_source(table.rename(columns={"label": "y"}), input="text").continued is None


def test_steps_may_be_numbers_and_months():
    numbered = frame(series=1).assign(ds=np.arange(300))
    assert open_source(numbered).continued.future.step == ""
    months = frame(series=1, steps=240, period=12, step="MS")
    found = open_source(months).continued.future
    assert (found.step, found.season, found.horizon) == ("MS", 12, 12)


def test_the_season_is_found():
    random, count = np.random.default_rng(0), np.arange(3000)
    walk, noise = np.cumsum(random.normal(size=2000)), random.normal(size=2000)
    wave = np.sin(2 * np.pi * count / 37) + 0.01 * count
    for values, step, expected in ((walk, "D", 1), (noise, "D", 1), (wave, "", 37), (np.ones(100), "h", 1)):
        assert season([values], plausible([values], step)) == expected
    assert best([walk], (1, 7), 5) == 1
    assert best([np.tile(np.arange(7.0), 50)], (1, 7), 10) == 7


def test_repetition_and_movement():
    values = np.arange(10.0)
    assert repeated(values, 3, 5).tolist() == [7, 8, 9, 7, 8]
    assert movement(values, 3) == 3
    assert movement(np.ones(10), 3) == 1


def test_the_latest_steps_are_taken_to_be_continued():
    whole = frame()
    future = open_source(
        whole, continued=Continued(horizon=5, lookback=20, known=("open",), calendar=())
    ).continued.future
    given = whole.copy()
    given.loc[given["ds"] > given["ds"].max() - pd.Timedelta("5D"), "y"] = np.nan
    names, windows, times = latest(given, future, "frame")
    assert names == ["s0", "s1"]
    assert windows[1].shape == (25, 2)
    assert windows[1][:20, 0].tolist() == whole[whole["unique_id"] == "s1"]["y"].tolist()[-25:-5]
    assert windows[1][20:, 1].tolist() == whole[whole["unique_id"] == "s1"]["open"].tolist()[-5:]
    assert list(times[0]) == list(pd.date_range(whole["ds"].max() - pd.Timedelta("4D"), whole["ds"].max()))


@pytest.mark.parametrize("name", ["sunspots", "co2"])
def test_built_in_series(name):
    found = open_source(name).continued.future
    assert (found.season, found.step) == {"sunspots": (11, ""), "co2": (52, "W-SAT")}[name]


@pytest.mark.parametrize("given", [{}, {"known": ("open",)}])
def test_a_panel_written_out_makes_the_same_windows(given):
    asked = Continued(horizon=5, lookback=20, **given)
    source = open_source(frame(), continued=asked)
    again = open_source(to_long(source.continued), continued=asked)
    assert again.fingerprint == source.fingerprint
    numbered = open_source(
        frame(series=1).assign(ds=np.arange(7, 307)).drop(columns="unique_id"), continued=Continued()
    )
    assert open_source(to_long(numbered.continued)).fingerprint == numbered.fingerprint


def test_several_columns_may_stand_between_commas():
    table = frame().assign(more=1.0, **{"a,b": 2.0})
    both = open_source(table, continued=Continued(horizon=5, lookback=20, known=("open,more",)))
    assert both.continued.future.channels == ("y", "open", "more")
    one = open_source(table, input="a,b", continued=Continued(horizon=5, lookback=20))
    assert one.continued.future.channels == ("y", "a,b")
    classes = pd.DataFrame({"s": np.arange(90.0), "t": np.arange(90.0) % 7, "label": ["u", "v", "w"] * 30})
    assert open_source(classes, input="s,t").inputs[0].shape[0] == 2
