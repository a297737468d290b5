"""IDX files that are at fault: exit status 2, a short message, nothing written."""

import gzip
import struct

import numpy as np
import pytest

from made.refusal import check, triarch

RANDOM = np.random.default_rng(0)


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

# what is wrong: (what makes the folder, the place and the remedy in the message, options)
FAULTS = {
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


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(place, monkeypatch, capsys, fault):
    make, where, remedy, *options = FAULTS[fault]
    make(place / "work" / "data")
    check(place, *triarch(monkeypatch, capsys, "train", "data", "--model", "plain/nano", *options), where, remedy)
