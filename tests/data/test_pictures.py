"""Folders of pictures: what every kind of picture becomes, to the pixel."""

import os
import struct
import zlib
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps

from triarch.core.errors import InputError
from triarch.core.spec import Spec, Target
from triarch.data import pictures
from triarch.data.dataset import prepare
from triarch.data.inputs import read_for
from triarch.data.open import open_source
from triarch.data.picture import picture_endings, picture_formats, quiet, read_header, read_picture

RANDOM = np.random.default_rng(0)


def colours(rows=8, columns=10):
    """Noise in colour, (Y X 3)."""
    return RANDOM.integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def greys(rows=8, columns=10):
    return RANDOM.integers(0, 256, (rows, columns), dtype=np.uint8)


def fill(root, count=4, classes=("cat", "dog"), make=colours, ending=".png"):
    """`count` pictures for each class."""
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(make()).save(root / name / f"{number:03}{ending}")
    return root


def only(path, channels=3, white=255, shape=None):
    """The one picture as it is read, (Y X C)."""
    with quiet():
        header = read_header(path)
        rows, columns = shape or (header.rows, header.columns)
        return read_picture(path, (channels, rows, columns), white).transpose(1, 2, 0)


def save(image, path, **options):
    image.save(path, **options)
    return path


def test_small_pictures_of_one_size_stay_as_they_are(tmp_path):
    source = open_source(fill(tmp_path / "pets"))
    assert (source.name, source.modality, source.scale) == ("pets", "image", 255.0)
    assert source.inputs.shape == (8, 3, 8, 10)
    assert source.inputs.dtype == np.uint8
    assert source.class_names == ("cat", "dog")
    assert source.labels.tolist() == [0] * 4 + [1] * 4
    assert source.parts is None
    for number, name in ((0, "cat/000.png"), (7, "dog/003.png")):
        with Image.open(tmp_path / "pets" / name) as image:
            assert np.array_equal(source.inputs[number].transpose(1, 2, 0), image)
    assert source.notes == ["all pictures are 10x8 pixels and stay so", "in colour"]


def test_grey_pictures_have_one_channel_unless_one_has_colours(tmp_path):
    fill(tmp_path / "g", make=greys)
    assert open_source(tmp_path / "g").inputs.shape == (8, 1, 8, 10)
    Image.fromarray(colours()).save(tmp_path / "g" / "cat" / "x.png")
    source = open_source(tmp_path / "g")
    assert source.inputs.shape == (9, 3, 8, 10)
    assert np.array_equal(source.inputs[0, 0], source.inputs[0, 2])


@pytest.mark.parametrize(
    ("sizes", "asked", "shape"),
    [
        ([(120, 150)], None, (96, 120)),  # (rows, columns): one size, too large
        ([(150, 120)], None, (120, 96)),
        ([(96, 200)], None, (96, 200)),
        ([(40, 50)], None, (40, 50)),
        ([(20, 20), (30, 30), (90, 90)], None, (30, 30)),
        ([(20, 40), (30, 60), (200, 200)], None, (30, 60)),
        ([(300, 400), (30, 40)], None, (96, 128)),
        ([(120, 150)], 12, (12, 15)),
        ([(120, 150)], 240, (240, 300)),
        ([(1, 1)], None, (1, 1)),
        ([(3, 1000)], None, (3, 1000)),
    ],
)
def test_the_shape_follows_a_rule(tmp_path, sizes, asked, shape):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number, size in enumerate(sizes):
            Image.fromarray(greys(*size)).save(tmp_path / name / f"{number}.png")
    source = open_source(tmp_path, image_size=asked)
    assert source.inputs.shape[2:] == shape
    told = f"{shape[1]}x{shape[0]}"
    assert any(told in note for note in source.notes)
    assert ("stay so" in source.notes[0]) == (sizes == [shape])


def test_a_picture_is_scaled_and_cropped_at_its_centre(tmp_path):
    image = np.zeros((40, 80), np.uint8)
    image[:, 20:60] = 200
    source = save(Image.fromarray(image), tmp_path / "x.png")
    assert (only(source, 1, shape=(20, 20))[:, 2:-2] == 200).all()  # the filter sees a pixel beyond the edge


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
def test_exif_turns_pictures_upright(tmp_path, orientation, ending):
    raw = colours(4, 6)
    image = Image.fromarray(raw)
    image.getexif()[0x0112] = orientation
    path = save(
        image, tmp_path / f"x{ending}", exif=image.getexif(), **({"lossless": True} if ending == ".webp" else {})
    )
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(only(path), upright)
    assert (read_header(path).rows, read_header(path).columns) == upright.shape[:2]


