"""Tables, series and saved data sets that are at fault: exit status 2, a short message, nothing written."""

import gzip
import json
import sys

import pandas as pd
import pytest

from triarch.cli import main

ROWS = "".join(f"word{row},c{row % 3}\n" for row in range(40))
NUMBERS = "".join(f"{row},{row * 0.5},c{row % 3}\n" for row in range(40))
TS = "@problemName x\n@classLabel true 1 2\n@data\n"
ITEMS = "".join(f"{row}.5,2,3:1,2,{row}:{row % 2 + 1}\n" for row in range(20))


def series(*extra, skip=()):
    """120 days of one series, and more lines."""
    days = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    lines = [f"{day},{row % 7 + row / 100},{row % 2}" for row, day in enumerate(days) if row not in skip]
    return "ds,y,open\n" + "\n".join((*lines, *extra)) + "\n"


def objects(**changed):
    lines = [{"text": f"word {row}", "label": f"c{row % 3}"} for row in range(40)]
    for row, values in changed.items():
        lines[int(row[1:])] = values
    return "".join(json.dumps(line) + "\n" for line in lines)


def parquet(**columns):
    def write(path):
        pd.DataFrame(columns).to_parquet(path)

    return write


# name → file, content, options, words of the message
FAULTS = {
    "an empty file": ("a.csv", "", [], ["a.csv", "empty", "names of the columns"]),
    "only a header": ("a.csv", "text,label\n", [], ["a.csv", "no rows"]),
    "a cell too many": ("a.csv", "text,label\n" + ROWS + "a,b,c\n", [], ["a.csv", "Row #42", "Expected 2 columns"]),
    "a cell too few": ("a.csv", "text,label\n" + ROWS + "a\n", [], ["a.csv", "Row #42"]),
    "an open quote": ("a.csv", 'text,label\n"word,c1\n' + ROWS, [], ["a.csv", "cannot be read as CSV"]),
    "a column twice": ("a.csv", "text,text\n" + ROWS, [], ["a.csv", "two columns", "'text'", "rename"]),
    "another encoding": ("a.csv", b"text,label\n" + ROWS.encode() + b"caf\xe9,c1\n", [], ["a.csv", "UTF-8"]),
    "UTF-16": ("a.csv", ("text,label\n" + ROWS).encode("utf-16"), [], ["a.csv", "UTF-8"]),
    "no label": ("a.csv", "text,label\n" + ROWS + "word,\n", [], ["a.csv: row 41", "no label", "leave the row out"]),
    "no text": ("a.csv", "text,label\n" + ROWS + ",c1\n", [], ["a.csv: row 41", "'text'", "leave the row out"]),
    "no number": ("a.csv", "a,b,label\n" + NUMBERS + "1,two,c1\n", [], ["row 41", "column 'b'", "'two'"]),
    "a missing number": ("a.csv", "a,b,label\n" + NUMBERS + "1,,c1\n", [], ["row 41", "column 'b'", "missing"]),
    "infinity": ("a.csv", "a,b,label\n" + NUMBERS + "1,inf,c1\n", [], ["row 41", "column 'b'"]),
    "continuous labels": ("a.csv", "text,label\n" + "".join(f"w{row},{row / 7}\n" for row in range(40)), [],
                          ["row 2", "continuous", "--target"]),
    "identifiers as labels": ("a.csv", "text,label\n" + "".join(f"w{row},c{row}\n" for row in range(40)), [],
                              ["40 classes", "--target"]),
    "one class": ("a.csv", "text,label\n" + "".join(f"w{row},c\n" for row in range(40)), [], ["only 1 class", "'c'"]),
    "a class with one item": ("a.csv", "text,label\n" + ROWS + "word,rare\n", [], ["'rare'", "1 item", "collect more"]),
    "copies only": ("a.csv", "text,label\n" + "a,x\nb,y\n" * 20, [], ["copies", "distinct"]),
    "an unknown target": ("a.csv", "text,label\n" + ROWS, ["--target", "lable"], ["'lable'", "did you mean label"]),
    "an unknown input": ("a.csv", "text,label\n" + ROWS, ["--input", "txt"], ["'txt'", "did you mean text"]),
    "an unknown group": ("a.csv", "text,label\n" + ROWS, ["--group", "lable"], ["'lable'", "did you mean label"]),
    "the target as input": ("a.csv", "text,label\n" + ROWS, ["--input", "label"], ["'label'", "--target"]),
    "two texts": ("a.csv", "a,b,label\n" + "".join(f"v{row},w{row},c{row % 3}\n" for row in range(40)), [],
                  ["columns a, b", "--input"]),
    "pictures asked of a table": ("a.csv", "text,label\n" + ROWS, ["--image-size", "32"], ["--image-size", "leave"]),
    "a gap in a series": ("a.csv", series(skip=(50, 51)), [],
                          ["lacks 2 of 120 steps", "2024-02-20", "--impute linear"]),
    "a value missing": ("a.csv", series().replace("2024-01-03,2.02", "2024-01-03,"), [], ["lacks 1", "2024-01-03"]),
    "no date": ("a.csv", series("soon,1,0"), ["--task", "forecast"], ["row 121", "'ds'", "'soon'", "no time"]),
    "a word among values": ("a.csv", series("2024-04-30,many,0"), [], ["row 121", "'y'", "'many'"]),
    "a time twice": ("a.csv", series("2024-04-29,5,0"), [], ["row 121", "2024-04-29", "again"]),
    "a time between two": ("a.csv", series("2024-04-29 07:30,5,0"), [], ["between two steps", "one step"]),
    "a short series": ("a.csv", "ds,y\n" + "".join(f"{row},{row * 1.5}\n" for row in range(9)), ["--horizon", "5"],
                       ["9 steps", "--horizon 1"]),
    "a look-back too long": ("a.csv", series(), ["--lookback", "90"], ["--lookback 90", "training", "or less"]),
    "an unknown known": ("a.csv", series(), ["--known", "opem"], ["'opem'", "did you mean open"]),
    "the series as known": ("a.csv", series(), ["--known", "y"], ["'y'", "leave it out"]),
    "a horizon for classes": ("a.csv", "text,label\n" + ROWS, ["--horizon", "5"], ["times", "ds"]),
    "a forecast of classes": ("a.csv", "text,label\n" + ROWS, ["--task", "forecast"], ["times", "ds"]),
    "a series to classify": ("a.csv", series(), ["--task", "classify"], ["continuous", "--target"]),
    "no gzip": ("a.csv.gz", b"\x1f\x8bnonsense", [], ["a.csv.gz", "cannot be read"]),
    "a torn gzip": ("a.csv.gz", gzip.compress(("text,label\n" + ROWS * 50).encode())[:-20], [], ["a.csv.gz"]),
    "no Parquet": ("a.parquet", "nonsense", [], ["a.parquet", "cannot be read as Parquet"]),
    "several labels": ("a.parquet", parquet(text=list("abc") * 9, label=[["x", "y"]] * 27), [],
                       ["row 1", "several labels"]),
    "lists of words": ("a.parquet", parquet(x=[["a"]] * 27, label=[0, 1, 2] * 9), [], ["row 1", "list of numbers"]),
    "an empty list": ("a.parquet", parquet(x=[[1.0]] * 26 + [[]], label=[0, 1, 2] * 9), [], ["row 27", "empty"]),
    "no JSON": ("a.jsonl", objects() + "nonsense\n", [], ["a.jsonl: line 41", "no JSON", '{"text"']),
    "a JSON list": ("a.jsonl", "[1, 2]\n", [], ["a.jsonl: line 1", "no JSON object"]),
    "an object without a label": ("a.jsonl", objects(r7={"text": "word"}), [], ["a.jsonl: row 8", "no label"]),
    "an object without a text": ("a.jsonl", objects(r7={"label": "c1"}), [], ["a.jsonl: row 8", "'text'"]),
    "half a character": ("a.jsonl", objects(r7={"text": "\ud800", "label": "c1"}), [], ["a.jsonl: row 8", "Unicode"]),
    "an empty JSON file": ("a.jsonl", "", [], ["a.jsonl", "no rows"]),
    "no @data": ("a.ts", "@problemName x\n", [], ["a.ts", "no @data"]),
    "values before @data": ("a.ts", "1,2,3:1\n", [], ["a.ts: line 1", "before @data"]),
    "an item without a class": ("a.ts", TS + ITEMS + "1,2,3\n", [], ["a.ts: line 24", "no class"]),
    "a missing value in a series": ("a.ts", TS + ITEMS + "1,?,3:1,2,3:1\n", [], ["a.ts: line 24", "missing value"]),
    "a word in a series": ("a.ts", TS + ITEMS + "1,x,3:1,2,3:1\n", [], ["a.ts: line 24", "no number"]),
    "channels of unequal length": ("a.ts", TS + ITEMS + "1,2:1,2,3:1\n", [], ["a.ts: line 24", "length"]),
    "a channel too few": ("a.ts", TS + ITEMS + "1,2,3:1\n", [], ["a.ts: line 24", "1 channels, the first 2"]),
    "time stamps": ("a.ts", "@timeStamps true\n" + TS + ITEMS, [], ["a.ts: line 1", "time stamps"]),
    "continuous targets": ("a.ts", "@targetLabel true\n@data\n1,2:0.5\n", [], ["a.ts: line 1", "continuous"]),
    "a target for a .ts": ("a.ts", TS + ITEMS, ["--target", "x"], ["--target", "leave"]),
    "an unknown ending": ("a.xlsx", "nonsense", [], ["a.xlsx", "unknown format", ".csv"]),
    "a file that is not there": ("", "", [], ["there is no data set"]),
    "a data set that was never saved": ("hf:", "", [], ["hf:", "cannot be loaded"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_table_is_told_and_leaves_nothing(tmp_path, tmp_path_factory, monkeypatch, capsys, fault):
    name, content, options, words = FAULTS[fault]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIARCH_CACHE", str(cache := tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    data = tmp_path / (name or "absent.csv")
    if name == "hf:":
        (tmp_path / "folder").mkdir()
        data = "hf:folder"
    elif callable(content):
        content(data)
    elif name:
        data.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["triarch", "train", str(data), "--model", "tcn/nano", "--steps", "1", *options])
    with pytest.raises(SystemExit) as done:
        main()
    told = capsys.readouterr().err
    assert done.value.code == 2, told
    for word in words:
        assert word in told
    lines = [line for line in told.splitlines() if line.strip()]
    assert 2 <= len(lines) <= 5, told
    assert sorted(tmp_path.rglob("*")) == before
    # Nothing half done in the cache; what could be read as a whole, but not learned from, may lie there.
    assert all((entry / "source.json").is_file() for entry in cache.glob("*"))


def test_a_series_of_the_user_is_not_harmed(tmp_path, monkeypatch):
    """What is refused stays as it was."""
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + ROWS)
    before = path.read_bytes(), path.stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", ["triarch", "inspect", str(path), "--json"])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]
