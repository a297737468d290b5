"""Folders of texts."""

import numpy as np
import pytest

from triarch.core.errors import InputError
from triarch.data import texts
from triarch.data.dataset import prepare
from triarch.data.open import open_source


def fill(root, count=4, classes=("ham", "spam"), ending=".txt"):
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number:03}{ending}").write_text(f"{name} {number}\nwörds", encoding="utf-8")
    return root


@pytest.mark.parametrize("ending", [".txt", ".text", ".md", ".TXT", ""])
def test_each_file_is_a_text(tmp_path, ending):
    source = open_source(fill(tmp_path / "mails", ending=ending))
    assert (source.name, source.modality, source.class_names) == ("mails", "text", ("ham", "spam"))
    assert list(source.inputs) == [f"{name} {number}\nwörds" for name in ("ham", "spam") for number in range(4)]
    assert source.labels.tolist() == [0] * 4 + [1] * 4
    assert source.notes == ["each file is a text"]


def test_splits(tmp_path):
    for name, count in (("train", 6), ("dev", 2), ("test", 3)):
        fill(tmp_path / name, count)
        for path in (tmp_path / name).glob("*/*"):
            path.write_text(str(path))
    dataset = prepare(open_source(tmp_path))
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 12, "select": 4, "confirm": 6}


def test_the_mark_of_utf8_is_no_character(tmp_path):
    fill(tmp_path)
    (tmp_path / "ham" / "000.txt").write_bytes(b"\xef\xbb\xbfhello")
    assert open_source(tmp_path).inputs[0] == "hello"


def test_other_files_are_told(tmp_path):
    fill(tmp_path)
    (tmp_path / "ham" / "x.pdf").write_bytes(b"%PDF")
    (tmp_path / "README.md").write_text("?")
    source = open_source(tmp_path)
    assert len(source) == 8
    assert source.notes[1] == "2 files are left out, they are no texts of a class: README.md, ham/x.pdf"


def test_names_that_look_alike_are_one_class(tmp_path):
    """macOS writes ö in two characters."""
    fill(tmp_path / "train", 6, ("h\u00f6ren", "b"))
    fill(tmp_path / "test", 3, ("ho\u0308ren", "b"))
    assert open_source(tmp_path).class_names == ("b", "h\u00f6ren")


def test_it_is_read_once(tmp_path, monkeypatch):
    fill(tmp_path)
    first = open_source(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(texts, "read_text", None)
        assert list(open_source(tmp_path).inputs) == list(first.inputs)
    (tmp_path / "spam" / "003.txt").write_text("other")
    assert open_source(tmp_path).inputs[7] == "other"


def test_all_faults_are_named_at_once(tmp_path):
    fill(tmp_path, 10)
    for number in range(1, 7):
        (tmp_path / "ham" / f"00{number}.txt").write_bytes("gr\u00fc\u00df".encode("latin-1"))
    with pytest.raises(InputError) as error:
        open_source(tmp_path)
    first, second, remedy = str(error.value).splitlines()
    assert first == f"{tmp_path}/ham/001.txt is not UTF-8: byte 0xfc at 2"
    assert second.startswith(f"and 5 more: {tmp_path}/ham/002.txt, ")
    assert second.endswith(", …")
    assert remedy == "save it as UTF-8"


def test_memory_stays_small(tmp_path):
    """Texts go to the cache as they come: what is held is mapped."""
    source = open_source(fill(tmp_path))
    flat = source.inputs.encoded.flat
    assert isinstance(flat.base, np.memmap)
