import json

import pytest

from triarch.core.record import Ledger, Record


def test_what_was_appended_is_read_again(tmp_path):
    ledger = Ledger(tmp_path / "records.jsonl")
    first = ledger.append(Record("a", {"x": 1}, 0.5, 1.0, 2))
    ledger.append(Record("b", {"y": "é"}, 0.1, 2.5, 2))
    again = Ledger(tmp_path / "records.jsonl")
    assert [record.key for record in again] == ["a", "b"]
    assert again.get("a") == first
    assert again.get("c") is None
    assert again.elapsed == 2.5


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_torn_last_line_is_dropped(tmp_path, cut):
    path = tmp_path / "records.jsonl"
    ledger = Ledger(path)
    ledger.append(Record("a", {}, 0.0, 1.0))
    whole = path.stat().st_size
    ledger.append(Record("b", {}, 0.0, 2.0))
    path.write_bytes(path.read_bytes()[: whole + cut])
    torn = Ledger(path)
    assert [record.key for record in torn] == ["a"]
    torn.append(Record("c", {}, 0.0, 3.0))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "c"]


def test_a_foreign_line_is_refused(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('not a record\n{"key": "a", "result": {}, "seconds": 0, "ended": 0}\n')
    with pytest.raises(ValueError, match=r"records.jsonl:1"):
        Ledger(path)
