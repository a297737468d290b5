"""Data for the exams: sizes that cannot be confused, and batches of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from triarch.core.spec import Modality, Spec, Target
from triarch.core.types import Batch

CLASSES = Target("class", tuple("abcde"))
SPECS: dict[Modality, list[Spec]] = {
    "image": [
        Spec("digit", "image", (1, 8, 8), CLASSES),
        Spec("odd", "image", (3, 9, 13), CLASSES),
        Spec("photo", "image", (3, 224, 224), CLASSES),
    ],
    "text": [Spec("label", "text", (17,), CLASSES, vocab_size=23, ragged=True)],
    "series": [
        Spec("ragged", "series", (19, 7), CLASSES, ragged=True),
        Spec("short", "series", (3, 1), CLASSES),
    ],
}


def spec(modality: Modality) -> Spec:
    """The one on which models are run."""
    return SPECS[modality][1 if modality == "image" else 0]


def inputs(spec: Spec, batch_size: int, steps: int | None = None, seed: int = 0) -> Tensor:
    """Random input of `steps` steps, the longest if not given."""
    generator = torch.Generator().manual_seed(seed)
    if spec.modality == "image":
        return torch.randn(batch_size, *spec.shape, generator=generator)
    steps = steps or spec.max_len
    if spec.modality == "text":
        return torch.randint(spec.vocab_size, (batch_size, steps), generator=generator)
    return torch.randn(batch_size, steps, spec.in_channels, generator=generator)


def mask(lengths: Sequence[int], steps: int) -> Tensor:
    """(B T), True for the first steps of each row."""
    return torch.arange(steps) < torch.tensor(lengths)[:, None]


def batch(spec: Spec, batch_size: int = 6, seed: int = 0) -> Batch:
    """A training batch, with padding where the data has it."""
    x = inputs(spec, batch_size, seed=seed)
    target = torch.arange(batch_size) % spec.num_classes
    lengths = [max(1, x.shape[1] - 2 * row) for row in range(batch_size)]
    return Batch(x, mask(lengths, x.shape[1]) if spec.ragged else None, target)
