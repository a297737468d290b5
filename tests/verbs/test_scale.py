"""`triarch scale`: what cannot be is refused before any training; what can is told in words and in JSON."""

import json

import numpy as np
import pytest

import triarch
from triarch.core.errors import InputError
from triarch.core.results import as_json
from triarch.scaling import runs
from triarch.show import show


def series(items, seed=0):
    """A bump at a random place or none, in noise."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(items, 24)).astype(np.float32)
    y = random.integers(0, 2, items)
    places = random.integers(0, 20, items)
    for row in np.flatnonzero(y):
        x[row, places[row] : places[row] + 4] += 1.5
    return x, y


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "no model is named"),
        ({"models": "resnt"}, "did you mean resnet"),
        ({"models": "vit"}, "serves no series"),
        ({"models": "plain", "items": "500"}, "--items 500: a law of the data needs 4 amounts"),
        ({"models": "plain", "items": "100,200,400,9999"}, "--items 9999"),
        ({"models": "plain", "items": "100,x"}, "no numbers"),
        ({"models": "plain", "items": "100.5"}, "--items: .* integer"),
        ({"models": "plain", "seconds": 5}, "--seconds 5"),
        ({"models": "plain/small,lstm/small", "seconds": 20}, "too little"),
        ({"models": "plain", "hours": "-1"}, "--hours: .* greater than 0"),
        ({"models": "plain", "hours": "nan"}, "--hours: .* finite"),
        ({"models": "plain", "at": "1,-3"}, "--at: .* greater than 0"),
        ({"models": "plain", "flops": 3.0}, "--flops: "),
        ({"models": "plain", "utilisation": 2.0}, "--utilisation: "),
        ({"models": "plain", "metric": "MASE"}, "no metric"),
    ],
)
def test_refused_before_any_training(asked, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "converge", lambda *_: pytest.fail("it trained"))
    with pytest.raises(InputError, match=told) as fault:
        triarch.scale(series(1_500), **asked)
    assert len(str(fault.value).splitlines()) <= 5
    assert not list(tmp_path.iterdir())


def test_tiny_data_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="too few to forecast from"):
        triarch.scale(series(200), models="plain")
    with pytest.raises(InputError, match="no data"):
        triarch.scale(models="plain")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "holds nothing to go on with"),
        ("{nonsense", "cannot be read"),
        ('{"models": 7}', "cannot be read"),
        ('{"models": ["plain"], "fingerprint": "x"}', "from memory"),
    ],
)
def test_a_folder_that_holds_no_forecast_is_refused(content, told, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "options.json").write_text("{}")  # a race's
    if content is not None:
        (tmp_path / "run" / "scale.json").write_text(content)
    with pytest.raises(InputError, match=told):
        triarch.scale(resume=tmp_path)


def test_a_forecast_in_words_and_json_and_again(tmp_path, monkeypatch, capsys):
    for name, value in (("FEWEST_STEPS", 60), ("MOST_EPOCHS", 3), ("SEEDS", 2)):
        monkeypatch.setattr(runs, name, value)
    data, out = series(1_500), tmp_path / "a"
    told = triarch.scale(
        data, models="plain/nano,textcnn/nano", items="64,128,256,512", seconds=1e5, hours="0.001,1", out=out
    )
    content = json.loads(json.dumps(as_json(told), allow_nan=False))
    assert set(content) >= {"runs", "trends", "prospects", "crossovers", "purchases", "text", "notes", "metric"}
    assert {run["items"] for run in content["runs"]} == {64, 128, 256, 512}
    assert {run["model"] for run in content["runs"]} == {"plain/nano", "textcnn/nano"}
    assert content["metric"]["name"] == "accuracy"
    assert (out / "run" / "scaling.json").is_file()
    lines = (out / "run" / "records.jsonl").read_bytes()
    show(told)
    printed = capsys.readouterr().out
    assert told.text.split("\n")[0][:30] in printed.replace("\n", " ")
    again = triarch.scale(data, resume=out)
    assert (out / "run" / "records.jsonl").read_bytes() == lines
    assert (again.runs, again.trends, again.prospects) == (told.runs, told.trends, told.prospects)
    with pytest.raises(InputError, match="knows its options"):
        triarch.scale(data, resume=out, models="plain")
    with pytest.raises(InputError, match="is not the data"):
        triarch.scale(series(1_500, seed=1), resume=out)
    with pytest.raises(InputError, match="already"):
        triarch.scale(data, models="plain/nano", items="64,128,256,512", out=out)
