"""The sets of bench/data.py, on tiny inputs made here; nothing is fetched."""

import csv
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data
import packages
import texts


def idx(array):
    """IDX bytes, gzipped."""
    head = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(head + array.tobytes())


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_set_says_what_it_is():
    for name, one in data.SETS.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert one.place.removesuffix(".csv").removesuffix(".npz") == name
        assert one.licence
        assert one.what
        if isinstance(one.source, str):
            assert one.source in data.SETS
        elif one.source.client not in ("lists", "python"):
            assert re.fullmatch(r"[0-9a-f]{64}", one.source.sha256)
            assert one.source.version


def test_nothing_is_fetched_from_an_address():
    for module in (data, packages, texts):
        assert "://" not in Path(module.__file__).read_text(encoding="utf-8")


def clothes(folder, items=40):
    """Fashion-MNIST in little: `folder` and the arrays in it."""
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (items, 28, 28), dtype=np.uint8)
    labels = (np.arange(items) % 10).astype(np.uint8)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    return images, labels


def test_idx_files_stay_as_they_are(tmp_path):
    source = tmp_path / "usr/share/datasets/fashion-mnist"
    images, _ = clothes(source)
    assert data.fashion_mnist(tmp_path, tmp_path / "made") == 80
    files = {file.name: file.read_bytes() for file in source.iterdir()}
    assert {file.name: file.read_bytes() for file in (tmp_path / "made").iterdir()} == files
    assert np.array_equal(data.read_idx(tmp_path / "made" / "t10k-images-idx3-ubyte.gz"), images)


def test_series_stay_as_they_are(tmp_path):
    folder = tmp_path / "aeon/datasets/data/Waves"
    folder.mkdir(parents=True)
    text = "# waves\n@problemName waves\n@classLabel true a b\n@data\n1,2,3:a\n4,5,6:b\n"
    for part in ("TRAIN", "TEST"):
        (folder / f"Waves_{part}.ts").write_text(text)
    assert data.series("Waves", tmp_path, tmp_path / "made") == 4
    assert (tmp_path / "made" / "Waves_TEST.ts").read_text() == text


def test_pictures(tmp_path):
    clothes(tmp_path / "source")
    made = []
    for name in ("one", "two"):
        assert data.pictures(tmp_path / "source", tmp_path / name, count=20) == 20
        made.append({file.relative_to(tmp_path / name): file.read_bytes() for file in (tmp_path / name).rglob("*.jpg")})
    assert made[0] == made[1]
    assert {path.parts[0] for path in made[0]} == set(data.CLOTHES)
    sizes = {Image.open(file).size for file in (tmp_path / "one").rglob("*.jpg")}
    assert len(sizes) > 10
    assert all(100 <= side <= 300 for size in sizes for side in size)


def test_emoji_pictures(tmp_path):
    package = tmp_path / "package"
    (package / "img/twitter/64").mkdir(parents=True)
    entries = [("a.png", "Food & Drink", True), ("b.png", "Component", True), ("c.png", "Flags", False)]
    for image, _, _ in entries:
        (package / "img/twitter/64" / image).write_bytes(image.encode())
    keys = ("image", "category", "has_img_twitter")
    (package / "emoji.json").write_text(json.dumps([dict(zip(keys, entry)) for entry in entries]))
    assert data.emoji_pictures(tmp_path, tmp_path / "made") == 1
    assert (tmp_path / "made" / "food-drink" / "a.png").read_bytes() == b"a.png"


MAIL = b"""From someone@example.org Thu Aug 22 12:36:23 2002
Received: from there
Subject: secret subject
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

A  caf=E9\x00 with
=20
two lines
"""
PAGE = b"""Subject: secret subject
Content-Type: text/html

<html><head><title>x</title><style>p {}</style></head><!-- no --><body><p>Dear <b>fri</b>end,</p>buy&nbsp;it<br>now
"""
BOTH = b"""Subject: secret subject
Content-Type: multipart/alternative; boundary=cut

--cut
Content-Type: text/plain

plain words
--cut
Content-Type: text/html

<p>marked words</p>
--cut
Content-Type: text/plain
Content-Disposition: attachment; filename=a.txt

attached
--cut--
"""


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        (MAIL, "A café with\ntwo lines"),
        (PAGE, "Dear friend,\nbuy it\nnow"),
        (BOTH, "plain words"),
        (b"Content-Type: text/plain; charset=no-such\n\nna\xefve", "naïve"),
        (b"Subject: nothing else\n\n", ""),
    ],
)
def test_mail_text(mail, text):
    assert texts.mail_text(mail) == text


