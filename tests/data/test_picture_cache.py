"""Folders of pictures: the cache, the shape that a model takes, damage and limits."""

import os
import struct
import zlib
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from made.pictures import RANDOM, colours, fill, greys, only, save
from triarch.core.errors import InputError
from triarch.core.spec import Spec, Target
from triarch.data import pictures
from triarch.data.inputs import read_for
from triarch.data.open import open_source
from triarch.data.picture import read_header, read_picture


def test_what_was_decoded_is_kept_until_a_file_changes(tmp_path, monkeypatch):
    root = fill(tmp_path / "pets")
    decoded = []

    def counting(path, **options):
        decoded.append(path.name)
        return read_picture(path, **options)

    monkeypatch.setattr(pictures, "read_picture", counting)
    first = open_source(root)
    assert len(decoded) == 8
    again = open_source(root)
    monkeypatch.chdir(tmp_path)
    relative = open_source("pets")
    assert len(decoded) == 8
    for other in (again, relative):
        assert other.fingerprint == first.fingerprint
        assert np.array_equal(other.inputs, first.inputs)
        assert other.folder == first.folder
    Image.fromarray(colours()).save(root / "cat" / "000.png")
    os.utime(root / "cat" / "000.png", ns=(1, 1))
    assert open_source(root).fingerprint != first.fingerprint
    assert len(decoded) == 16
    assert not first.folder.exists()
    (root / "dog" / "003.png").unlink()
    assert len(open_source(root)) == 7
    (root / "dog" / "002.png").rename(root / "cat" / "new.png")
    assert open_source(root).labels.sum() == 2


