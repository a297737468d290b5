"""Raw data as it came, checked, before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.spec import Future, Modality
from triarch.data.blocks import Blocks
from triarch.data.store import Ragged, Texts
from triarch.data.template import Template
from triarch.data.times import stepped
from triarch.data.windows import Windows

FEWEST_PER_CLASS = 3

Inputs = NDArray[Any] | Sequence[str] | Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Continuation:
    """What is known of series beside their windows.

    Attributes:
        lags: after how many steps they may repeat.
        names, starts: of each series, its name and its first time.
        panel: the series (T C).
        series, origins: (I), the series of each window and the step in it where the future begins.
        units: (I), the mean absolute change of the series over a season.
    """

    future: Future
    lags: tuple[int, ...]
    names: tuple[str, ...]
    starts: tuple[str, ...]
    panel: Ragged
    series: NDArray[np.int64]
    origins: NDArray[np.int64]
    units: NDArray[np.float32]

    def time(self, series: int, step: int) -> str:
        """When a step of a series is, as it is written."""
        return stepped(self.starts[series], step, self.future.step)


@dataclass(frozen=True)
class Corpus:
    """What is known of a corpus beside its blocks.

    Attributes:
        tokenizer: fitted on its training documents, or a model's.
        context: T, the most steps that a model sees.
        documents, bytes: how many, and of how many bytes in UTF-8.
        units: (I), the bytes of a block, on average over its split: what the bits of a block are divided by, so that
            the mean over a split is all bits over all bytes.
        removed: how many documents each filter took out, in its words.
        template: where they are dialogues, of which answers alone are sought, how these are written.
        whole_words: whether the words of hidden tokens are hidden whole.
    """

    tokenizer: Tokenizer
    context: int
    documents: int
    bytes: int
    units: NDArray[np.float32]
    removed: Mapping[str, int] = field(default_factory=dict)
    template: Template | None = None
    whole_words: bool = False


@dataclass(frozen=True)
class Parallel:
    """What is known of pairs of texts beside their inputs.

    Attributes:
        texts: (I), what each input becomes.
    """

    texts: Texts

    @property
    def unit(self) -> float:
        """The bytes of an answer, on average."""
        return float(self.texts.encoded.lengths.mean())


@dataclass(frozen=True)
class Source:
    """A data set, in memory or mapped from files of the cache.

    Attributes:
        inputs: images (I C Y X) or series (I T C); Ragged series (T C) where lengths differ; Texts; Windows; Blocks.
        labels: (I), positions in `class_names`; where series are continued (I H), their next values; of blocks of text
            the bytes that they stand for.
        groups: (I), items of one group stay in one split; None: each item is its own.
        parts: (I), the split that the data itself assigns: `train`, `select` or `confirm`; None: it assigns none.
        scale: the value of white in images; pixels are divided by it.
        notes: what was inferred, in words.
        folder: of the cache, where it lies there.
        digest, prints: hash of the content, and of each input (I), where they are known already.
        continued: where series are continued, and the items are windows of them.
        corpus: where language is modelled, and the items are blocks of documents.
        parallel: where each item is a text that becomes another; its label is the number of bytes of that.
    """

    name: str
    modality: Modality
    inputs: NDArray[Any] | Ragged | Texts | Windows | Blocks
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    groups: NDArray[Any] | None = None
    parts: NDArray[np.str_] | None = None
    scale: float = 1.0
    notes: list[str] = field(default_factory=list)
    folder: Path | None = None
    digest: str | None = None
    prints: NDArray[np.uint64] | None = None
    continued: Continuation | None = None
    corpus: Corpus | None = None
    parallel: Parallel | None = None

    @property
    def units(self) -> NDArray[np.float32] | None:
        """What the error of each item counts by (I), where errors count by anything."""
        known = self.continued or self.corpus
        return None if known is None else known.units

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: inputs, labels and names."""
        return self.digest or self._hashes[0]

    @cached_property
    def input_prints(self) -> NDArray[np.uint64]:
        """A hash of each input (I): equal where inputs are."""
        return self._hashes[1] if self.prints is None else self.prints

    @cached_property
    def _hashes(self) -> tuple[str, NDArray[np.uint64]]:
        hashes = Hashes()
        hashes.add(self.inputs)
        return hashes.finish(self.labels, self.class_names)

    def take(self, index: NDArray[np.int64]) -> Inputs:
        """The raw inputs at `index`."""
        if isinstance(self.inputs, np.ndarray):
            return self.inputs[index]
        if isinstance(self.inputs, Windows):
            return self.inputs.take(index)
        return [self.inputs[number] for number in index.tolist()]


class Hashes:
    """The fingerprint of a data set and of each of its inputs, made as they come."""

    def __init__(self) -> None:
        self._all = blake2b(digest_size=16)
        self._each = bytearray()

    def add(self, inputs: Iterable[Any]) -> None:
        """The next inputs: arrays or texts."""
        for item in inputs:
            content = item.encode() if isinstance(item, str) else np.ascontiguousarray(item).tobytes()
            self._all.update(len(content).to_bytes(8, "little") + content)
            self._each += blake2b(content, digest_size=8).digest()

    def finish(self, labels: NDArray[np.int64], class_names: tuple[str, ...]) -> tuple[str, NDArray[np.uint64]]:
        """The fingerprint of all, and the hash of each input (I)."""
        self._all.update(labels.tobytes() + "\0".join(class_names).encode())
        return self._all.hexdigest(), np.frombuffer(bytes(self._each), dtype=np.uint64)


def check(source: Source) -> Source:
    """The source itself, where it is whole.

    Raises:
        InputError: inputs and labels differ in number; a value is missing.
    """
    name = source.name
    if len(source.inputs) != len(source.labels):
        raise InputError(
            f"{name}: {len(source.inputs):,} inputs but {len(source.labels):,} labels",
            "give one label for each input",
        )
    if isinstance(source.inputs, Texts):
        return source
    for row, item in enumerate(source.inputs):
        if not np.isfinite(item).all():
            raise InputError(f"{name}: row {row} has a missing or infinite value", "fill it in or leave the row out")
        if item.size == 0:
            raise InputError(f"{name}: row {row} is empty", "leave the row out")
    return source


def check_learnable(source: Source) -> None:
    """Check that it can be split and learned from.

    Raises:
        InputError: fewer than two classes; a class with fewer items than there are splits.
    """
    name, classes = source.name, len(source.class_names)
    if classes < 2:
        only = f" ({source.class_names[0]!r})" if classes else ""
        raise InputError(f"{name}: only {classes} class in the labels{only}", "classification needs two or more")
    counts = np.bincount(source.labels, minlength=classes)
    rare = np.flatnonzero(counts < FEWEST_PER_CLASS)
    if rare.size > classes // 2 and classes > 20:
        raise InputError(
            f"{name}: {classes:,} classes among {len(source):,} items, most of them with one or two items",
            "is this column the target? name another with --target",
        )
    if rare.size:
        first = source.class_names[int(rare[counts[rare].argmin()])]
        raise InputError(
            f"{name}: class {first!r} has {counts.min()} item(s); each split needs one, so {FEWEST_PER_CLASS} at least",
            "collect more, or leave the class out",
        )
