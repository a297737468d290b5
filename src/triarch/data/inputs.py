"""Inputs for a prediction as a user has them, pictures, arrays, series and texts in files → raw items."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.core.spec import Spec
from triarch.data.picture import MODES, quiet, read_picture
from triarch.data.source import Inputs
from triarch.data.texts import read_text

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


def read_for(spec: Spec, scale: float, inputs: Sequence[str]) -> tuple[list[str], Inputs]:
    """Read inputs for a model of `spec`.

    Args:
        scale: the value of white in the images that it was trained on.
        inputs: paths; for text, what is not a path is a text itself.

    Returns:
        What to call each item, and the items as `Source.inputs` has them.

    Raises:
        InputError: a file is not there, cannot be read, or does not fit the model.
    """
    names: list[str] = []
    items: list[Any] = []
    for one in inputs:
        for name, item in _read(spec, scale, one):
            names.append(name)
            items.append(item)
    return names, items


def _read(spec: Spec, scale: float, one: str) -> Iterator[tuple[str, Any]]:
    path = Path(one)
    exists = _is_file(path)
    if spec.modality == "text":
        _refuse_tables(one, path, exists)
        texts = read_text(path).replace("\r\n", "\n").split("\n") if exists else [one]
        yield from ((text, text) for text in texts if text or not exists)
        return
    if not exists:
        raise InputError(f"there is no file {one!r}", f"this model takes {spec.modality} files")
    if path.suffix in (".npy", ".npz"):
        yield from _items(path, spec)
    elif spec.modality == "image":
        yield one, _picture(path, spec, scale)
    else:
        yield one, _table(path)


def _refuse_tables(one: str, path: Path, exists: bool) -> None:
    """Texts are read from files line by line, and what is not there is no text where it is called like a file."""
    suffix = path.suffix.lower()
    if exists and suffix in TABLES:
        raise InputError(f"{path}: of a table it is not known what to read", "write a text a line into a .txt")
    if not exists and suffix in (".txt", *TABLES) and len(one.split()) == 1:
        raise InputError(f"there is no file {one!r}", "give a file that is there, or the text itself")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a long text is no path
        return False


def _items(path: Path, spec: Spec) -> Iterator[tuple[str, NDArray[Any]]]:
    try:
        loaded = np.load(path, allow_pickle=False)
        array = loaded["x"] if path.suffix == ".npz" else loaded
        if array.ndim == 0 or array.dtype.kind not in "biuf":
            raise ValueError(f"shape {array.shape} of type {array.dtype}")
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})", "an array of numbers is wanted, x in an .npz") from error
    shape = spec.shape
    if spec.modality == "image":
        fits = (shape, shape[1:]) if shape[0] == 1 else (shape,)
        single = array.shape in fits or array.shape == (*shape[1:], shape[0])
    else:
        single = array.ndim == 1 or (array.ndim == 2 and array.shape[1] == shape[1] and shape[1] > 1)
    for number, item in enumerate(array[None] if single else array):
        if spec.modality == "image":
            if item.shape == (*shape[1:], shape[0]):
                item = item.transpose(2, 0, 1)
            item = item.reshape(shape) if item.shape == shape[1:] and shape[0] == 1 else item
        yield (str(path) if single else f"{path}[{number}]"), item


def _picture(path: Path, spec: Spec, scale: float) -> NDArray[Any]:
    """A picture as the training data has it: (C Y X) from 0 to `scale`."""
    channels, rows, columns = spec.shape
    if channels not in MODES:
        raise InputError(f"{path}: pictures have 1, 3 or 4 channels, the model takes {channels}", "give an .npy file")
    with quiet():
        return read_picture(path, (channels, rows, columns), scale)


def _table(path: Path) -> NDArray[np.float32]:
    """A series: a row a step, a column a channel, numbers only."""
    try:
        table = pd.read_csv(path, header=None).to_numpy(dtype=np.float32)
    except (OSError, ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as a series ({str(error).splitlines()[0]})",
            "a row a step, a number a channel",
        ) from error
    if not np.isfinite(table).all():
        raise InputError(f"{path}: row {int(np.argwhere(~np.isfinite(table))[0][0]) + 1} has a missing value")
    return table