def test_mails_that_say_the_same_are_a_group(tmp_path):
    bodies = {
        "easy-ham-1/1": "shall we meet on monday to talk about the compiler and its tests",
        "easy-ham-1/2": "the parser fails on empty files since the last release, see below",
        "spam-1/1": "make money fast with this one simple trick from home, dear John",
        "spam-2/1": "make money fast with this one simple trick from home, dear Mary",
        "spam-2/2": "",
    }
    for name, body in bodies.items():
        file = tmp_path / "package" / "data" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"Subject: s\n\n{body}\n")
    assert texts.spam_assassin(tmp_path, tmp_path / "made.csv") == 4
    rows = read(tmp_path / "made.csv")
    assert [row["label"] for row in rows] == ["ham", "ham", "spam", "spam"]
    assert len({row["group"] for row in rows}) == 3
    assert rows[2]["group"] == rows[3]["group"]


PACKAGES = """Package: libfoo1
Source: foo (1.0)
Section: libs
Description: a library
Description-md5: 1

Package: bar
Section: contrib/games
Description: a game
Description-md5: 2

Package: lost
Section: games
Description: not described
Description-md5: 3
"""
DESCRIPTIONS = """Package: libfoo1
Description-md5: 1
Description-en: a library
 It does
 foo.
 .
 And bar.

Package: bar
Description-md5: 2
Description-en: a game
"""


def test_sections_and_their_gigabyte(tmp_path):
    (tmp_path / "x_Packages").write_text(PACKAGES)
    (tmp_path / "x_Translation-en").write_text(DESCRIPTIONS)
    assert texts.debian_sections(tmp_path, tmp_path / "made.csv") == 2
    rows = {row["group"]: (row["text"], row["label"]) for row in read(tmp_path / "made.csv")}
    assert rows == {"foo": ("a library\nIt does foo.\nAnd bar.", "libs"), "bar": ("a game", "games")}

    count = texts.gigabyte(tmp_path / "made.csv", tmp_path / "large.csv", size=100_000)
    large = read(tmp_path / "large.csv")
    assert (tmp_path / "large.csv").stat().st_size >= 100_000
    assert len(large) == count
    assert [row["text"].split(" ")[0] for row in large[:3]] == ["0", "1", "2"]
    assert len({row["text"] for row in large}) == count


def test_the_standard_library_is_dealt_by_package(tmp_path):
    source = tmp_path / "lib"
    for number in range(30):
        (source / f"package{number}").mkdir(parents=True)
        for name in ("__init__", "more"):
            (source / f"package{number}" / f"{name}.py").write_text("x = 1\n" * 50)
    (source / "single.py").write_text("x = 2\n" * 50)
    (source / "site-packages").mkdir()
    (source / "site-packages" / "other.py").write_text("no")
    assert texts.standard_library(source, tmp_path / "made") == 61
    parts = {}
    for file in (tmp_path / "made").rglob("*.py"):
        inside = file.relative_to(tmp_path / "made").parts
        parts.setdefault(inside[1], set()).add(inside[0])
    assert len(parts) == 31
    assert all(len(one) == 1 for one in parts.values())
    counts = [sum(one == {part} for one in parts.values()) for part in ("train", "val", "test")]
    assert counts[0] >= 24
    assert min(counts) >= 3


def test_a_set_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    def broken(source, place):
        place.write_text("half")
        raise KeyboardInterrupt

    def whole(source, place):
        place.write_text("whole")
        return 1

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    shelf = data.Shelf(tmp_path, scratch)
    monkeypatch.setattr(shelf, "unpack", lambda _: tmp_path)
    monkeypatch.setitem(data.SETS, "toy", data.Set("toy.csv", data.AEON, "none", "toy", broken))
    with pytest.raises(KeyboardInterrupt):
        shelf.get("toy")
    assert not (tmp_path / "toy.csv").exists()
    monkeypatch.setitem(data.SETS, "toy", data.Set("toy.csv", data.AEON, "none", "toy", whole))
    assert shelf.get("toy").read_text() == "whole"
    assert json.loads((tmp_path / "toy.json").read_text())["items"] == 1
    monkeypatch.setitem(data.SETS, "toy", data.Set("toy.csv", data.AEON, "none", "toy", broken))
    assert shelf.get("toy").read_text() == "whole"
