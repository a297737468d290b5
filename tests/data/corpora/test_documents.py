"""What documents files hold."""

import gzip
import json

import datasets
import pandas as pd
import pytest

from triarch.core.errors import InputError
from triarch.data.corpora.documents import Piece, documents
from triarch.data.corpora.portions import survey

LINES = "".join(f"line {number} of a text, ünïcode 字\n" for number in range(4_000))


def all_of(plan):
    return [document for portion in plan.portions for piece in portion for document in documents(piece, plan.stretch)]


@pytest.mark.parametrize(
    "text", [LINES, LINES.replace("\n", ""), "字" * 70_000, "\n" * 5_000, LINES.replace("\n", "\r\n")]
)
def test_a_file_is_cut_into_stretches_and_nothing_is_lost(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    found = all_of(survey(str(path)))
    assert b"".join(content for content, _ in found).decode() == text
    for content, _ in found:
        content.decode()  # no character is torn
    assert [follows for _, follows in found] == [False] + [True] * (len(found) - 1)
    if "\n" in text and len(text) > 10_000:
        assert len(found) > 20
        assert all(content.endswith(b"\n") for content, _ in found)


def test_pieces_of_a_file_are_its_lines_each_once(tmp_path, monkeypatch):
    monkeypatch.setattr("triarch.data.corpora.portions.SMALLEST", 10_000)
    path = tmp_path / "a.txt"
    path.write_text(LINES)
    plan = survey(str(path))
    assert len(plan.portions) > 10
    assert b"".join(content for content, _ in all_of(plan)).decode() == LINES


def test_the_mark_of_utf8_is_no_character(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello")
    assert all_of(survey(str(tmp_path)))[0].content == b"hello"


def test_a_folder_is_read_with_all_below_it(tmp_path):
    for name in ("b/c/deep.py", "a.txt", "b/x.MD", ".hidden/no.txt", "__pycache__/no.py", "b/picture.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    plan = survey(str(tmp_path))
    assert [content.decode() for content, _ in all_of(plan)] == ["a.txt", "b/x.MD", "b/c/deep.py"]
    assert plan.notes == ["1 files are left out, they are no text: b/picture.png"]


def test_folders_called_like_splits_are_splits_train_first(tmp_path):
    for name in ("test", "train", "val"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    assert [piece.part for portion in survey(str(tmp_path)).portions for piece in portion] == [
        "train",
        "select",
        "confirm",
    ]


TEXTS = [f"text {number} 字 \u2028 and more" for number in range(900)]


def rows(place, kind):
    """`TEXTS` as rows of a file, and what names it."""
    frame = pd.DataFrame({"id": [str(number) for number in range(900)], "text": TEXTS})
    path = place / f"a.{kind}"
    if kind == "parquet":
        frame.to_parquet(path, row_group_size=100)
    elif kind == "hf":
        datasets.Dataset.from_pandas(frame).save_to_disk(path, num_shards=2)
        return f"hf:{path}"
    else:
        lines = "".join(json.dumps(row) + "\n" for row in frame.to_dict("records")).encode()
        path.write_bytes(gzip.compress(lines) if kind.endswith("gz") else lines)
    return str(path)


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet", "hf"])
def test_each_row_is_a_document(tmp_path, monkeypatch, kind):
    place = rows(tmp_path, kind)
    plan = survey(place)
    assert plan.notes == ["text: column 'text'"]
    assert [content.decode() for content, _ in all_of(plan)] == TEXTS
    monkeypatch.setattr("triarch.data.corpora.portions.SMALLEST", 2_000)
    plan = survey(place)
    assert len(plan.portions) > (0 if kind == "jsonl.gz" else 1)
    assert [content.decode() for content, _ in all_of(plan)] == TEXTS
    assert [content.decode() for content, _ in all_of(survey(place, "id"))] == [str(number) for number in range(900)]


def test_half_a_character_stays_undecodable(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "\\ud800"}\n')
    (document,) = all_of(survey(str(path)))
    with pytest.raises(UnicodeDecodeError):
        document.content.decode()


def test_a_bad_line_is_told_by_its_number_wherever_its_piece_begins(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = ['{"text": "fine"}\n'] * 40
    lines[33] = "nonsense\n"
    path.write_text("".join(lines))
    size = path.stat().st_size
    piece = Piece(path=path, kind="jsonl", start=20 * len(lines[0]), stop=size, column="text")
    with pytest.raises(InputError, match=r"a.jsonl: line 34: "):
        list(documents(piece))


def test_a_row_that_is_cut_is_told_as_too_long(tmp_path, monkeypatch):
    for module in ("documents", "portions"):
        monkeypatch.setattr(f"triarch.data.corpora.{module}.LONGEST_ROW", 200)
    monkeypatch.setattr("triarch.data.corpora.portions.SMALLEST", 1_000)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "short"}\n' + json.dumps({"text": LINES[:9_000]}) + "\n")
    pieces = [piece for portion in survey(str(path)).portions for piece in portion]
    assert len(pieces) > 2
    for piece in pieces:
        with pytest.raises(InputError, match=r"line 2.*is longer than"):
            list(documents(piece))
