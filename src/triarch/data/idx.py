"""IDX files, as MNIST came in: inputs and labels side by side, gzipped or not → Source."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from triarch.core.errors import InputError
from triarch.core.progress import Report
from triarch.core.spec import Modality
from triarch.data.asked import Asked
from triarch.data.cache import Draft, cached
from triarch.data.classes import PARTS
from triarch.data.source import Source
from triarch.data.split import Split

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
WORDS: dict[str, Split] = PARTS | {"t10k": "confirm"}
CHANNELS = (1, 3, 4)
CHUNK_BYTES, MOST_ITEM_BYTES = 1 << 22, 1 << 30
IDX_ENDINGS = ("ubyte", "ubyte.gz", ".idx", ".idx.gz")
BESIDE = "labels are found by name: train-images-idx3-ubyte beside train-labels-idx1-ubyte"


class Pair(NamedTuple):
    """A file of inputs and that of their labels; `part` is empty where the data has no splits."""

    inputs: Path
    labels: Path
    part: str


class IdxFile:
    """An IDX file, read from its start to its end: two zero bytes, a type, the dimensions, the values.

    Attributes:
        shape: of all values; the first dimension is the item.

    Raises:
        InputError: it cannot be read, or its header makes no sense.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: IO[bytes] = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")  # type: ignore[assignment] # noqa: SIM115
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", "mend its permissions") from error
        first, second, code, dimensions = self._take(4)
        if first or second or code not in TYPES or not dimensions:
            raise InputError(f"{path} is no IDX file: it begins with {bytes((first, second, code)).hex(' ')}", BESIDE)
        self.dtype = np.dtype(TYPES[code])
        self.shape: tuple[int, ...] = tuple(np.frombuffer(self._take(4 * dimensions), dtype=">u4").tolist())
        self._item_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        if not 0 < self._item_bytes <= MOST_ITEM_BYTES or not self.shape[0]:
            raise InputError(f"{path} has shape {'x'.join(map(str, self.shape))} by its header", "write it again")

    def __enter__(self) -> IdxFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self) -> Iterator[NDArray[Any]]:
        """All items in their order, some MB at a time, in the byte order of this machine.

        Raises:
            InputError: the file is damaged, or its length is not that of its header.
        """
        step = max(1, CHUNK_BYTES // self._item_bytes)
        for start in range(0, self.shape[0], step):
            count = min(step, self.shape[0] - start)
            values = np.frombuffer(self._take(count * self._item_bytes), dtype=self.dtype)
            yield values.astype(self.dtype.newbyteorder("=")).reshape(count, *self.shape[1:])
        if self._read(1):
            raise InputError(f"{self.path} goes on after the {self.shape[0]:,} items of its header", "write it again")

    def _take(self, size: int) -> bytes:
        content = self._read(size)
        if len(content) < size:
            raise InputError(f"{self.path} is cut off: there is less in it than an IDX header tells", "copy it again")
        return content

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self.path} is damaged: {error}", "copy it again") from error


def holds_idx(folder: Path) -> bool:
    """Whether an IDX file lies in it."""
    return any(_is_idx(path) for path in folder.glob("*"))


def read_idx(path: Path, asked: Asked, report: Report) -> Source:
    """A file of inputs whose labels lie beside it; or a folder with such pairs, one for each split.

    Raises:
        InputError: a file is missing or damaged, or the two do not fit together.
    """
    asked.refuse(f"{path}: IDX", "target", "group", "image_size")
    pairs = _pairs(path) if path.is_dir() else [Pair(path, _labels_beside(path), "")]
    files = [file for pair in pairs for file in (pair.inputs, pair.labels)]
    return cached(path, files, asked, lambda place: _fill(place, path, pairs, asked.modality, report))


def _is_idx(path: Path) -> bool:
    return path.name.lower().endswith(IDX_ENDINGS)


def _pairs(folder: Path) -> list[Pair]:
    """The pairs of a folder, and the splits that their names tell where there are several."""
    found = [path for path in sorted(folder.iterdir()) if _is_idx(path) and "labels" not in path.name]
    found = [path for path in found if path.suffix != ".gz" or path.with_suffix("") not in found]
    if not found:
        raise InputError(f"{folder} holds labels alone", BESIDE)
    if len(found) == 1:
        return [Pair(found[0], _labels_beside(found[0]), "")]
    pairs: dict[Split, Pair] = {}
    for path in found:
        part = next((WORDS[word] for word in re.split(r"[-_.]", path.name.lower()) if word in WORDS), None)
        if part is None or part in pairs:
            raise InputError(
                f"{path}: its name does not tell its split among the {len(found)} files of inputs",
                f"name one file as the data: {path}",
            )
        pairs[part] = Pair(path, _labels_beside(path), part)
    if "train" not in pairs:
        raise InputError(f"{folder} has no inputs for train", f"name one file as the data: {found[0]}")
    return list(pairs.values())


