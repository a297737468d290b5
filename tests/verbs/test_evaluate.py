"""An artifact scored on data that is not its own."""

import numpy as np
import pandas as pd
import pytest

import triarch
from triarch.core.errors import InputError


def series(times):
    return pd.DataFrame({"ds": times, "y": np.sin(np.arange(len(times)) / 24 * 2 * np.pi)})


@pytest.mark.parametrize(
    ("times", "told"),
    [(pd.date_range("2024", periods=960, freq="D"), "its steps are D"), (np.arange(960), "holds numbers")],
    ids=["days", "numbers"],
)
def test_series_in_other_steps_are_refused(tmp_path, times, told):
    hours = series(pd.date_range("2024-01-01", periods=960, freq="h"))
    triarch.train(hours, model="tcn/nano", steps=2, out=tmp_path / "a")
    assert triarch.evaluate(tmp_path / "a", hours).n > 0
    with pytest.raises(InputError, match=told):
        triarch.evaluate(tmp_path / "a", series(times))


def test_data_that_is_named_from_another_folder(place, monkeypatch):
    rows = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(60)]
    pd.DataFrame(rows).to_csv("rows.csv", index=False)
    triarch.train("rows.csv", model="tcn/nano", steps=2, threads=1, out=place / "a")
    scored = triarch.evaluate(place / "a", threads=1)
    monkeypatch.chdir(place)
    with pytest.raises(InputError, match=r"the data was 'rows\.csv', which is not to be found"):
        triarch.evaluate(place / "a")
    with pytest.raises(InputError, match=r"the data was 'rows\.csv'"):
        triarch.train(resume=place / "a")
    assert triarch.evaluate(place / "a", "work/rows.csv", threads=1).score == scored.score
