"""Pictures in a folder for each class → Source."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.data.asked import Asked
from triarch.data.cache import Draft, cached, held
from triarch.data.classes import Classes, Item, read_each
from triarch.data.picture import (
    EIGHT_BITS,
    MODES,
    SIXTEEN_BITS,
    Header,
    number_type,
    picture_endings,
    quiet,
    read_header,
    read_picture,
)
from triarch.data.source import Source

LONGEST_SHORT_SIDE = 96
LARGEST_SIDE = 4096
HEADERS = 0.2
"""The share of the work that reading the headers is."""


class Plan(NamedTuple):
    """What every picture is brought to.

    Attributes:
        shape: (C, Y, X).
        white: 255, or 65535 where a picture has 16 bits; the model's own.
        notes: the same in words.
    """

    shape: tuple[int, int, int]
    white: float
    notes: list[str]


def is_picture(path: Path) -> bool:
    """Whether its name ends as that of a picture."""
    return path.suffix.lower() in picture_endings()


def read_pictures(found: Classes, asked: Asked, report: Report) -> Source:
    """All pictures, brought to one shape; the notes say to which and why.

    Raises:
        InputError: one cannot be read, or the shape that is asked for makes no sense.
    """
    _check(found.root, asked)
    items, left_out = found.choose("pictures", is_picture)
    files = [item.path for item in items]
    source = None
    if asked.image_shape is not None:
        # A model's own data, read when it was trained.
        source = held(found.root, files, replace(asked, image_shape=None, image_white=None))
        if source is not None and not _fits(source, asked):
            source = None
    if source is None:
        with quiet():
            source = cached(found.root, files, asked, lambda place: _fill(place, found.root, items, asked, report))
    return replace(source, notes=[*source.notes, *left_out])


def _check(root: Path, asked: Asked) -> None:
    size, shape = asked.image_size, asked.image_shape
    if size is not None and not 1 <= size <= LARGEST_SIDE:
        raise InputError(f"--image-size {size}: pictures have sides from 1 to {LARGEST_SIDE:,}", "96, say")
    if shape is not None and shape[0] not in MODES:
        raise InputError(f"{root}: pictures have 1, 3 or 4 channels, the model takes {shape[0]}")


def _fits(source: Source, asked: Asked) -> bool:
    """Whether the pictures are as the model takes them."""
    return np.shape(source.inputs[0]) == asked.image_shape and asked.image_white in (None, source.scale)


def _fill(place: Path, root: Path, items: Sequence[Item], asked: Asked, report: Report) -> None:
    """Decode all into the cache's folder `place`."""

    def first(done: float, note: str) -> None:
        report(HEADERS * done, note)

    def then(done: float, note: str) -> None:
        report(HEADERS + (1 - HEADERS) * done, note)

    headers = [header for _, header in read_each(read_header, items, "headers", first)]
    plan = make_plan(headers, asked)
    _check_room(place, root, plan, len(items))
    decode = partial(read_picture, shape=plan.shape, white=plan.white)
    draft = Draft(place, lambda number: str(items[number].path))
    for item, picture in read_each(decode, items, "pictures", then):
        draft.add(picture, item.label, part=item.part)
    draft.finish(root.resolve().name, "image", plan.notes, plan.white)


def make_plan(headers: Sequence[Header], asked: Asked) -> Plan:
    """One shape for all: theirs where it is one and small, else the median one."""
    sizes = np.array([(header.rows, header.columns) for header in headers])
    deep = any(header.deep for header in headers)
    why = "as the model takes them"
    shape = asked.image_shape
    if shape is None:
        side = asked.image_size or min(int(np.median(sizes.min(axis=1))), LONGEST_SHORT_SIDE)
        ratio = float(np.exp(np.median(np.log(sizes[:, 1] / sizes[:, 0]))))
        channels = 1 if all(header.grey for header in headers) else 3
        shape = (channels, max(side, round(side / ratio)), max(side, round(side * ratio)))
        why = f"the median shape, its shorter side at most {LONGEST_SHORT_SIDE}; --image-size says otherwise"
        why = "--image-size" if asked.image_size else why
    notes = [_resizing(sizes, shape, why)]
    notes.append({1: "grey", 3: "in colour", 4: "in colour, with alpha"}[shape[0]] + ", 16 bits" * deep)
    if (clear := sum(header.alpha for header in headers)) and shape[0] != 4:
        notes.append(f"{clear:,} pictures with transparency are laid on white")
    if several := sum(header.several for header in headers):
        notes.append(f"{several:,} files hold several pictures: the first is taken")
    return Plan(shape, asked.image_white or (SIXTEEN_BITS if deep else EIGHT_BITS), notes)


def _resizing(sizes: NDArray[np.int64], shape: tuple[int, int, int], why: str) -> str:
    """What becomes of pictures of these (rows, columns), in words."""
    _, rows, columns = shape
    if (sizes == (rows, columns)).all():
        return f"all pictures are {columns}x{rows} pixels and stay so"
    order = sizes.prod(axis=1).argsort(kind="stable")
    least, most = (f"{sizes[number, 1]}x{sizes[number, 0]}" for number in order[[0, -1]])
    span = least if (sizes == sizes[0]).all() else f"{least} to {most}"
    return f"pictures of {span} pixels are scaled and cropped at the centre to {columns}x{rows} ({why})"


def _check_room(place: Path, root: Path, plan: Plan, count: int) -> None:
    needed = count * int(np.prod(plan.shape)) * number_type(plan.white).itemsize
    free = shutil.disk_usage(place).free
    if needed > free:
        raise InputError(
            f"{root}: {count:,} pictures of {plan.shape[2]}x{plan.shape[1]} take {needed / 1e9:,.1f} GB of"
            f" {place.parent}, where {free / 1e9:,.1f} GB are free",
            "give a smaller --image-size, or name another folder in TRIARCH_CACHE",
        )
