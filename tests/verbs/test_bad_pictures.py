"""Folders of pictures and texts that are at fault: exit status 2, a short message, nothing written."""

import os
import struct

import numpy as np
import pytest
from PIL import Image

from made.refusal import check, triarch
from triarch.data import classes

RANDOM = np.random.default_rng(0)


def picture(path, rows=8, columns=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (rows, columns, 3), dtype=np.uint8)).save(path)
    return path


def pictures(root, *names, count=4, ending=".png"):
    for name in names:
        for number in range(count):
            picture(root / name / f"{number}{ending}")
    return root


def texts(root, *names, count=4, ending=".txt"):
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / name / f"{number}{ending}").write_text(f"{name} {number}")
    return root


def pets(root):
    return pictures(root, "cat", "dog")


def with_bytes(make, name, content):
    """A good folder with one bad file."""

    def build(root):
        path = make(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return build


def cut(ending, share=0.6):
    def build(root):
        pictures(root, "cat", "dog", ending=ending)
        path = picture(root / "dog" / f"cut{ending}", 64, 64)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return build


def bomb(root):
    pets(root)
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    (root / "cat" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + header + b"\0\0\0\0")


def save_as(name, image):
    def build(root):
        image.save(pets(root) / name)

    return build


def links(root):
    pets(root)
    (root / "cat" / "loop.png").symlink_to("loop.png")


def link_to_nothing(root):
    pets(root)
    (root / "dog" / "gone.png").symlink_to(root / "absent.png")


def link_upwards(root):
    pets(root)
    (root / "cat" / "up").symlink_to("..")


def circle(root):
    root.rmdir()
    root.symlink_to(root)


def emptied(root):
    pets(root)
    (root / "fish").mkdir()


def hidden_only(root):
    pets(root)
    (root / "fish").mkdir()
    (root / "fish" / ".DS_Store").write_bytes(b"?")


def split(**parts):
    def build(root):
        for name, names in parts.items():
            pictures(root / name, *names, count=3)

    return build


def train_alone_has_classes(root):
    pictures(root / "train", "cat", "dog")
    picture(root / "test" / "0.png")


def not_utf8(root):
    pets(root)
    os.mkdir(os.fsencode(root) + b"/\xff\xfe")
    Image.new("RGB", (8, 8)).save(os.fsencode(root) + b"/\xff\xfe/0.png")


def mixed_classes(root):
    pictures(root, "cat")
    texts(root, "dog")


def captions(root):
    texts(pets(root), "cat", "dog")


UTF8 = "save it as UTF-8"
MEND = "mend it, or take it out"
PLACE = "CLASS/FILE"

# what is wrong: (what makes the folder, the place and the remedy that are told, options)
FAULTS = {
    "an empty folder": (lambda _: None, "data is empty", PLACE),
    "pictures without classes": (lambda root: picture(root / "0.png"), "0.png but no class folders", PLACE),
    "texts without classes": (lambda root: texts(root, ""), "0.txt but no class folders", PLACE),
    "an empty class": (emptied, "data/fish is empty", "take the folder out"),
    "a class of hidden files": (hidden_only, "data/fish is empty", "take the folder out"),
    "a class without pictures": (
        with_bytes(pets, "fish/0.heic", b"?"),
        "data/fish holds neither pictures nor texts: its files end with .heic",
        "pictures end with .png",
    ),
    "no pictures at all": (with_bytes(lambda root: root, "a/x.mp4", b"?"), "data/a holds neither", "pictures end with"),
    "a picture that is none": (with_bytes(pets, "cat/x.png", b"hello"), "data/cat/x.png", MEND),
    "an empty picture": (
        with_bytes(pets, "cat/x.jpg", b""),
        "cat/x.jpg cannot be read as a picture: it is empty",
        MEND,
    ),
    "a page as a picture": (with_bytes(pets, "dog/x.jpg", b"<!DOCTYPE html><html>404"), "dog/x.jpg", MEND),
    "a torn PNG": (cut(".png"), "dog/cut.png", MEND),
    "a torn JPEG": (cut(".jpg"), "dog/cut.jpg", MEND),
    "a torn GIF": (cut(".gif"), "dog/cut.gif", MEND),
    "a torn BMP": (cut(".bmp"), "dog/cut.bmp", MEND),
    "a torn TIFF": (cut(".tif"), "dog/cut.tif", MEND),
    "a torn WebP": (cut(".webp"), "dog/cut.webp", MEND),
    "a torn header": (cut(".png", 0.001), "dog/cut.png", MEND),
    "a decompression bomb": (bomb, "cat/bomb.png", MEND),
    "real numbers as pixels": (
        save_as("cat/x.tif", Image.fromarray(np.ones((8, 8), np.float32))),
        "cat/x.tif",
        MEND,
    ),
    "32 bits as pixels": (save_as("cat/x.tif", Image.fromarray(np.full((8, 8), -5, np.int32))), "cat/x.tif", MEND),
    "a link to itself": (links, "cat/loop.png", "mend it"),
    "a link to nothing": (link_to_nothing, "dog/gone.png", "mend it"),
    "a link upwards": (link_upwards, "cat/up lies too deep", "data/CLASS"),
    "a folder that is a link to itself": (circle, "data", "known: co2, digits"),
    "classes too deep": (
        lambda root: pictures(root, "animals/cat", "animals/dog", "things/cup"),
        "animals/cat lies too deep",
        "data/CLASS/FILE is wanted",
    ),
    "a folder within a class": (lambda root: pictures(pets(root), "cat/more"), "cat/more lies too deep", "data/CLASS"),
    "one folder too many": (
        lambda root: pictures(root, "flowers/rose", "flowers/tulip"),
        "data/flowers lies alone",
        "name data/flowers as the data",
    ),
    "a folder within a class of a split": (
        lambda root: pictures(root, "train/cat", "train/dog", "train/dog/more"),
        "train/dog/more lies too deep",
        "lift what is in it",
    ),
    "a class that train lacks": (
        split(train=["cat", "dog"], test=["cat", "fish"]),
        "data/test/fish: train has no class 'fish'",
        "take the folder out",
    ),
    "splits without train": (split(val=["cat", "dog"], test=["cat", "dog"]), "but no train", "name the folder train"),
    "two folders for a split": (
        split(train=["cat", "dog"], val=["cat"], valid=["dog"]),
        "are both the split select",
        "put one into the other",
    ),
    "a folder beside the splits": (
        split(train=["cat", "dog"], test=["cat", "dog"], extra=["cat"]),
        "data/extra is no split",
        "take it out",
    ),
    "a split without classes": (train_alone_has_classes, "data/test holds no class folders", PLACE),
    "a class in a split is empty": (
        lambda root: (split(train=["cat", "dog"])(root), (root / "train" / "fish").mkdir()),
        "data/train/fish is empty",
        "take the folder out",
    ),
    "a class whose name is no text": (not_utf8, "is not UTF-8", "rename the folder"),
    "classes of pictures and of texts": (mixed_classes, "holds pictures, but", "two data sets"),
    "a text beside each picture": (captions, "data/cat holds 4 pictures and 4 texts", "--input image"),
    "pictures read as texts": (pets, "data/cat holds no texts", "put texts in it", "--input", "text"),
    "texts read as pictures": (
        lambda root: texts(root, "a", "b"),
        "data/a holds no pictures",
        "put pictures in it",
        "--input",
        "image",
    ),
    "pictures read as series": (pets, "data: series", ".npz", "--input", "series"),
    "pictures read as sounds": (pets, "--input sound", "known: image", "--input", "sound"),
    "a target column": (pets, "takes no --target", "leave --target out", "--target", "kind"),
    "a group column": (pets, "takes no --group", "leave --group out", "--group", "owner"),
    "a size of nothing": (pets, "image", "0", "--image-size", "0"),
    "a size of texts": (
        lambda root: texts(root, "a", "b"),
        "takes no --image-size",
        "leave --image-size out",
        "--image-size",
        "32",
    ),
    "a text in Latin-1": (
        with_bytes(lambda root: texts(root, "a", "b"), "a/x.txt", "größe".encode("latin-1")),
        "data/a/x.txt is not UTF-8: byte 0xf6 at 2",
        UTF8,
    ),
    "a text in UTF-16": (
        with_bytes(lambda root: texts(root, "a", "b"), "b/x.txt", "hello".encode("utf-16")),
        "data/b/x.txt is not UTF-8",
        UTF8,
    ),
    "a program as a text": (
        with_bytes(lambda root: texts(root, "a", "b"), "b/x.txt", b"ab\0cd"),
        "data/b/x.txt holds a zero byte",
        UTF8,
    ),
    "an empty text": (
        with_bytes(lambda root: texts(root, "a", "b"), "a/x.txt", b" \n"),
        "data/a/x.txt is empty",
        "fill",
    ),
    "a file without ending that is no text": (
        with_bytes(lambda root: texts(root, "a", "b", ending=""), "a/x", b"\xff\xd8\xff"),
        "data/a/x is not UTF-8",
        UTF8,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(place, monkeypatch, capsys, fault):
    make, where, remedy, *options = FAULTS[fault]
    make(place / "work" / "data")
    check(place, *triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano", *options), where, remedy)


@pytest.mark.parametrize("verb", ["inspect", "choose"])
def test_other_verbs_refuse_the_same(place, monkeypatch, capsys, verb):
    emptied(place / "work" / "data")
    check(place, *triarch(monkeypatch, capsys, verb, "data"), "data/fish is empty")


@pytest.mark.parametrize(("kind", "told"), [(pictures, "'cat' has 2 item(s)"), (texts, "'cat' has 2 item(s)")])
def test_too_few_items(place, monkeypatch, capsys, kind, told):
    """What can be read is kept, though nothing can be learned from it."""
    kind(kind(place / "work" / "data", "dog"), "cat", count=2)
    status, out, err = triarch(monkeypatch, capsys, "train", "data", "--model", "tcn/nano")
    assert (status, out) == (2, "")
    assert told in err
    assert len(err.strip().splitlines()) <= 5
    assert os.listdir(place / "work") == ["data"]


def test_one_class(place, monkeypatch, capsys):
    pictures(place / "work" / "data", "cat")
    status, _, err = triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano")
    assert status == 2
    assert "only 1 class in the labels ('cat')" in err


def denied(*_):
    raise PermissionError(13, "Permission denied")


def test_a_path_that_may_not_be_followed(place, monkeypatch, capsys):
    pets(place / "work" / "data")
    monkeypatch.setattr("triarch.data.open.Path.exists", denied)
    status, _, err = triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano")
    monkeypatch.undo()
    assert status == 2
    assert "data cannot be read: Permission denied" in err
    assert "permissions" in err


def test_a_folder_that_may_not_be_opened(place, monkeypatch, capsys):
    pets(place / "work" / "data")
    monkeypatch.setattr(classes.os, "scandir", denied)
    status, _, err = triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano")
    monkeypatch.undo()
    assert status == 2
    assert "data cannot be read: Permission denied" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_without_permission(place, monkeypatch, capsys):
    root = pets(place / "work" / "data")
    (root / "cat" / "0.png").chmod(0)
    told = triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano")
    check(place, *told, "data/cat/0.png cannot be read as a picture: Permission denied")
    (root / "dog").chmod(0)
    told = triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano")
    (root / "dog").chmod(0o755)
    check(place, *told, "data/dog cannot be read: Permission denied")


def test_a_name_that_is_too_long(place, monkeypatch, capsys):
    check(place, *triarch(monkeypatch, capsys, "train", "x" * 5000, "--model", "plain/nano"), "File name too long")


def test_a_cache_that_cannot_be_written(place, monkeypatch, capsys):
    pets(place / "work" / "data")
    (place / "file").write_text("?")
    monkeypatch.setenv("TRIARCH_CACHE", str(place / "file" / "cache"))
    check(place, *triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano"), "TRIARCH_CACHE")
