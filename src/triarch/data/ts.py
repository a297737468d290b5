"""`.ts` files of the UCR/UEA archive: a line an item, channels between colons, the class at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.data.asked import Asked
from triarch.data.cache import Draft, cached
from triarch.data.source import Source

TRAIN, TEST = "_TRAIN.ts", "_TEST.ts"
FORMAT = "a .ts file has @ lines, @data, then value,value,…:class in each line"


def holds_ts(folder: Path) -> bool:
    """Whether there is a NAME_TRAIN.ts."""
    return any(folder.glob(f"*{TRAIN}"))


def read_ts(path: Path, asked: Asked, report: Report) -> Source:
    """A `.ts` file, or a folder with NAME_TRAIN.ts and NAME_TEST.ts.

    Where NAME_TRAIN.ts has a NAME_TEST.ts beside it, that is the confirm split.

    Raises:
        InputError: a line cannot be read.
    """
    if path.is_dir():
        found = sorted(path.glob(f"*{TRAIN}"))
        if len(found) > 1:
            raise InputError(f"{path}: holds {len(found)} data sets", f"name one of them, {found[0]}, say")
        path = found[0]
    asked.refuse(f"{path}: a .ts file", "target", "group", "image_size")
    if asked.modality not in (None, "series"):
        raise InputError(f"{path}: holds series, not {asked.modality}", "leave --input out")
    test = path.with_name(path.name.removesuffix(TRAIN) + TEST)
    parts = {"train": path, "confirm": test} if path.name.endswith(TRAIN) and test.is_file() else {"": path}
    name = path.name.removesuffix(TRAIN).removesuffix(".ts")
    notes = [f"confirm: {test.name}, as it stands beside"] if len(parts) == 2 else []

    def read(folder: Path) -> None:
        places: list[str] = []
        draft = Draft(folder, lambda row: places[row])
        for done, (part, file) in enumerate(parts.items()):
            for number, series, label in _lines(file):
                places.append(f"{file}: line {number}")
                draft.add(series, label, part=part)
                if len(draft) % 256 == 0:
                    report(done / len(parts), f"reading {file.name}, item {len(draft):,}")
        draft.finish(name, "series", notes)

    return cached(path, parts.values(), asked, read)


def _lines(path: Path) -> Iterator[tuple[int, NDArray[np.float32], str]]:
    """Line number, series (T C) and class of each item."""
    reading, classes = False, True
    channels = 0
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                line = line.strip()
                if not line or line.startswith(("#", "%")):
                    continue
                if not reading:
                    reading, classes = _header(line, classes, f"{path}: line {number}")
                    continue
                *columns, label = line.split(":")
                if not classes or not columns:
                    raise InputError(f"{path}: line {number} has no class", FORMAT)
                channels = channels or len(columns)
                if len(columns) != channels:
                    raise InputError(f"{path}: line {number} has {len(columns)} channels, the first {channels}", FORMAT)
                yield number, _series(columns, f"{path}: line {number}"), label.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})", FORMAT) from error
    if not reading:
        raise InputError(f"{path}: has no @data", FORMAT)


def _header(line: str, classes: bool, where: str) -> tuple[bool, bool]:
    """Whether the data begins after this line, and whether items have classes."""
    key, _, value = line.lower().partition(" ")
    if not key.startswith("@"):
        raise InputError(f"{where} stands before @data", FORMAT)
    if key == "@timestamps" and value.strip() == "true":
        raise InputError(f"{where}: series with time stamps cannot be read so far", "write the values alone")
    if key == "@targetlabel" and value.strip() == "true":
        raise InputError(f"{where}: the targets are continuous", "only classes can be learned so far")
    if key == "@classlabel":
        classes = value.split()[:1] != ["false"]
    return key == "@data", classes


def _series(columns: list[str], where: str) -> NDArray[np.float32]:
    try:
        values = [np.array(column.split(","), dtype=np.float32) for column in columns]
    except ValueError:
        missing = any("?" in column for column in columns)
        told = "has a missing value (?)" if missing else "holds something that is no number"
        raise InputError(f"{where} {told}", "fill it in or leave the line out") from None
    if len({len(channel) for channel in values}) > 1:
        lengths = ", ".join(str(len(channel)) for channel in values)
        raise InputError(f"{where}: its channels differ in length ({lengths[:60]})", "bring them to one length")
    series = np.stack(values, axis=1)
    if not np.isfinite(series).all():
        raise InputError(f"{where} has a missing or infinite value", "fill it in or leave the line out")
    return series
