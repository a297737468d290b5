"""From raw items to tensors: fitted on the training split, the same in training and in prediction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from tokenizers import Tokenizer

from triarch.core.errors import InputError
from triarch.core.spec import Modality
from triarch.core.types import Batch
from triarch.data.source import Inputs
from triarch.data.tokens import encode, fit_tokenizer

LONGEST_TEXT = 512


@dataclass(frozen=True)
class Settings:
    """What was fitted; everything but the vocabulary.

    Attributes:
        shape: of an item: images (C, Y, X), series (T, C), text (T,); longer texts are cut.
        scale: the value of white in raw images.
        mean, std: of each channel, after the division by `scale`.
    """

    modality: Modality
    shape: tuple[int, ...]
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


class Preprocessor:
    """Raw items ⇄ encoded items → Batch."""

    def __init__(self, settings: Settings, tokenizer: Tokenizer | None) -> None:
        self.settings = settings
        self.tokenizer = tokenizer
        self._mean = np.array(settings.mean, dtype=np.float32)
        self._std = np.array(settings.std, dtype=np.float32)

    @classmethod
    def fit(cls, modality: Modality, inputs: Inputs, scale: float, tokenizer: str) -> Preprocessor:
        """Fit on the raw inputs of the training split.

        Raises:
            InputError: a channel holds numbers that 32 bits cannot.
        """
        if modality == "text":
            texts = [str(text) for text in inputs]
            fitted = fit_tokenizer(tokenizer, texts)
            longest = max(len(ids) for ids in encode(fitted, texts))
            return cls(Settings(modality, (min(longest, LONGEST_TEXT),)), fitted)
        if modality == "image":
            images = np.asarray(inputs, dtype=np.float32) / scale
            mean, std = _moments(images, (0, 2, 3))
            shape = images.shape[1:]
        else:
            steps = np.concatenate([np.asarray(item, dtype=np.float32) for item in inputs])
            mean, std = _moments(steps, (0,))
            shape = (max(len(item) for item in inputs), steps.shape[1])
        return cls(Settings(modality, shape, scale, tuple(mean.tolist()), tuple(std.tolist())), None)

    def encode(self, inputs: Inputs, whole: bool = False) -> list[NDArray[Any]]:
        """Raw items → normalised images (C Y X) or series (T C), or token ids (T).

        Args:
            whole: texts and series keep what is beyond the longest that a model takes.

        Raises:
            InputError: an item has another shape than the training data, a value that is missing or infinite, or
                half a character.
        """
        settings = self.settings
        longest = None if whole else settings.shape[0]
        if settings.modality == "text":
            assert self.tokenizer is not None
            return encode(self.tokenizer, [str(text) for text in inputs], longest)
        encoded = []
        for row, item in enumerate(inputs):
            array = np.asarray(item, dtype=np.float32)
            if settings.modality == "image":
                if array.shape != settings.shape:
                    raise InputError(f"input {row}: shape {array.shape}, the model was trained on {settings.shape}")
                encoded.append((array / settings.scale - self._mean[:, None, None]) / self._std[:, None, None])
            else:
                array = array[:, None] if array.ndim == 1 else array
                if array.ndim != 2 or array.shape[1] != settings.shape[1] or not len(array):
                    raise InputError(
                        f"input {row}: shape {array.shape}, the model was trained on series of"
                        f" {settings.shape[1]} channel(s)"
                    )
                encoded.append((array[:longest] - self._mean) / self._std)
            if not np.isfinite(encoded[-1]).all():
                raise InputError(f"input {row} has a missing or infinite value", "fill it in or leave the input out")
        return encoded

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


def _moments(values: NDArray[np.float32], axis: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel; the latter is 1 where the channel is constant."""
    mean = values.mean(axis=axis, dtype=np.float64)
    broken = np.flatnonzero(~np.isfinite(mean))
    if broken.size:
        raise InputError(f"channel {broken[0]} holds numbers that 32 bits cannot", "scale the data down")
    std = values.std(axis=axis, dtype=np.float64)
    constant = std <= 1e-7 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
    return mean, np.where(constant, 1.0, std)


def collate(
    encoded: Sequence[NDArray[Any]],
    target: NDArray[np.int64] | None = None,
    items: NDArray[np.int64] | None = None,
) -> Batch:
    """Encoded items → one batch, filled up with zeros on the right where lengths differ."""
    lengths = np.array([len(item) for item in encoded])
    mask = None
    if encoded[0].ndim < 3 and (lengths != lengths.max()).any():
        stacked = np.zeros((len(encoded), lengths.max(), *encoded[0].shape[1:]), dtype=encoded[0].dtype)
        for row, item in enumerate(encoded):
            stacked[row, : len(item)] = item
        mask = torch.from_numpy(np.arange(lengths.max()) < lengths[:, None])
    else:
        stacked = np.stack(encoded)
    return Batch(
        input=torch.from_numpy(stacked),
        mask=mask,
        target=None if target is None else torch.from_numpy(target),
        items=None if items is None else torch.from_numpy(items),
    )
