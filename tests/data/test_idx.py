"""IDX files: header, types, splits, and damage."""

import gzip
import struct

import numpy as np
import pytest

from triarch.core.errors import InputError
from triarch.data import idx
from triarch.data.dataset import prepare
from triarch.data.open import open_source

RANDOM = np.random.default_rng(0)
CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}
Y = (np.arange(30) % 3).astype(np.uint8)


def packed(array):
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, array):
    content = packed(array)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def images(count=30, rows=8, columns=9):
    return RANDOM.integers(0, 256, (count, rows, columns), dtype=np.uint8)


def pair(folder, name="train", x=None, y=Y, ending=""):
    folder.mkdir(exist_ok=True)
    x = images(len(y)) if x is None else x
    write(folder / f"{name}-labels-idx1-ubyte{ending}", y)
    return write(folder / f"{name}-images-idx{x.ndim}-ubyte{ending}", x), x


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_file_of_images_finds_its_labels(tmp_path, ending):
    path, x = pair(tmp_path, ending=ending)
    source = open_source(path)
    assert (source.modality, source.scale, source.inputs.dtype) == ("image", 255.0, np.uint8)
    assert np.array_equal(source.inputs[:, 0], x)
    assert np.array_equal(source.labels, Y)
    assert source.class_names == ("0", "1", "2")
    assert source.parts is None


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_brings_its_splits(tmp_path, ending):
    _, x = pair(tmp_path, ending=ending)
    _, other = pair(tmp_path, "t10k", y=Y[:12], ending=ending)
    (tmp_path / "LICENSE").write_text("MIT")
    source = open_source(tmp_path)
    assert np.array_equal(source.inputs[:, 0], np.concatenate((other, x)))
    assert source.parts.tolist() == ["confirm"] * 12 + ["train"] * 30
    assert {name: len(rows) for name, rows in prepare(source).splits.items()} == {
        "train": 24, "select": 6, "confirm": 12,
    }  # fmt: skip


def test_a_folder_with_one_pair_has_no_splits(tmp_path):
    pair(tmp_path)
    assert open_source(tmp_path).parts is None


def test_a_file_beside_its_gzip_is_read_once(tmp_path):
    pair(tmp_path)
    pair(tmp_path, ending=".gz")
    assert len(open_source(tmp_path)) == 30


@pytest.mark.parametrize("name", ["train-images.idx3-ubyte", "images.idx", "emnist-letters-train-images-idx3-ubyte.gz"])
def test_other_names(tmp_path, name):
    path = write(tmp_path / name, images())
    write(tmp_path / name.replace("images", "labels").replace("idx3", "idx1"), Y)
    assert len(open_source(path)) == 30


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_types(tmp_path, dtype):
    x = RANDOM.integers(0, 100, (30, 8, 9)).astype(dtype)
    source = open_source(pair(tmp_path, x=x)[0])
    assert np.array_equal(source.inputs[:, 0], x)
    assert source.inputs.dtype == dtype
    assert source.inputs.dtype.isnative
    assert source.scale == x.max()
    assert prepare(source).batch(np.arange(3)).input.shape == (3, 1, 8, 9)


def test_dimensions(tmp_path):
    colours = RANDOM.integers(0, 256, (30, 8, 9, 3), dtype=np.uint8)
    source = open_source(pair(tmp_path / "last", x=colours)[0])
    assert np.array_equal(source.inputs, colours.transpose(0, 3, 1, 2))
    first = np.ascontiguousarray(colours.transpose(0, 3, 1, 2))
    assert np.array_equal(open_source(pair(tmp_path / "first", x=first)[0]).inputs, first)
    steps = RANDOM.normal(size=(30, 12)).astype(np.float32)
    source = open_source(pair(tmp_path / "steps", x=steps)[0])
    assert (source.modality, source.inputs.shape, source.scale) == ("series", (30, 12, 1), 1.0)
    path, x = pair(tmp_path / "rows")
    source = open_source(path, "series")
    assert (source.modality, source.inputs.dtype) == ("series", np.float32)
    assert np.array_equal(source.inputs, x)


def test_large_files_come_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "CHUNK_BYTES", 500)
    for ending in ("", ".gz"):
        path, x = pair(tmp_path, ending=ending)
        assert np.array_equal(open_source(path).inputs[:, 0], x)


def test_it_is_read_once(tmp_path, monkeypatch):
    path, _ = pair(tmp_path, ending=".gz")
    first = open_source(path)
    with monkeypatch.context() as patch:
        patch.setattr(idx, "IdxFile", None)
        again = open_source(path)
        assert np.array_equal(again.inputs, first.inputs)
    write(tmp_path / "train-labels-idx1-ubyte.gz", Y[::-1].copy())
    assert np.array_equal(open_source(path).labels, Y[::-1])


def test_every_cut_is_told(tmp_path):
    x, y = images(6, 2, 2), Y[:6]
    path, _ = pair(tmp_path, x=x, y=y)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="is cut off"):
            open_source(path)
    path.write_bytes(whole)
    zipped, _ = pair(tmp_path, x=x, y=y, ending=".gz")
    whole = zipped.read_bytes()
    for size in range(len(whole)):
        zipped.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"is cut off|is damaged"):
            open_source(zipped)


def test_a_header_that_lies_costs_no_memory(tmp_path):
    path, _ = pair(tmp_path)
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 4_000_000_000, 28, 28) + b"x" * 99)
    with pytest.raises(InputError, match="4,000,000,000 items"):
        open_source(path)
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 30, 4_000_000_000, 4_000_000_000))
    with pytest.raises(InputError, match="by its header"):
        open_source(path)
