"""Data sets of the Hugging Face hub, and those that `datasets` saved to a folder, through that library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from triarch.core.errors import InputError, near
from triarch.core.progress import Report
from triarch.data.asked import Asked
from triarch.data.cache import Draft, cached
from triarch.data.classes import PARTS
from triarch.data.picture import Held, quiet, read_header, read_picture
from triarch.data.pictures import Plan, make_plan
from triarch.data.source import Source
from triarch.data.tables import ROWS, fill

PREFIX = "hf:"


def read_hub(name: str, asked: Asked, report: Report) -> Source:
    """The data set `org/name` of the hub, or the folder of one that `save_to_disk` wrote.

    Its validation and test splits are select and confirm. Items whose class is -1, as in a test split without answers,
    are left out.

    Raises:
        InputError: `datasets` is not installed, there is no such data set, or it cannot be learned from.
    """
    if find_spec("datasets") is None:
        raise InputError(f"{PREFIX}{name}: the library `datasets` is not there", "pip install 'triarch[hf]'")
    library = import_module("datasets")
    local = Path(name)
    try:
        loaded = library.load_from_disk(name) if local.is_dir() else library.load_dataset(name)
    except Exception as error:  # the library's errors have no common base
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"{PREFIX}{name}: cannot be loaded: {told}", "is the name right, and is there a network?"
        ) from None
    splits = dict(loaded) if isinstance(loaded, library.DatasetDict) else {"": loaded}
    unknown = [split for split in splits if split and split not in PARTS]
    if unknown:
        raise InputError(f"{PREFIX}{name}: what is its split {unknown[0]!r} for?", near(unknown[0], PARTS))
    place = local if local.is_dir() else Path("/") / PREFIX / name
    files = [Path(file["filename"]) for split in splits.values() for file in split.cache_files]

    def read(folder: Path) -> None:
        draft = Draft(folder, lambda row: f"{PREFIX}{name}: item {row + 1}")
        first = next(iter(splits.values()))
        picture = next((column for column in asked.inputs or first.features if _kind(first, column) == "Image"), None)
        if picture is not None:
            plan = _pictures(draft, splits, picture, asked, report, f"{PREFIX}{name}")
            draft.finish(local.name, "image", [f"input: column {picture!r}", *plan.notes], plan.white)
            return
        columns, left = None, 0
        for split, dataset in splits.items():
            label = asked.target or _target(dataset)
            frames, unlabelled = _frames(dataset, label, report, split or name)
            columns = fill(
                draft, frames, replace(asked, target=label), f"{PREFIX}{name}", _part(split, splits), columns
            )
            left += len(unlabelled)
        if columns is None:
            raise InputError(f"{PREFIX}{name}: there are no items")
        notes = [f"{left:,} items without a class are left out"] if left else []
        draft.finish(local.name, columns.modality, [*columns.notes, *notes])

    return cached(place, files, asked, read)


def _part(split: str, splits: Mapping[str, Any]) -> str:
    return PARTS[split] if len(splits) > 1 else ""


def _kind(dataset: Any, column: str) -> str:
    return type(dataset.features.get(column)).__name__


def _pictures(draft: Draft, splits: Mapping[str, Any], column: str, asked: Asked, report: Report, name: str) -> Plan:
    """Put pictures into a draft: their headers first, which tell the shape, then they themselves."""
    asked.refuse(f"{name}: a set of pictures", "group")

    def each(what: str) -> Iterator[tuple[Any, str, str]]:
        """Pictures as files, their classes and splits."""
        for split, dataset in splits.items():
            target = asked.target or _target(dataset)
            if target is None or target not in dataset.features:
                raise InputError(f"{name}: which column is the target?", near(target or "label", dataset.features))
            names = getattr(dataset.features[target], "names", None)
            files = dataset.cast_column(column, import_module("datasets").Image(decode=False))
            for row, item in enumerate(files):
                held, label = item[column], item[target]
                report(row / len(dataset), what)
                if names is not None and (label is None or label < 0):
                    continue
                where = f"{name}: {split or 'item'} {row + 1}"
                if not held or not (held["bytes"] or held["path"]):
                    raise InputError(f"{where} has no picture", "leave it out")
                file = Held(held["bytes"], where) if held["bytes"] else Path(held["path"])
                yield file, label if names is None else names[label], _part(split, splits)

    with quiet():
        plan = make_plan([read_header(file) for file, _, _ in each("headers")], asked)
        for file, label, part in each("pictures"):
            draft.add(read_picture(file, plan.shape, plan.white), label, part=part)
    return plan


def _target(dataset: Any) -> str | None:
    """The column whose feature is a class, where there is just one."""
    classes = [name for name in dataset.features if _kind(dataset, name) == "ClassLabel"]
    return classes[0] if len(classes) == 1 else None


def _frames(dataset: Any, target: str | None, report: Report, what: str) -> tuple[Iterator[pd.DataFrame], list[int]]:
    """Pieces of a split with class names instead of numbers, and a list that grows by the rows left out."""
    names = getattr(dataset.features.get(target), "names", None) if target else None
    left: list[int] = []

    def frames() -> Iterator[pd.DataFrame]:
        done = 0
        for frame in dataset.with_format("pandas").iter(batch_size=ROWS):
            done += len(frame)
            if names is not None:
                known = frame[target] >= 0
                left.extend(frame.index[~known])
                frame = frame[known].assign(**{str(target): [names[number] for number in frame[target][known]]})
            if len(frame):
                yield frame
            report(done / max(1, len(dataset)), f"reading {what}")

    return frames(), left