def test_a_damaged_cache_is_made_anew(tmp_path):
    root = fill(tmp_path / "pets")
    first = open_source(root)
    (first.folder / "inputs.bin").write_bytes(b"")
    again = open_source(root)
    assert again.fingerprint == first.fingerprint
    assert again.inputs.shape == (8, 3, 8, 10)
    (first.folder / "source.json").write_text("{")
    assert open_source(root).fingerprint == first.fingerprint


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIARCH_CACHE", str(tmp_path / "cache"))
    root = fill(tmp_path / "pets", 60)

    def told(share, note):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_source(root, report=told)
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_killed_processes_left_is_cleared_a_day_later(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIARCH_CACHE", str(tmp_path / "cache"))
    for name in ("old", "new"):
        (tmp_path / "cache" / f".building-{name}").mkdir(parents=True)
    os.utime(tmp_path / "cache" / ".building-old", (1, 1))
    source = open_source(fill(tmp_path / "pets"))
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {".building-new", source.folder.name}


def test_progress_rises_to_the_end(tmp_path):
    seen = []
    open_source(fill(tmp_path, 150), report=lambda share, note: seen.append((share, note)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.2 < shares[-1] < 1
    assert seen[-1][1] == "200 of 300 pictures"


def test_a_model_takes_its_own_shape(tmp_path):
    root = fill(tmp_path / "pets", make=lambda: colours(20, 30))
    own = open_source(root)
    same = open_source(root, image_shape=(3, 20, 30))
    assert (same.folder, same.fingerprint) == (own.folder, own.fingerprint)
    other = open_source(root, image_shape=(1, 10, 10))
    assert other.inputs.shape == (8, 1, 10, 10)
    assert other.folder != own.folder
    assert "as the model takes them" in other.notes[0]
    assert open_source(root, image_shape=(4, 5, 5)).inputs.shape == (8, 4, 5, 5)
    with pytest.raises(InputError, match="2"):
        open_source(root, image_shape=(2, 5, 5))


def test_a_model_takes_its_own_scale(tmp_path):
    """A model of bytes and one of 16 bits see one picture alike, whatever else lies in the folder."""
    root = fill(tmp_path / "pets", make=greys)
    bytes_ = open_source(root)
    for white, dtype in ((255.0, np.uint8), (65535.0, np.uint16), (1.0, np.float32), (16.0, np.float32)):
        source = open_source(root, image_shape=(1, 8, 10), image_white=white)
        assert (source.scale, source.inputs.dtype) == (white, dtype)
        assert np.allclose(source.inputs / white, bytes_.inputs / 255, atol=1e-6)
        assert (source.folder == bytes_.folder) == (white == 255)
    deep = RANDOM.integers(0, 65536, (8, 10)).astype(np.uint16)
    Image.fromarray(deep).save(root / "cat" / "000.png")
    source = open_source(root, image_shape=(1, 8, 10), image_white=255.0)
    assert source.inputs.dtype == np.uint8
    assert np.array_equal(source.inputs[0, 0], (deep / 257).round())


@pytest.mark.parametrize("deep", [False, True])
def test_a_prediction_reads_as_training_did(tmp_path, deep):
    """Every kind of picture, scaled or not: the very same numbers."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        image = Image.fromarray(colours(150, 170))
        image.save(tmp_path / name / "1.png")
        image.save(tmp_path / name / "2.jpg")
        Image.fromarray(colours(900, 1200)).save(tmp_path / name / "3.jpg")
        image.convert("P").save(tmp_path / name / "4.gif")
        image.convert("CMYK").save(tmp_path / name / "5.tif")
        Image.fromarray(RANDOM.integers(0, 256, (90, 70, 4), dtype=np.uint8)).save(tmp_path / name / "6.png")
        image.getexif()[0x0112] = 6
        image.save(tmp_path / name / "7.jpg", exif=image.getexif())
        if deep:
            Image.fromarray(RANDOM.integers(0, 65536, (80, 99)).astype(np.uint16)).save(tmp_path / name / "8.png")
    source = open_source(tmp_path)
    spec = Spec("x", "image", source.inputs.shape[1:], Target("class", ("a", "b")))
    paths = sorted(tmp_path.glob("a/*"))
    _, items = read_for(spec, source.scale, list(map(str, paths)))
    for item, trained in zip(items, source.inputs):
        assert item.dtype == trained.dtype == (np.uint16 if deep else np.uint8)
        assert np.array_equal(item, trained)


def bomb(path, side=20_000):
    """A PNG that tells of many pixels and has none."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def test_decompression_bombs_are_refused(tmp_path):
    bomb(tmp_path / "x.png")
    with pytest.raises(InputError, match="decompression bomb"):
        read_header(tmp_path / "x.png")


def test_all_that_cannot_be_read_is_named_at_once(tmp_path):
    fill(tmp_path)
    whole = (tmp_path / "cat" / "000.png").read_bytes()
    for name in ("cat/001.png", "dog/000.png", "dog/002.png"):
        (tmp_path / name).write_bytes(whole[:-60])
    with pytest.raises(InputError) as error:
        open_source(tmp_path)
    first, second, _ = str(error.value).splitlines()
    assert first.startswith(f"{tmp_path}/cat/001.png cannot be read as a picture: ")
    assert second == f"and 2 more: {tmp_path}/dog/000.png, {tmp_path}/dog/002.png"


def test_damage_of_any_kind_is_an_input_error(tmp_path):
    """Bytes flipped and cut at random in every format: read, or refused by name; no other exception."""
    raw = np.kron(colours(6, 6), np.ones((4, 4, 1), np.uint8))
    told = []
    for ending in (".png", ".jpg", ".gif", ".bmp", ".tif", ".webp", ".ppm", ".tga", ".jp2", ".ico", ".pcx", ".dds"):
        path = save(Image.fromarray(raw), tmp_path / f"x{ending}")
        whole = path.read_bytes()
        for _ in range(40):
            content = bytearray(whole)
            for place in RANDOM.integers(0, min(len(whole), 300), 6).tolist():
                content[place] = int(RANDOM.integers(256))
            path.write_bytes(bytes(content[: int(RANDOM.integers(1, len(whole) + 1))]))
            with suppress(InputError):
                only(path, shape=(8, 8))
                continue
            with pytest.raises(InputError) as error:
                only(path, shape=(8, 8))
            told.append((str(path), str(error.value)))
    assert len(told) > 100
    assert all(path in message and len(message.splitlines()) == 2 for path, message in told)


def test_a_disk_that_is_too_small_is_told_before(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setattr(pictures.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(InputError, match="--image-size"):
        open_source(tmp_path)


def test_links_are_followed(tmp_path):
    fill(tmp_path / "real")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "mixed").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "mixed" / name).symlink_to(tmp_path / "real" / name)
    assert len({open_source(tmp_path / name).fingerprint for name in ("real", "linked", "mixed")}) == 1