def test_exif_of_jpeg_with_a_reduced_decode(tmp_path):
    upright = np.zeros((400, 800), np.uint8)
    upright[:200, :400] = 255  # the upper left quarter
    for orientation, back in ((1, None), (3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)):
        image = Image.fromarray(upright)
        image = image if back is None else image.transpose(back)
        image.getexif()[0x0112] = orientation
        path = save(image, tmp_path / "x.jpg", exif=image.getexif())
        read = only(path, 1, shape=(20, 40))[..., 0]
        assert read[:9, :19].min() > 240
        assert read[11:].max() < 15
        assert read[:, 21:].max() < 15


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(range(200)), b"junk"]
)
def test_broken_exif_says_nothing(tmp_path, exif):
    raw = np.full((8, 8, 3), 90, np.uint8)
    for ending in (".jpg", ".png", ".webp"):
        path = save(Image.fromarray(raw), tmp_path / f"x{ending}", exif=exif)
        assert abs(only(path).astype(int) - 90).max() <= 2


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_is_none(tmp_path, orientation):
    image = Image.fromarray(colours(4, 6))
    raw = np.asarray(image)
    image.getexif()[0x0112] = orientation
    assert np.array_equal(only(save(image, tmp_path / "x.png", exif=image.getexif())), raw)


def test_transparent_pixels_are_white(tmp_path):
    raw = np.zeros((2, 2, 4), np.uint8)
    raw[0, 0], raw[0, 1], raw[1, 0] = (10, 20, 30, 255), (10, 20, 30, 0), (0, 0, 0, 128)
    path = save(Image.fromarray(raw), tmp_path / "x.png")
    read = only(path)
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[0, 1].tolist() == [255, 255, 255]
    assert read[1, 0].tolist() == [127, 127, 127]
    assert np.array_equal(only(path, 4), raw)
    grey = save(Image.fromarray(raw[..., [0, 3]], "LA"), tmp_path / "la.png")
    assert read_header(grey).grey
    assert only(grey, 1)[..., 0].tolist() == [[10, 255], [127, 255]]


def test_transparency_in_other_ways(tmp_path):
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([9, 8, 7, 1, 2, 3])
    assert only(save(palette, tmp_path / "p.png", transparency=1)).tolist() == [[[9, 8, 7], [255, 255, 255]]]
    assert only(save(palette, tmp_path / "p.gif", transparency=1)).tolist() == [[[9, 8, 7], [255, 255, 255]]]
    assert only(save(palette, tmp_path / "b.png", transparency=b"\xff\x00")).tolist() == [[[9, 8, 7], [255, 255, 255]]]
    rgb = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8))
    assert only(save(rgb, tmp_path / "rgb.png", transparency=(1, 2, 3))).tolist() == [[[9, 8, 7], [255, 255, 255]]]
    grey = Image.fromarray(np.array([[9, 1]], np.uint8))
    assert only(save(grey, tmp_path / "l.png", transparency=1), 1)[..., 0].tolist() == [[9, 255]]
    deep = Image.fromarray(np.array([[900, 100]], np.uint16))
    path = save(deep, tmp_path / "i.png", transparency=100)
    assert only(path, 1, 65535)[..., 0].tolist() == [[900, 65535]]


def test_transparency_is_noted(tmp_path):
    fill(tmp_path)
    Image.new("RGBA", (10, 8)).save(tmp_path / "cat" / "x.png")
    source = open_source(tmp_path)
    assert "1 pictures with transparency are laid on white" in source.notes
    assert (source.inputs[4] == 255).all()


def test_palettes_bits_and_cmyk(tmp_path):
    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 100, 0])
    for ending in (".png", ".gif", ".bmp", ".tif"):
        path = save(palette, tmp_path / f"p{ending}")
        assert only(path)[0].tolist() == [[10, 20, 30], [200, 100, 0]]
    bits = Image.fromarray(np.array([[True, False]]))
    assert bits.mode == "1"
    for ending in (".png", ".bmp", ".tif", ".pbm"):
        path = save(bits, tmp_path / f"b{ending}")
        assert read_header(path).grey
        assert only(path, 1)[..., 0].tolist() == [[255, 0]]
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert only(save(cmyk, tmp_path / "c.tif"))[0, 0].tolist() == [255, 0, 0]
    assert abs(only(save(cmyk, tmp_path / "c.jpg"))[0, 0].astype(int) - [255, 0, 0]).max() <= 3


