"""What was read from files is kept, so that it is decoded once and then mapped into memory.

An entry is a folder with raw arrays and a `source.json`. It belongs to one place and one way of reading it; it is made
anew when a file there changes, and any of it may be deleted at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from triarch.core.errors import InputError
from triarch.core.files import write_text
from triarch.core.spec import Modality
from triarch.data.labels import Labels
from triarch.data.source import Hashes, Parallel, Source
from triarch.data.store import Ragged, Texts, offsets

VERSION = 1
ABANDONED = 86_400
ARRAYS = ("labels", "prints", "offsets", "groups", "parts")


class _Entry(BaseModel):
    """`source.json`."""

    name: str
    modality: Modality
    dtype: str
    shape: tuple[int, ...]
    ragged: bool
    class_names: tuple[str, ...]
    scale: float
    notes: list[str]
    fingerprint: str


class Draft:
    """A data set as a reader collects it: items go to a file as they come, so that memory stays small.

    Args:
        where: item number → what to call the item in an error: its file, or its row.
    """

    def __init__(self, folder: Path, where: Callable[[int], str]) -> None:
        self.folder, self.where = folder, where
        self.labels = Labels(where)
        self._file: BinaryIO = open(folder / "inputs.bin", "wb")  # noqa: SIM115
        self._hashes = Hashes()
        self._lengths = array("q")
        self._dtype: np.dtype[Any] | None = None
        self._shape: tuple[int, ...] = ()
        self._same = True
        self._groups: list[Any] = []
        self._parts: list[str] = []

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, item: NDArray[Any] | str, label: Any, group: Any = None, part: str = "") -> None:
        """The next item: an image (C Y X), a series (T C), or a text.

        Args:
            group: of the item, where the data has groups.
            part: the split that the data assigns to it, where it does.

        Raises:
            InputError: the label is missing, or the item is not like the others.
        """
        content = np.frombuffer(item.encode(), np.uint8) if isinstance(item, str) else np.ascontiguousarray(item)
        if self._dtype is None:
            self._dtype, self._shape = content.dtype, content.shape
            self._same = not isinstance(item, str)
        if (content.shape[1:], content.dtype) != (self._shape[1:], self._dtype):
            raise InputError(
                f"{self.where(len(self))} has shape {content.shape} and type {content.dtype}, others {self._shape} and"
                f" {self._dtype}",
                "bring all to one",
            )
        self._same &= content.shape == self._shape
        self.labels.add(label)
        self._hashes.add([item])
        self._lengths.append(len(content))
        self._file.write(content.tobytes())
        if group is not None:
            self._groups.append(group)
        if part:
            self._parts.append(part)

    def finish(self, name: str, modality: Modality, notes: list[str], scale: float = 1.0) -> None:
        """Write the rest of the entry.

        Raises:
            InputError: there are no items, or the labels are continuous.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._dtype is None:
            raise InputError(f"{name}: there are no items")
        labels, class_names = self.labels.finish()
        fingerprint, prints = self._hashes.finish(labels, class_names)
        arrays = {"labels": labels, "prints": prints}
        if not self._same:
            arrays["offsets"] = offsets(np.frombuffer(self._lengths, dtype=np.int64))
        if self._groups:
            arrays["groups"] = np.unique(np.array(self._groups, dtype=str), return_inverse=True)[1]
        if self._parts:
            arrays["parts"] = np.array(self._parts)
        for file, values in arrays.items():
            np.save(self.folder / f"{file}.npy", values, allow_pickle=False)
        entry = _Entry(
            name=name, modality=modality, dtype=self._dtype.str, ragged=not self._same, class_names=class_names,
            shape=(len(labels), *self._shape) if self._same else (sum(self._lengths), *self._shape[1:]),
            scale=scale, notes=notes, fingerprint=fingerprint,
        )  # fmt: skip
        write_text(self.folder / "source.json", entry.model_dump_json(indent=1))


