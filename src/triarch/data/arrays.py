"""Arrays and `.npz` files → Source."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.core.spec import Modality
from triarch.data.asked import Asked
from triarch.data.labels import number_labels
from triarch.data.source import Source, check
from triarch.data.store import Ragged, Texts
from triarch.data.tokens import encodable

CHANNELS = (1, 3, 4)


def from_arrays(x: Any, y: Any, name: str = "arrays", modality: Modality | None = None) -> Source:
    """Inputs and labels in memory.

    Args:
        x: texts; images (I Y X), (I Y X C) or (I C Y X); series (I T) or (I T C), or a list of (T) or (T C).
        y: (I) labels.
        modality: what `x` is; None: inferred, and the notes say how.

    Raises:
        InputError: `x` or `y` cannot be read so.
    """
    labels, class_names = number_labels(y, name)
    inputs, modality, scale, note = read_inputs(x, name, modality)
    return check(Source(name, modality, inputs, labels, class_names, scale=scale, notes=[note]))


Stored = NDArray[Any] | Ragged | Texts


def read_inputs(x: Any, name: str, modality: Modality | None) -> tuple[Stored, Modality, float, str]:
    """Raw inputs in the layout of `Source`, what they are, the value of white, and how that was inferred."""
    if hasattr(x, "__array__"):
        x = np.asarray(x)
    if len(x) == 0:
        raise InputError(f"{name}: there are no items")
    if isinstance(x, np.ndarray) and x.dtype.kind in "UOT":
        x = (x[:, 0] if x.shape[1:] == (1,) else x).tolist()
    if not isinstance(x, np.ndarray):
        items = list(x)
        if any(isinstance(item, str) for item in items):
            return _texts(items, name, modality), "text", 1.0, "strings: text"
        arrays = [_numbers(item, name, row) for row, item in enumerate(items)]
        if len({array.shape for array in arrays}) > 1:
            return _unequal(arrays, name, modality), "series", 1.0, "unequal lengths: series"
        x = np.stack(arrays)
    array = x.astype(x.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: inputs of type {array.dtype} cannot be read", "numbers or strings are wanted")
    if modality == "text":
        raise InputError(f"{name}: the inputs are numbers, not text", "leave --input out")
    inferred, note = _infer(array)
    modality = modality or inferred
    if modality == "image":
        images = _channels_first(array, name)
        return images, modality, _white(images), note
    if array.ndim not in (2, 3):
        raise InputError(f"{name}: series have shape (items, steps) or (items, steps, channels), not {array.shape}")
    series = array.astype(np.float32)
    return (series[..., None] if series.ndim == 2 else series), modality, 1.0, note


def _infer(array: NDArray[Any]) -> tuple[Modality, str]:
    shape = "x".join(map(str, array.shape[1:]))
    if array.ndim == 4:
        return "image", f"four dimensions ({shape} an item): images"
    if array.ndim == 3:
        square = array.shape[1] == array.shape[2] and array.shape[1] >= 8 and array.min() >= 0
        if array.dtype == np.uint8 or square:
            return (
                "image",
                f"{shape} an item, bytes or a square of non-negative values: images; --input says otherwise",
            )
        return "series", f"{shape} an item: series of {array.shape[2]} channel(s); --input says otherwise"
    return "series", f"{shape} numbers an item: series of one channel"


def _channels_first(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.ndim == 3:
        return array[:, None]
    if array.ndim == 4 and array.shape[-1] in CHANNELS:
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2))
    if array.ndim == 4 and array.shape[1] in CHANNELS:
        return array
    raise InputError(f"{name}: shape {array.shape} is not (items, rows, columns) with 1, 3 or 4 channels")


def _white(images: NDArray[Any]) -> float:
    """Bytes have 255, the rest the greatest value that is there."""
    return 255.0 if images.dtype == np.uint8 else float(max(images.max(), 1e-12))


def _texts(items: list[Any], name: str, modality: Modality | None) -> Texts:
    if modality not in (None, "text"):
        raise InputError(f"{name}: the inputs are texts, not {modality}", "leave --input out")
    for row, item in enumerate(items):
        if not isinstance(item, str):
            raise InputError(f"{name}: row {row} is {item!r:.40}, others are texts", "fill it in or leave the row out")
        if not encodable(item):
            raise InputError(f"{name}: row {row} is not valid Unicode: {item[:40]!r}", "mend its encoding")
    return Texts.of(str(item) for item in items)


def _numbers(item: Any, name: str, row: int) -> NDArray[Any]:
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise InputError(f"{name}: row {row} cannot be read ({error})", "numbers or strings are wanted") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: row {row} is {item!r:.40}", "numbers, or one string an item, are wanted")
    return array


def _unequal(arrays: list[NDArray[Any]], name: str, modality: Modality | None) -> Ragged:
    """Series of different lengths, (T C) each."""
    if modality == "image":
        raise InputError(f"{name}: images of different shapes", "bring them to one shape")
    series = []
    for row, item in enumerate(arrays):
        if item.ndim not in (1, 2):
            raise InputError(f"{name}: row {row}: a series is (steps) or (steps, channels), not {item.shape}")
        series.append((item[:, None] if item.ndim == 1 else item).astype(np.float32))
        if series[row].shape[1] != series[0].shape[1]:
            raise InputError(f"{name}: row {row} has {series[row].shape[1]} channels, row 0 {series[0].shape[1]}")
        if not len(series[row]):
            raise InputError(f"{name}: row {row} is empty", "leave the row out")
    return Ragged.of(series)


def from_npz(path: Path, asked: Asked, report: Report) -> Source:  # noqa: ARG001
    """A `.npz` file with `x` and `y`; nothing in it is executed.

    Raises:
        InputError: it cannot be read, or has no `x` and `y`.
    """
    asked.refuse(f"{path}: an .npz file", "target", "group")
    try:
        with np.load(path, allow_pickle=False) as archive:
            for key in ("x", "y"):
                if key not in archive:
                    raise InputError(
                        f"{path}: there is no array {key!r}", f"it has: {', '.join(archive.files) or 'none'}"
                    )
            x, y = archive["x"], archive["y"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{path}: cannot be read as .npz ({error})",
            "write it with numpy.savez(path, x=…, y=…), no objects in it",
        ) from error
    if x.ndim == 0:
        raise InputError(f"{path}: x is a single value", "the first dimension of x is the item")
    return from_arrays(x, y, path.name, asked.modality)