def _labels_beside(inputs: Path) -> Path:
    """The file of labels: its name differs in that word, in the number of dimensions and perhaps in .gz."""

    def stem(path: Path) -> str:
        return re.sub(r"idx\d", "idx", path.name.removesuffix(".gz"))

    if "labels" in inputs.name:
        raise InputError(f"{inputs} is a file of labels", "name the file of images beside it")
    wanted = re.sub("images|data|inputs", "labels", stem(inputs))
    for beside in sorted(inputs.parent.iterdir()):
        if beside != inputs and _is_idx(beside) and stem(beside) == wanted:
            return beside
    raise InputError(f"{inputs}: there is no file of its labels beside it", BESIDE)


def _fill(place: Path, path: Path, pairs: list[Pair], asked: Modality | None, report: Report) -> None:
    """Read all into the cache's folder `place`."""
    draft = Draft(place, lambda number: f"{path}: item {number:,}")
    with IdxFile(pairs[0].inputs) as file:
        kind, item = file.dtype, file.shape[1:]
    modality, note = _modality(pairs[0].inputs, item, asked)
    white = 255.0 if kind == np.uint8 else 1e-12
    for number, pair in enumerate(pairs):
        labels = _labels(pair.labels)
        with IdxFile(pair.inputs) as file:
            if (file.dtype, file.shape[1:]) != (kind, item):
                raise InputError(
                    f"{pair.inputs} holds items of shape {file.shape[1:]}, {pairs[0].inputs} of {item}",
                    "bring them to one shape and type",
                )
            if len(labels) != file.shape[0]:
                raise InputError(
                    f"{pair.inputs} holds {file.shape[0]:,} items, but {pair.labels.name} {len(labels):,} labels",
                    "give one label for each item",
                )
            done = 0
            for values in file.chunks():
                if not np.isfinite(values).all():
                    raise InputError(f"{pair.inputs} has a missing or infinite value", "fill it in")
                white = max(white, float(values.max()))
                for one, label in zip(_arranged(values, modality), labels[done : done + len(values)]):
                    draft.add(one, label, part=pair.part)
                done += len(values)
                report((number + done / file.shape[0]) / len(pairs), f"{done:,} of {file.shape[0]:,} items")
    draft.finish(path.resolve().name, modality, [note], white if modality == "image" else 1.0)


def _labels(path: Path) -> list[float]:
    with IdxFile(path) as file:
        if len(file.shape) != 1:
            raise InputError(f"{path} has shape {file.shape}, but one label an item is wanted", BESIDE)
        return [label for values in file.chunks() for label in values.tolist()]


def _modality(path: Path, item: tuple[int, ...], asked: Modality | None) -> tuple[Modality, str]:
    """What items of this shape are, and how that was inferred."""
    shape = "x".join(map(str, item))
    if asked != "text":
        if len(item) == 1 and asked != "image":
            return "series", f"{shape} numbers an item: series of one channel"
        if len(item) == 2 and asked == "series":
            return "series", f"{shape} an item: series of {item[1]} channel(s)"
        if len(item) == 2 or (len(item) == 3 and asked != "series" and (item[2] in CHANNELS or item[0] in CHANNELS)):
            return "image", f"{shape} an item: images"
    wanted = f", but --input is {asked}" if asked else ""
    raise InputError(
        f"{path} holds items of shape {shape or 'one number'}{wanted}",
        "images have shape (items, rows, columns), with 1, 3 or 4 channels last; series (items, steps)",
    )


def _arranged(values: NDArray[Any], modality: Modality) -> NDArray[Any]:
    """As `Source` has them: images (I C Y X), series (I T C)."""
    if modality == "series":
        return (values[..., None] if values.ndim == 2 else values).astype(np.float32)
    if values.ndim == 3:
        return values[:, None]
    return values.transpose(0, 3, 1, 2) if values.shape[3] in CHANNELS else values