def cache_folder() -> Path:
    """TRIARCH_CACHE, else triarch in the user's cache."""
    if named := os.environ.get("TRIARCH_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triarch"


def stamp(files: Iterable[Path]) -> str:
    """Changes when one of the files does: their paths, sizes and times.

    Raises:
        InputError: a file is not there.
    """
    digest = blake2b(digest_size=12)
    for file in files:
        try:
            state = os.stat(file)
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}", "mend it, or take it out") from error
        digest.update(os.fsencode(os.path.abspath(file)))
        digest.update(f"\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def held(place: Path, files: Iterable[Path], asked: object) -> Source | None:
    """The source that lies in the cache already; see `cached`."""
    return _open(_folder(place, files, asked))


def cached(place: Path, files: Iterable[Path], asked: object, read: Callable[[Path], None]) -> Source:
    """The source that lies in the cache, after `read` has put it there if it has to.

    Args:
        place: what the user named.
        files: all files that are read.
        asked: how they are read; its text is part of the key.
        read: fills the folder that it is given, through a `Draft`.

    Raises:
        InputError: the cache cannot be written; and what `read` raises.
    """
    folder = _folder(place, files, asked)
    if (known := _open(folder)) is not None:
        return known
    home = folder.parent
    try:
        home.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(home)
        building = Path(tempfile.mkdtemp(dir=home, prefix=".building-"))
    except OSError as error:
        raise InputError(f"cannot write in {home}: {error.strerror}", "name another folder in TRIARCH_CACHE") from error
    try:
        read(building)
        if (known := _open(folder)) is not None:  # another process was quicker
            return known
        for old in home.glob(f"{folder.name.partition('-')[0]}-*"):
            shutil.rmtree(old, ignore_errors=True)
        building.rename(folder)
    except OSError as error:
        raise InputError(f"{home}: {error.strerror or error}", "name another folder in TRIARCH_CACHE") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    source = _open(folder)
    assert source is not None
    return source


def _clear_abandoned(home: Path) -> None:
    """Remove what processes that were killed had begun to build more than a day ago."""
    for begun in home.glob(".building-*"):
        with suppress(OSError):
            if time.time() - begun.stat().st_mtime > ABANDONED:
                shutil.rmtree(begun)


def _folder(place: Path, files: Iterable[Path], asked: object) -> Path:
    """The entry's folder: one name for the place and how it is read, and another for the state of its files."""
    what = f"{VERSION}\0{place.resolve()}\0{asked}".encode(errors="surrogateescape")
    return cache_folder() / f"{blake2b(what, digest_size=12).hexdigest()}-{stamp(files)}"


def _open(folder: Path) -> Source | None:
    """The source in `folder`; None where it is not there, or not whole."""
    try:
        entry = _Entry.model_validate_json((folder / "source.json").read_bytes())
        arrays = {
            name: np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in ARRAYS
            if (folder / f"{name}.npy").exists()
        }
        empty = 0 in entry.shape
        flat = np.empty(entry.shape, entry.dtype) if empty else np.memmap(
            folder / "inputs.bin", dtype=entry.dtype, mode="r", shape=entry.shape
        )  # fmt: skip
        values = np.asarray(flat)
        inputs: NDArray[Any] | Ragged | Texts = Ragged(values, arrays["offsets"]) if entry.ragged else values
        return Source(
            name=entry.name,
            modality=entry.modality,
            inputs=Texts(inputs) if entry.modality == "text" and isinstance(inputs, Ragged) else inputs,
            labels=arrays["labels"],
            class_names=entry.class_names,
            groups=arrays.get("groups"),
            parts=arrays.get("parts"),
            scale=entry.scale,
            notes=entry.notes,
            folder=folder,
            digest=entry.fingerprint,
            prints=arrays["prints"],
            parallel=_answers(folder),
        )
    except (OSError, ValueError, KeyError, ValidationError):
        return None


def _answers(folder: Path) -> Parallel | None:
    """The texts that its inputs become, where they do."""
    if not (folder / "answers.npy").exists():
        return None
    return Parallel(
        Texts(_mapped(folder / "answers.bin", np.dtype(np.uint8), np.load(folder / "answers.npy", allow_pickle=False)))
    )


def store(source: Source, folder: Path) -> None:
    """Write a source that lies in memory into `folder`, in place of what is there, for `stored` in another process."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    inputs = source.inputs.encoded if isinstance(source.inputs, Texts) else source.inputs
    values = np.ascontiguousarray(inputs.flat if isinstance(inputs, Ragged) else inputs)
    arrays = {"labels": source.labels, "prints": source.input_prints, "groups": source.groups, "parts": source.parts}
    if isinstance(inputs, Ragged):
        arrays["offsets"] = inputs.offsets
    values.tofile(folder / "inputs.bin")
    if source.parallel is not None:
        answers = source.parallel.texts.encoded
        arrays["answers"] = answers.offsets
        np.ascontiguousarray(answers.flat).tofile(folder / "answers.bin")
    for name, content in arrays.items():
        if content is not None:
            np.save(folder / f"{name}.npy", content, allow_pickle=False)
    entry = _Entry(
        name=source.name, modality=source.modality, dtype=values.dtype.str, shape=values.shape,
        ragged=isinstance(inputs, Ragged), class_names=source.class_names, scale=source.scale, notes=source.notes,
        fingerprint=source.fingerprint,
    )  # fmt: skip
    write_text(folder / "source.json", entry.model_dump_json(indent=1))


def stored(folder: Path) -> Source:
    """What `store` wrote.

    Raises:
        InputError: it is not there, or not whole.
    """
    source = _open(folder)
    if source is None:
        raise InputError(f"{folder} does not hold the data of this race any more", "go on with it: --resume")
    return source


def kept(
    folder: Path | None, name: str, dtype: np.dtype[Any], write: Callable[[BinaryIO], NDArray[np.int64]]
) -> Ragged:
    """A ragged array in a file of a cache entry, made by `write` where it is not there.

    Args:
        folder: of the entry; None: a file without a name that goes with the process.
        write: writes all steps and returns the lengths of the items.

    Raises:
        InputError: the cache cannot be written.
    """
    if folder is None:
        with tempfile.TemporaryFile() as file:
            return _mapped(file, dtype, offsets(write(file)))
    steps, places = folder / f"{name}.bin", folder / f"{name}.npy"
    if not places.exists():
        building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
        try:
            with open(building / steps.name, "wb") as file:
                lengths = write(file)
            np.save(building / places.name, offsets(lengths), allow_pickle=False)
            for made in (steps, places):  # the offsets last: they say that all is there
                (building / made.name).replace(made)
        except OSError as error:
            raise InputError(f"{folder}: {error.strerror or error}", "name another folder in TRIARCH_CACHE") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return _mapped(steps, dtype, np.load(places, allow_pickle=False))


def _mapped(file: Path | BinaryIO, dtype: np.dtype[Any], places: NDArray[np.int64]) -> Ragged:
    return Ragged(np.asarray(np.memmap(file, dtype=dtype, mode="r", shape=(int(places[-1]),))), places)
