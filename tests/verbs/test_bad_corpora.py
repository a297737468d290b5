"""Every bad corpus is told in at most five lines, with where it lies and what to do, before any training."""

import json
import sys

import pandas as pd
import pytest

from triarch.cli import main

PROSE = [f"this is document number {number} of a corpus, {number * 7} words of it\n" * 9 for number in range(30)]


def objects(**changed):
    """40 lines of JSON, some of which are changed."""
    lines = [json.dumps({"text": text}) for text in PROSE]
    for name, line in changed.items():
        lines[int(name[1:])] = line
    return "\n".join(lines) + "\n"


def parquet(**columns):
    return lambda path: pd.DataFrame(columns).to_parquet(path)


# fault: name of the file, its content, more of the command line, words of the message
FAULTS = {
    "not there": ("", "", [], ["no corpus"]),
    "empty": ("a.txt", "", [], ["a.txt is empty"]),
    "too short": ("a.txt", "too short", [], ["a.txt", "0 document(s)", "shorter than 16", "3 at least"]),
    "spaces": ("a.txt", " \n" * 9_000, [], ["a.txt", "shorter than 16"]),
    "not UTF-8": ("a.txt", "größer\n".encode("latin-1") * 4_000, [], ["a.txt", "not UTF-8", "byte 0xf6"]),
    "UTF-16": ("a.txt", "wide\n".encode("utf-16") * 4_000, [], ["a.txt", "not UTF-8"]),
    "all the same": ("a.jsonl", json.dumps({"text": PROSE[0]}) + "\n" + (json.dumps({"text": PROSE[0]}) + "\n") * 9, [],
                     ["1 document(s)", "9 exact copies"]),
    "no JSON": ("a.jsonl", objects(r7="nonsense"), [], ["a.jsonl: line 8", '{"text"']),
    "no object": ("a.jsonl", objects(r7="[1]"), [], ["a.jsonl: line 8", "no JSON object"]),
    "no text": ("a.jsonl", objects(r7='{"id": 1}'), [], ["a.jsonl: line 8", "no text 'text'"]),
    "a number": ("a.jsonl", objects(r7='{"text": 1}'), [], ["a.jsonl: line 8", "no text 'text'"]),
    "no JSON at all": ("a.jsonl", "nonsense\n" * 40, [], ["a.jsonl", "line 1"]),
    "no text column": ("a.jsonl", '{"a": 1}\n' * 40, [], ["a.jsonl", "no column of texts"]),
    "several columns": ("a.jsonl", '{"a": "x", "b": "y"}\n' * 40, [], ["which of a, b", "--input"]),
    "no gzip": ("a.jsonl.gz", "nonsense", [], ["a.jsonl.gz", "cannot be read"]),
    "no Parquet": ("a.parquet", "nonsense", [], ["a.parquet", "cannot be read as parquet"]),
    "a gap": ("a.parquet", parquet(text=[*PROSE[:4], None, *PROSE[5:]]), [], ["a.parquet: row 5", "'text'"]),
    "numbers": ("a.parquet", parquet(x=[1, 2, 3] * 9), [], ["a.parquet", "no column of texts"]),
    "no tokenizer": ("a.jsonl", objects(), ["--tokenizer", "absent.json"], ["absent.json", "tokenizer.json"]),
    "no such set": ("hf:", "", [], ["hf:", "cannot be loaded"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_corpus_is_told_and_leaves_nothing(place, monkeypatch, capsys, fault):
    name, content, options, words = FAULTS[fault]
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    data = place / (name or "absent.txt")
    if name == "hf:":
        (place / "work" / "folder").mkdir()
        data = "hf:folder"
    elif callable(content):
        content(data)
    elif name:
        data.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setattr(
        sys, "argv", ["triarch", "pretrain", str(data), "--model", "gru/nano", "--steps", "1", *options]
    )
    with pytest.raises(SystemExit) as done:
        main()
    told = capsys.readouterr().err
    assert done.value.code == 2, told
    for word in words:
        assert word in told
    assert 2 <= len([line for line in told.splitlines() if line.strip()]) <= 5, told
    assert not (place / "work" / "runs").exists()


def test_a_folder_without_text(place, monkeypatch, capsys):
    (place / "work" / "data" / "a.png").write_bytes(b"x")
    monkeypatch.setattr(sys, "argv", ["triarch", "pretrain", "data", "--model", "gru/nano", "--steps", "1"])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    assert "holds no text: its files end with .png" in capsys.readouterr().err
