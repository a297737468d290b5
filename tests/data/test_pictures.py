"""Folders of pictures: what every kind of picture becomes, to the pixel."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from made.pictures import RANDOM, colours, fill, greys, only, save
from triarch.core.errors import InputError
from triarch.data import pictures
from triarch.data.dataset import prepare
from triarch.data.open import open_source
from triarch.data.picture import picture_endings, picture_formats, read_header


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
