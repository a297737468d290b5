"""From raw items to tensors: fitted on the training split, the same in training and in prediction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.spec import Future, Modality, Target
from triarch.core.types import Batch
from triarch.data.source import Inputs, Source
from triarch.data.store import Ragged
from triarch.data.template import Template
from triarch.data.tokens import encode
from triarch.data.windows import training_steps

SHORT, LONGEST_TEXT = 64, 512
CHUNK, CHUNK_VALUES = 1_000, 1 << 22

Encoded = NDArray[Any] | Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Settings:
    """What was fitted; everything but the vocabulary.

    Attributes:
        shape: of an item: images (C, Y, X), series (T, C), text (T,); longer texts are cut.
        scale: the value of white in raw images.
        mean, std: of each channel, after the division by `scale`.
        template: how dialogues are written, for a model that answers.
    """

    modality: Modality
    shape: tuple[int, ...]
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    template: Template | None = None


class Preprocessor:
    """Raw items ⇄ encoded items → Batch.

    Args:
        target: how answers that are texts become tokens.
    """

    def __init__(self, settings: Settings, tokenizer: Tokenizer | None, target: Target | None = None) -> None:
        self.settings = settings
        self.tokenizer = tokenizer
        self.target = target
        self._mean = np.array(settings.mean, dtype=np.float32)
        self._std = np.array(settings.std, dtype=np.float32)

    def changed(self, context: int | None = None, template: Template | None = None) -> Preprocessor:
        """For texts of another length (T), or dialogues written so; what is None stays."""
        known = self.settings
        made = replace(known, shape=(context or known.shape[0],), template=template or known.template)
        return Preprocessor(made, self.tokenizer, self.target)

    @classmethod
    def of_tokens(cls, tokenizer: Tokenizer, lengths: NDArray[np.int64]) -> Preprocessor:
        """For texts, of which the training split has these lengths in tokens (I)."""
        return cls(Settings("text", (usual_length(lengths),)), tokenizer)

    @classmethod
    def of_windows(cls, panel: Ragged, future: Future) -> Preprocessor:
        """For windows of series, of whose training part the inputs beside the series itself are normalised.

        The series is left as it is: each window is normalised by itself, see `Forecast`.
        """
        train = np.concatenate([part[: training_steps(len(part), future.horizon)] for part in panel])
        mean, std = _moments(lambda: [train], (0,))
        shape = (future.steps, panel.flat.shape[1])
        return cls(Settings("series", shape, 1.0, (0.0, *mean[1:].tolist()), (1.0, *std[1:].tolist())), None)

    @classmethod
    def fit(cls, source: Source, rows: NDArray[np.int64]) -> Preprocessor:
        """Fit on images or series, the `rows` of the training split.

        Raises:
            InputError: a channel holds numbers that 32 bits cannot.
        """
        shape: tuple[int, ...]
        axes: tuple[int, ...]
        if source.modality == "image":
            shape, axes = np.asarray(source.inputs[0]).shape, (0, 2, 3)
        else:
            longest = max(len(source.inputs[row]) for row in rows.tolist())
            shape, axes = (longest, np.asarray(source.inputs[0]).shape[1]), (0,)
        scale = source.scale
        step = max(1, min(CHUNK, CHUNK_VALUES // int(np.prod(shape))))

        def chunks() -> Iterator[NDArray[np.float32]]:
            for start in range(0, len(rows), step):
                taken = source.take(rows[start : start + step])
                values = taken if source.modality == "image" else np.concatenate(list(taken))
                yield np.asarray(values, dtype=np.float32) / scale

        mean, std = _moments(chunks, axes)
        return cls(Settings(source.modality, shape, scale, tuple(mean.tolist()), tuple(std.tolist())), None)

    def normalise(self, inputs: Inputs) -> Encoded:
        """Raw images (I C Y X) or series, which fit the settings → normalised, in 32 bits; token ids, cut."""
        settings = self.settings
        if settings.modality == "text":
            return [np.asarray(ids[: settings.shape[0]], dtype=np.int64) for ids in inputs]
        if isinstance(inputs, np.ndarray):
            spread = (slice(None), None, None) if settings.modality == "image" else ()
            inputs = inputs[:, : settings.shape[0]] if settings.modality == "series" else inputs
            return (np.asarray(inputs, np.float32) / settings.scale - self._mean[spread]) / self._std[spread]
        return [self.normalise(np.asarray(item)[None])[0] for item in inputs]

    def encode(self, inputs: Inputs) -> Encoded:
        """Raw items of anyone → normalised images (C Y X) or series (T C), or token ids (T).

        Raises:
            InputError: an item has another shape than the training data, a value that is missing or infinite, or
                half a character.
        """
        settings = self.settings
        if settings.modality == "text":
            return encode(self.reader, [str(text) for text in inputs], settings.shape[0])
        encoded = []
        for row, item in enumerate(inputs):
            array = np.asarray(item, dtype=np.float32)
            if settings.modality == "image":
                if array.shape != settings.shape:
                    raise InputError(f"input {row}: shape {array.shape}, the model was trained on {settings.shape}")
            else:
                array = array[:, None] if array.ndim == 1 else array
                if array.ndim != 2 or array.shape[1] != settings.shape[1] or not len(array):
                    raise InputError(
                        f"input {row}: shape {array.shape}, the model was trained on series of"
                        f" {settings.shape[1]} channel(s)"
                    )
            encoded.append(self.normalise(array[None])[0])
            if not np.isfinite(encoded[-1]).all():
                raise InputError(f"input {row} has a missing or infinite value", "fill it in or leave the input out")
        return encoded

    @property
    def reader(self) -> Tokenizer:
        """The tokenizer of texts.

        Raises:
            InputError: somebody else's model came without one.
        """
        if self.tokenizer is None:
            raise InputError(
                "the model came without a tokenizer.json, so it cannot read text",
                "put the file into its folder; in Python, `logits` takes token ids",
            )
        return self.tokenizer

    def to_json(self) -> str:
        """The settings; the tokenizer is a file of its own."""
        return json.dumps(asdict(self.settings), indent=2) + "\n"

    @classmethod
    def from_json(cls, content: str, tokenizer: str | None) -> Preprocessor:
        """From `to_json` and the tokenizer's own file.

        Raises:
            ValueError: the content is not what `to_json` writes.
        """
        settings = TypeAdapter(Settings).validate_json(content)
        try:
            return cls(settings, Tokenizer.from_str(tokenizer) if tokenizer is not None else None)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"the tokenizer cannot be read: {error}") from error


def usual_length(lengths: NDArray[np.int64]) -> int:
    """The longest where it is at most 64; else the 95th percentile, but no more than 512."""
    if lengths.max() <= SHORT:
        return int(lengths.max())
    return int(min(LONGEST_TEXT, max(SHORT, np.ceil(np.percentile(lengths, 95)))))


def _moments(
    chunks: Callable[[], Iterable[NDArray[np.float32]]], axes: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel, in two passes; the latter is 1 where the channel is constant."""
    total, count = np.float64(0), 0
    for values in chunks():
        total = total + values.sum(axis=axes, dtype=np.float64)
        count += int(np.prod([values.shape[axis] for axis in axes]))
    mean = np.asarray(total / count)
    broken = np.flatnonzero(~np.isfinite(mean))
    if broken.size:
        raise InputError(f"channel {broken[0]} holds numbers that 32 bits cannot", "scale the data down")
    spread = (slice(None), None, None) if len(axes) == 3 else ()
    squares = sum(((values - mean[spread]) ** 2).sum(axis=axes) for values in chunks())
    std = np.sqrt(squares / count)
    constant = std <= 1e-7 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    return mean, np.where(constant, 1.0, std)


def collate(encoded: Encoded) -> Batch:
    """Encoded items → one batch, filled up with zeros on the right where lengths differ."""
    mask = None
    if isinstance(encoded, np.ndarray):
        stacked = encoded
    else:
        lengths = np.array([len(item) for item in encoded])
        if encoded[0].ndim < 3 and (lengths != lengths.max()).any():
            stacked = np.zeros((len(encoded), lengths.max(), *encoded[0].shape[1:]), dtype=encoded[0].dtype)
            for row, item in enumerate(encoded):
                stacked[row, : len(item)] = item
            mask = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
        else:
            stacked = np.stack(encoded)
    return Batch(torch.from_numpy(np.ascontiguousarray(stacked)), mask)