def test_16_bits_are_kept(tmp_path):
    deep = RANDOM.integers(0, 65536, (8, 10)).astype(np.uint16)
    grey = greys()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(deep).save(tmp_path / name / "0.png")
        Image.fromarray(deep.astype(np.int32)).save(tmp_path / name / "1.tif")
        Image.fromarray(grey).save(tmp_path / name / "2.png")
    source = open_source(tmp_path)
    assert (source.inputs.dtype, source.scale, source.inputs.shape) == (np.uint16, 65535.0, (6, 1, 8, 10))
    assert np.array_equal(source.inputs[0, 0], deep)
    assert np.array_equal(source.inputs[1, 0], deep)
    assert np.array_equal(source.inputs[2, 0], grey.astype(int) * 257)
    assert "grey, 16 bits" in source.notes
    big = save(Image.fromarray(deep).transpose(Image.Transpose.ROTATE_90), tmp_path / "t.png")
    assert np.array_equal(only(big, 3, 65535)[..., 1], np.rot90(deep))
    assert np.array_equal(only(big, 1, 255)[..., 0], np.rot90((deep / 257).round().astype(np.uint8)))
    half = only(big, 1, 65535, shape=(5, 4))
    assert half.std() > 1000  # not cut off at 255


def test_values_without_a_white_are_refused(tmp_path):
    for number, values in enumerate((np.ones((8, 8), np.float32), np.full((8, 8), 70_000, np.int32))):
        with pytest.raises(InputError, match="what is white"):
            only(save(Image.fromarray(values), tmp_path / f"{number}.tif"))


def test_of_several_pictures_in_a_file_the_first_is_taken(tmp_path):
    fill(tmp_path, make=greys, ending=".gif")
    frames = [Image.new("L", (10, 8), value) for value in (10, 99, 200)]
    for name in ("x.gif", "x.tif", "x.png", "x.webp"):
        frames[0].save(tmp_path / "cat" / name, save_all=True, append_images=frames[1:])
    source = open_source(tmp_path)
    assert "4 files hold several pictures: the first is taken" in source.notes
    assert abs(source.inputs[4:8].astype(int) - 10).max() <= 2


@pytest.mark.parametrize(
    "ending", [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".webp", ".ppm", ".tga", ".jp2", ".ico", ".pcx", ".sgi"]
)
def test_formats(tmp_path, ending):
    raw = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    path = save(Image.fromarray(raw), tmp_path / f"X{ending.upper()}")
    assert pictures.is_picture(path)
    assert abs(only(path).astype(int) - raw).max() <= 6


def test_programs_and_headers_without_pictures_are_no_pictures():
    assert not {".eps", ".ps", ".pdf", ".mpg", ".h5", ".txt", ".csv", ".npz", ".md"} & picture_endings()
    assert "EPS" not in picture_formats()


def test_other_files_are_told_or_passed_over(tmp_path):
    fill(tmp_path)
    plain = open_source(tmp_path)
    for name in (".hidden.png", "cat/._000.png", "cat/Thumbs.db", "dog/.DS_Store", "desktop.ini"):
        (tmp_path / name).write_bytes(b"?")
    (tmp_path / ".git").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "cat" / ".ipynb_checkpoints").mkdir()
    assert open_source(tmp_path).notes == plain.notes
    (tmp_path / "cat" / "README.txt").write_text("cats")
    (tmp_path / "labels.csv").write_text("a,b")
    source = open_source(tmp_path)
    told = "2 files are left out, they are no pictures of a class: labels.csv, cat/README.txt"
    assert source.notes == [*plain.notes, told]
    assert source.fingerprint == plain.fingerprint
    assert open_source(tmp_path, "image").fingerprint == plain.fingerprint


def test_the_data_brings_its_own_splits(tmp_path):
    counts = {"Train": 5, "valid": 2, "test": 3}
    for name, count in counts.items():
        fill(tmp_path / name, count)
    source = open_source(tmp_path)
    named = dict(zip(*np.unique(source.parts, return_counts=True)))
    assert named == {"train": 10, "select": 4, "confirm": 6}
    dataset = prepare(source)
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 10, "select": 4, "confirm": 6}
    assert dataset.spec.split == "train, select, confirm as the data has them"


def test_a_split_that_is_missing_is_dealt_from_train(tmp_path):
    fill(tmp_path / "train", 10)
    fill(tmp_path / "test", 3)
    dataset = prepare(open_source(tmp_path))
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 16, "select": 4, "confirm": 6}


def test_classes_may_be_called_as_splits_are(tmp_path):
    assert open_source(fill(tmp_path, classes=("train", "test"))).class_names == ("test", "train")


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
