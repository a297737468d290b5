"""Writing so that a reader never sees half a file, and nothing of the user's is overwritten."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triarch.core.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file: temporary name, fsync, rename. Its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """`write_bytes` in UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """`write_bytes` as indented JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


class FolderTaken(InputError):
    """Something is in a folder that was to be made."""


def new_folder(out: Path | None, stem: str, first: Mapping[str, str], resume: str) -> Path:
    """Make the folder of a run, which appears at once with its first files in it.

    Args:
        out: where; None: the first free `runs/STEM-N`.
        stem: the name of a folder that triarch chooses.
        first: relative path → text of the files it is born with.
        resume: the command that goes on with a run already there, for the refusal.

    Raises:
        InputError: `out` is there and is not an empty folder.
    """
    if out is not None:
        if not _publish(out, first):
            raise InputError(
                f"{out} is there already and is not an empty folder",
                f"choose another --out, or go on with the run in it: {resume} --resume {out}",
            )
        return out
    for number in itertools.count(1):
        folder = Path("runs") / f"{stem}-{number}"
        if not folder.exists() and _publish(folder, first):
            return folder
    raise AssertionError("unreachable")


def _publish(folder: Path, first: Mapping[str, str]) -> bool:
    try:
        with whole_folder(folder) as made:
            for name, content in first.items():
                write_text(made / name, content)
    except FolderTaken:
        return False
    return True


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder to write in, which takes the place of `folder` once all is written; after an error it is gone.

    Raises:
        FolderTaken: `folder` is there and is not an empty folder.
        InputError: it cannot be written.
    """
    taken = FolderTaken(f"{folder} is there already and is not an empty folder", "choose another --out")
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise taken
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise InputError(f"cannot write in {folder.parent}: {error.strerror}", "choose another --out") from error
    try:
        made.chmod(0o755)
        yield made
        try:
            made.rename(folder)
        except OSError:
            raise taken from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process, so that two never write the same run.

    Raises:
        InputError: another process holds it, or it cannot be written in.
    """
    try:
        lock = open(folder / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"cannot write in {folder}: {error.strerror}") from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another process is working in {folder}", "wait for it, or stop it") from None
        yield


def folder_bytes(folder: Path) -> int:
    """The size of an artifact: every file of `folder` except those of its `run/`."""
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "run"
    )
