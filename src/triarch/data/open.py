"""The one door for data: a name, a path, arrays or a frame → Source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from triarch.core.errors import InputError, near
from triarch.core.spec import MODALITIES, Modality
from triarch.data.arrays import from_arrays, from_frame, from_npz
from triarch.data.builtin import BUILT_IN
from triarch.data.source import Source


def open_source(data: Any, inputs: str | Sequence[str] = (), target: str | None = None) -> Source:
    """Read `data`.

    Args:
        data: the name of a built-in set; the path of a `.npz` file; a pair of arrays (x, y); a DataFrame.
        inputs: of arrays, one of image, text, series where it should not be inferred; of a frame, its input columns.
        target: of a frame, its column of labels.

    Raises:
        InputError: it is none of these, or it cannot be learned from.
    """
    inputs = names(inputs)
    if isinstance(data, Source):
        return data
    if isinstance(data, pd.DataFrame):
        return from_frame(data, inputs=inputs or None, target=target)
    modality = _modality(inputs)
    if isinstance(data, tuple) and len(data) == 2:
        return from_arrays(*data, modality=modality)
    if not isinstance(data, str | Path):
        raise InputError(
            f"data of type {type(data).__name__} cannot be read",
            "give a name, a path, a pair of arrays (x, y) or a DataFrame",
        )
    if str(data) in BUILT_IN:
        if inputs or target:
            raise InputError(f"{data} is built in, its input and target are known", "leave --input and --target out")
        return BUILT_IN[str(data)]()
    path = Path(data)
    if not path.exists():
        raise InputError(f"there is no data set or file {str(data)!r}", near(str(data), BUILT_IN))
    if path.suffix != ".npz" or path.is_dir():
        raise InputError(f"{path}: only .npz files can be read so far", "numpy.savez('data.npz', x=…, y=…) writes one")
    if target:
        raise InputError(f"{path}: the target of an .npz file is its array y", "leave --target out")
    return from_npz(path, modality)


def names(inputs: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several, as several."""
    return (inputs,) if isinstance(inputs, str) else tuple(inputs)


def _modality(inputs: Sequence[str]) -> Modality | None:
    if not inputs:
        return None
    for modality in MODALITIES:
        if list(inputs) == [modality]:
            return modality
    raise InputError(f"--input {' '.join(inputs)}: arrays are {', '.join(MODALITIES)}", near(inputs[0], MODALITIES))
