"""Folders of pictures and texts, and IDX files, that are at fault: exit status 2, a short message, nothing written."""

import gzip
import os
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from triarch.cli import main
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


def idx(shape, code=8, content=None):
    size = int(np.prod(shape)) if content is None else 0
    body = bytes(number % 256 for number in range(size)) if content is None else content
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + body


LABELS = bytes(number % 3 for number in range(30))


def mnist(x=None, y=None, ending=""):
    """A folder with one pair; what is not given is whole."""

    def build(root):
        packed = gzip.compress if ending else bytes
        files = {"train-images-idx3-ubyte": x, "train-labels-idx1-ubyte": y}
        whole = {"train-images-idx3-ubyte": idx((30, 8, 8)), "train-labels-idx1-ubyte": idx((30,), content=LABELS)}
        for name, content in files.items():
            if content != b"absent":
                (root / (name + ending)).write_bytes(packed(content if content is not None else whole[name]))

    return build


def torn_gzip(root):
    mnist(ending=".gz")(root)
    path = root / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-40])


def no_gzip(root):
    mnist(ending=".gz")(root)
    (root / "train-images-idx3-ubyte.gz").write_bytes(idx((30, 8, 8)))


def broken_gzip(root):
    mnist(ending=".gz")(root)
    path = root / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[40:60] = b"\xff" * 20
    path.write_bytes(bytes(content))


def two_unknown_pairs(root):
    for name in ("one", "two"):
        (root / f"{name}-images-idx3-ubyte").write_bytes(idx((30, 8, 8)))
        (root / f"{name}-labels-idx1-ubyte").write_bytes(idx((30,), content=LABELS))


def no_train(root):
    for name in ("t10k", "val"):
        (root / f"{name}-images-idx3-ubyte").write_bytes(idx((30, 8, 8)))
        (root / f"{name}-labels-idx1-ubyte").write_bytes(idx((30,), content=LABELS))


def other_shapes(root):
    mnist()(root)
    (root / "t10k-images-idx3-ubyte").write_bytes(idx((30, 9, 8)))
    (root / "t10k-labels-idx1-ubyte").write_bytes(idx((30,), content=LABELS))


TRAIN = "train-images-idx3-ubyte"
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
    "a folder that is a link to itself": (circle, "data", "known: digits"),
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
    "IDX without labels": (mnist(y=b"absent"), TRAIN, "labels are found by name"),
    "IDX without images": (mnist(x=b"absent"), "data holds labels alone", "labels are found by name"),
    "IDX of another kind": (mnist(x=b"PNG...."), f"{TRAIN} is no IDX file", "train-images-idx3-ubyte"),
    "IDX of an unknown type": (mnist(x=idx((30, 8, 8), code=7)), f"{TRAIN} is no IDX file", "train-images-idx3-ubyte"),
    "IDX cut off": (mnist(x=idx((30, 8, 8))[:-9]), f"{TRAIN} is cut off", "copy it again"),
    "IDX that is empty": (mnist(x=b""), f"{TRAIN} is cut off", "copy it again"),
    "IDX with more than it tells": (mnist(x=idx((30, 8, 8)) + b"?"), f"{TRAIN} goes on", "write it again"),
    "IDX without items": (mnist(x=idx((0, 8, 8))), f"{TRAIN} has shape 0x8x8", "write it again"),
    "IDX of other lengths": (
        mnist(x=idx((29, 8, 8))),
        f"{TRAIN} holds 29 items, but train-labels-idx1-ubyte 30 labels",
        "one label for each item",
    ),
    "IDX of five dimensions": (
        mnist(x=idx((30, 2, 2, 2, 2))),
        f"{TRAIN} holds items of shape 2x2x2x2",
        "rows, columns",
    ),
    "IDX of one number an item": (mnist(x=idx((30,))), f"{TRAIN} holds items of shape one number", "rows, columns"),
    "IDX with two channels": (mnist(x=idx((30, 8, 8, 2))), "holds items of shape 8x8x2", "1, 3 or 4 channels"),
    "IDX with several labels": (mnist(y=idx((30, 2))), "train-labels-idx1-ubyte has shape (30, 2)", "labels are found"),
    "IDX with what is not a number": (
        mnist(x=idx((30, 2, 2), 13, struct.pack(">f", float("nan")) * 120)),
        f"{TRAIN} has a missing or infinite value",
        "fill it in",
    ),
    "IDX with continuous labels": (
        mnist(y=idx((30,), 13, struct.pack(">30f", *np.linspace(0, 1, 30)))),
        "data: item 1 has label 0.03",
        "cut the values into classes",
    ),
    "a torn gzip": (torn_gzip, f"{TRAIN}.gz", "copy it again"),
    "a gzip that is none": (no_gzip, f"{TRAIN}.gz", "copy it again"),
    "a damaged gzip": (broken_gzip, f"{TRAIN}.gz", "copy it again"),
    "IDX of unknown splits": (two_unknown_pairs, "one-images-idx3-ubyte", "name one file as the data"),
    "IDX without train": (no_train, "data has no inputs for train", "name one file as the data"),
    "IDX of two shapes": (other_shapes, "t10k-images-idx3-ubyte", "bring them to one shape"),
    "IDX read as text": (mnist(), f"{TRAIN} holds items of shape 8x8, but --input is text", "rows", "--input", "text"),
    "IDX with a size": (mnist(), "takes no --image-size", "leave --image-size out", "--image-size", "20"),
}


def triarch(monkeypatch, capsys, *arguments):
    """The command line in this process: exit status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["triarch", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, *capsys.readouterr()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder `data`, beside it nothing, and a cache of its own."""
    monkeypatch.setenv("TRIARCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def check(place, status, out, err, *told):
    assert (status, out) == (2, "")
    assert len(err.strip().splitlines()) <= 5
    assert "Traceback" not in err
    for words in told:
        assert words in err
    assert os.listdir(place / "work") == ["data"]
    assert not (place / "cache").exists() or os.listdir(place / "cache") == []


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
