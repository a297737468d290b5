"""What lies in a folder that has a folder for each class: `root/class/file`, or `root/split/class/file`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar
from unicodedata import normalize

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.data.ahead import ahead
from triarch.data.known import IGNORED, Split, some
from triarch.data.known import PARTS as PARTS
from triarch.data.known import endings as endings
from triarch.data.tokens import encodable

REPORT_EVERY = 100

T = TypeVar("T")


class ClassFolder(NamedTuple):
    """The files of a class, in the order of their names; `part` is empty where the data has no splits."""

    path: Path
    label: str
    part: str
    files: list[Path]


class Item(NamedTuple):
    """One file that is read."""

    path: Path
    label: str
    part: str


@dataclass(frozen=True)
class Classes:
    """Made by `survey`.

    Attributes:
        loose: files that lie in no class folder.
    """

    root: Path
    folders: list[ClassFolder]
    loose: list[Path]

    def choose(self, kind: str, wanted: Callable[[Path], bool]) -> tuple[list[Item], list[str]]:
        """The items that are `wanted`, and a note on the files that are not.

        Args:
            kind: what is wanted, in the plural.

        Raises:
            InputError: a class has none.
        """
        items = [
            Item(path, folder.label, folder.part) for folder in self.folders for path in folder.files if wanted(path)
        ]
        filled = {(item.part, item.label) for item in items}
        for folder in self.folders:
            if (folder.part, folder.label) not in filled:
                raise InputError(
                    f"{folder.path} holds no {kind}: {endings(folder.files)}",
                    f"put {kind} in it, or take the folder out",
                )
        rest = [*self.loose, *(path for folder in self.folders for path in folder.files if not wanted(path))]
        shown = some([str(path.relative_to(self.root)) for path in rest])
        return items, [f"{len(rest):,} files are left out, they are no {kind} of a class: {shown}"] if rest else []


def survey(root: Path) -> Classes:
    """The class folders of `root` and their files. Hidden files, and those that systems leave behind, are passed over.

    Raises:
        InputError: there are none, one is empty, folders lie deeper, or the splits do not fit together.
    """
    tops, loose = listing(root)
    if not tops:
        what = f"holds {loose[0].name} but no class folders" if loose else "is empty"
        raise InputError(f"{root} {what}", f"make a folder for each class: {root}/CLASS/FILE")
    inside = {top: listing(top) for top in tops}
    if any(folders for folders, _ in inside.values()):
        parts = _parts(root, {top: folders for top, (folders, _) in inside.items()})
        loose += [path for top in tops for path in inside[top][1]]
        classes = [_class(folder, part, *listing(folder)) for top, part in parts.items() for folder in inside[top][0]]
        _check_parts(classes)
    else:
        classes = [_class(top, "", *inside[top]) for top in tops]
    return Classes(root, classes, loose)


def read_each(read: Callable[[Path], T], items: Sequence[Item], kind: str, report: Report) -> Iterator[tuple[Item, T]]:
    """Each item and what `read` makes of its file, in their order, up to the first that cannot be read.

    The rest is tried too, so that one error names all files that are at fault.

    Args:
        kind: what the items are, in the plural.

    Raises:
        InputError: files cannot be read.
    """
    faults: list[tuple[Path, InputError]] = []

    def attempt(item: Item) -> T | InputError:
        try:
            return read(item.path)
        except InputError as error:
            return error

    for number, (item, result) in enumerate(zip(items, ahead(attempt, items))):
        if isinstance(result, InputError):
            faults.append((item.path, result))
        elif not faults:
            yield item, result
        if number % REPORT_EVERY == 0:
            report(number / len(items), f"{number:,} of {len(items):,} {kind}")
    if faults:
        what, _, remedy = str(faults[0][1]).partition("\n")
        if len(faults) > 1:
            what += f"\nand {len(faults) - 1:,} more: {some([str(path) for path, _ in faults[1:]])}"
        raise InputError(what, remedy)


def listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders and the files in it, by name."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name.lower() not in IGNORED:
                    (folders if _is_folder(entry) else files).append(entry.name)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}", "mend its permissions, or copy it") from error
    return [folder / name for name in sorted(folders)], [folder / name for name in sorted(files)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _parts(root: Path, inside: dict[Path, list[Path]]) -> dict[Path, Split]:
    """The split that each folder of `root` is."""
    strange = [top for top in inside if top.name.lower() not in PARTS]
    deep = [top for top in inside if inside[top]]
    splits = [top for top in deep if top not in strange]
    if strange and splits:
        raise InputError(f"{strange[0]} is no split, but {splits[0]} beside it is", "take it out, or put it in a split")
    if strange and len(inside) == 1:
        raise InputError(f"{deep[0]} lies alone in {root}, with folders in it", f"name {deep[0]} as the data")
    if strange:
        raise InputError(
            f"{inside[deep[0]][0]} lies too deep: {deep[0]} would be a class, and hold files alone",
            f"{root}/CLASS/FILE is wanted, or {root}/train/CLASS/FILE and the same with val and test",
        )
    parts: dict[Path, Split] = {}
    for top, folders in inside.items():
        part = PARTS[top.name.lower()]
        if not folders:
            raise InputError(f"{top} holds no class folders", f"make a folder for each class: {top}/CLASS/FILE")
        for other, taken in parts.items():
            if taken == part:
                raise InputError(f"{other} and {top} are both the split {part}", "put one into the other")
        parts[top] = part
    if "train" not in parts.values():
        raise InputError(f"{root} has {some([top.name for top in parts])} but no train", "name the folder train")
    return parts


def _class(folder: Path, part: str, deeper: list[Path], files: list[Path]) -> ClassFolder:
    if deeper:
        raise InputError(
            f"{deeper[0]} lies too deep: {folder} is a class, and holds files alone",
            f"lift what is in it to {folder}, or take it out",
        )
    if not encodable(folder.name):
        raise InputError(f"the name of {str(folder)!a} is not UTF-8", "rename the folder")
    if not files:
        raise InputError(f"{folder} is empty", "fill it, or take the folder out")
    return ClassFolder(folder, normalize("NFC", folder.name), part, files)


def _check_parts(classes: list[ClassFolder]) -> None:
    """Check that train has every class."""
    known = {folder.label for folder in classes if folder.part == "train"}
    for folder in classes:
        if folder.label not in known:
            raise InputError(
                f"{folder.path}: train has no class {folder.label!r}", "give train items of it, or take the folder out"
            )
