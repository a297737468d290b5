"""One picture file → an array; the same for training and for prediction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from triarch.core.errors import InputError

EIGHT_BITS, SIXTEEN_BITS = 255, 65535
WHOLE: dict[float, type[np.generic]] = {EIGHT_BITS: np.uint8, SIXTEEN_BITS: np.uint16}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY = ("1", "L", "LA", "La", "F")
# A program that Ghostscript would run, and formats of which Pillow reads the header alone.
NOT_READ = ("EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG")
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Held(BytesIO):
    """A picture file in memory; its text is what to call it in an error."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.called = name

    def __str__(self) -> str:
        return self.called


class Header(NamedTuple):
    """What a picture says of itself before it is decoded.

    Attributes:
        rows, columns: when it stands upright.
        grey: whether it has no colours, going by its mode.
        deep: whether it has 16 bits.
        alpha: whether parts of it can be transparent.
        several: whether the file holds more pictures than this one.
    """

    rows: int
    columns: int
    grey: bool
    deep: bool
    alpha: bool
    several: bool


@cache
def picture_formats() -> tuple[str, ...]:
    """The formats that are read, by Pillow's names, the most frequent first."""
    Image.init()
    first = ("JPEG", "PNG")
    return (*first, *(name for name in Image.ID if name not in (*first, *NOT_READ)))


@cache
def picture_endings() -> frozenset[str]:
    """The endings of their files, small letters, with the dot."""
    formats = picture_formats()
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in formats)


def read_header(path: Path | Held) -> Header:
    """The header of a picture.

    Raises:
        InputError: it is not a picture.
    """
    with _opened(path) as image:
        columns, rows = _upright_size(image)
        return Header(
            rows=rows,
            columns=columns,
            grey=image.mode in GREY or image.mode.startswith("I"),
            deep=image.mode.startswith("I"),
            alpha=image.has_transparency_data,
            several=bool(getattr(image, "is_animated", False)),
        )


def read_picture(path: Path | Held, shape: tuple[int, int, int], white: float) -> NDArray[Any]:
    """A picture, upright, on white where it is transparent, scaled and cropped at its centre to `shape`.

    Args:
        shape: (C, Y, X), C 1 for grey, 3 for colours, 4 for colours and alpha.
        white: its value in what comes out: bytes for 255, 16 bits for 65535, else real numbers.

    Returns:
        (C Y X) from 0 to `white`.

    Raises:
        InputError: it is not a picture, or not whole.
    """
    channels, rows, columns = shape
    with _opened(path) as image:
        if image.format in ("JPEG", "MPO"):
            _decode_less(image, rows, columns)
        image.load()
        turn = UPRIGHT.get(_orientation(image))
        upright: Image.Image = image if turn is None else image.transpose(turn)
        upright.info = image.info
        if upright.mode.startswith("I"):
            grey = np.asarray(_fit(_deep(upright), rows, columns)).round().clip(0, SIXTEEN_BITS)
            alpha = np.full_like(grey, SIXTEEN_BITS)
            values, depth = np.stack([grey, grey, grey, alpha][:channels]), SIXTEEN_BITS
        else:
            fitted = np.asarray(_fit(_plain(upright, channels), rows, columns))
            values, depth = fitted.reshape(rows, columns, channels).transpose(2, 0, 1), EIGHT_BITS
    if white != depth:
        values = values * np.float64(white / depth)
        values = values.round() if white in WHOLE else values
    return np.ascontiguousarray(values, dtype=number_type(white))


def number_type(white: float) -> np.dtype[Any]:
    """The type of the values that `read_picture` makes."""
    return np.dtype(WHOLE.get(white, np.float32))


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings, of odd metadata and large pictures, are nothing to a user; what matters is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(path: Path | Held) -> Iterator[Image.Image]:
    try:
        with Image.open(path, formats=picture_formats()) as image:
            yield image
    except Exception as error:  # decoders meet damaged files with exceptions of every kind
        raise InputError(
            f"{path} cannot be read as a picture: {_reason(path, error)}", "mend it, or take it out of the data"
        ) from error


def _reason(path: Path | Held, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        size = path.stat().st_size if isinstance(path, Path) else len(path.getvalue())
        return "it is empty" if size == 0 else "it is of no known format, or damaged"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__


def _orientation(image: Image.Image) -> int:
    """1 to 8, where the camera says how it was held."""
    try:
        # that of PNG would decode the picture
        return int(Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata say nothing
        return 1


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Columns and rows; Pillow itself turns TIFF upright."""
    turned = image.format != "TIFF" and 5 <= _orientation(image) <= 8
    return (image.height, image.width) if turned else image.size


def _decode_less(image: Image.Image, rows: int, columns: int) -> None:
    """Have the decoder of JPEG halve the picture as often as twice the wanted size allows."""
    width, height = _upright_size(image)
    share = 2 * max(columns / width, rows / height)
    image.draft(None, (math.ceil(share * image.width), math.ceil(share * image.height)))


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """With 8 bits and `channels` channels."""
    if image.mode == "F":
        raise ValueError("its values are real numbers, which do not say what is white")
    if image.has_transparency_data and channels != 4:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def _deep(image: Image.Image) -> Image.Image:
    """A grey picture of 16 bits as one of real numbers, 0 to 65535."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > SIXTEEN_BITS:
        raise ValueError("its values have more than 16 bits and do not say what is white")
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        values[values == clear] = SIXTEEN_BITS
    return Image.fromarray(values.astype(np.float32))


def _fit(image: Image.Image, rows: int, columns: int) -> Image.Image:
    """Scaled and cropped at the centre; as it is where it has that size."""
    return ImageOps.fit(image, (columns, rows), Image.Resampling.BICUBIC)
