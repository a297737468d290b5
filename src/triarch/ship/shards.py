"""The safetensors files of a folder: one, or several with an index of which tensor lies where."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from triarch.core.errors import InputError
from triarch.core.files import write_bytes, write_json

ONE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = ("F64", "F32", "F16", "BF16")
FLOAT_BYTES = 4
MOST_JSON = 64_000_000
Shape = tuple[int, ...]


class Tensors:
    """Tensors of a folder, whose shapes are known without reading them. A context manager, that holds the files open.

    Attributes:
        shapes: of each by its name.

    Raises:
        InputError: there are no such files, or they do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = ExitStack()
        self._files: dict[str, Any] = {}
        self.shapes: dict[str, Shape] = {}
        self._types: dict[str, str] = {}
        try:
            for file, names in _files(folder).items():
                self._add(file, names)
        except BaseException:
            self._open.close()
            raise

    def _add(self, file: str, names: list[str] | None) -> None:
        try:
            opened = self._open.enter_context(safe_open(self.folder / file, framework="pt"))
            there = set(opened.keys())
            for name in sorted(there if names is None else names):
                if name not in there:
                    raise InputError(f"{self.folder / file}: there is no {name!r}, which {INDEX} looks for there")
                part = opened.get_slice(name)
                self._files[name] = opened
                self.shapes[name], self._types[name] = tuple(part.get_shape()), part.get_dtype()
        except (OSError, SafetensorError) as error:
            told = " ".join(str(error).split())[:200]
            raise InputError(f"{self.folder / file} cannot be read: {told}", "fetch it again") from error

    def __enter__(self) -> Tensors:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read(self, name: str) -> Tensor:
        """One tensor, of its own type.

        Raises:
            InputError: its numbers are no floats, as where a model was quantised.
        """
        if self._types[name] not in FLOATS:
            raise InputError(
                f"{self.folder}: {name} holds {self._types[name]}, triarch reads {', '.join(FLOATS)}",
                "give the model as it was before it was quantised",
            )
        made: Tensor = self._files[name].get_tensor(name)
        return made


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file.

    Raises:
        InputError: it cannot be read, is larger than 64 MB, or is something else.
    """
    found = _parsed(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: an object is wanted", "fetch it again")
    return found


def read_list(path: Path) -> list[Any]:
    """A list from a JSON file.

    Raises:
        InputError: as `read_json`.
    """
    found = _parsed(path)
    if not isinstance(found, list):
        raise InputError(f"{path}: a list is wanted", "fetch it again")
    return found


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_JSON:
            raise InputError(f"{path} is larger than {MOST_JSON:,} bytes")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}", "fetch it again") from error


def _files(folder: Path) -> dict[str, list[str] | None]:
    """File → the tensors to take from it; None: all."""
    if (folder / ONE).is_file():
        return {ONE: None}
    if not (folder / INDEX).is_file():
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        if pickled:
            raise InputError(
                f"{folder}: {pickled[0]} may run code when it is opened, and there is no {ONE}",
                "open it once with Transformers, where you trust it, and save_pretrained writes safetensors",
            )
        raise InputError(f"{folder}: there is neither {ONE} nor {INDEX}", "fetch the whole folder")
    where = read_json(folder / INDEX).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise InputError(f"{folder / INDEX}: there is no weight_map", "fetch it again")
    files: dict[str, list[str] | None] = {}
    for name, file in where.items():
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise InputError(f"{folder / INDEX}: {name} is said to lie in {file!r}, which is no file of the folder")
        if not (folder / file).is_file():
            raise InputError(f"{folder}: {file} is missing, which {INDEX} names", "fetch the whole folder")
        held = files.setdefault(file, [])
        assert held is not None
        held.append(name)
    return files


def write_shards(
    folder: Path, shapes: Iterable[Mapping[str, Shape]], make: Callable[[int], Mapping[str, Tensor]], most: int
) -> None:
    """Write tensors in 32 bits, as one file or as several with an index, each made when its turn comes.

    Args:
        shapes: of each group of tensors, which stay in one file.
        make: the number of a group → its tensors.
        most: bytes of a file, unless a single group has more.
    """
    groups = list(shapes)
    sizes = [sum(_numbers(shape) for shape in group.values()) * FLOAT_BYTES for group in groups]
    files: list[list[int]] = [[]]
    held = 0
    for number, size in enumerate(sizes):
        if files[-1] and held + size > most:
            files.append([])
            held = 0
        files[-1].append(number)
        held += size
    where: dict[str, str] = {}
    for place, numbers in enumerate(files, start=1):
        name = ONE if len(files) == 1 else f"model-{place:05}-of-{len(files):05}.safetensors"
        tensors = {key: value for number in numbers for key, value in make(number).items()}
        write_bytes(folder / name, save_tensors(tensors, metadata={"format": "pt"}))
        where |= dict.fromkeys(tensors, name)
    if len(files) > 1:
        write_json(folder / INDEX, {"metadata": {"total_size": sum(sizes)}, "weight_map": where})


def _numbers(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
