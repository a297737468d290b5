"""A made-up data set of the nominal shape, to describe a model before there is data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triarch.core.spec import Modality, reference
from triarch.data.source import Source
from triarch.data.store import Texts


def nominal_source(modality: Modality) -> Source:
    """Noise in the shape of `reference`: 12 items in each of 10 classes."""
    spec = reference(modality)
    random = np.random.default_rng(0)
    labels = np.arange(120) % spec.num_classes
    inputs: NDArray[Any] | Texts
    if modality == "text":
        characters = [chr(33 + number) for number in range(90)]
        inputs = Texts.of("".join(random.choice(characters, spec.max_len)) for _ in labels)
    else:
        inputs = random.normal(size=(len(labels), *spec.shape)).astype(np.float32)
    return Source(spec.name, modality, inputs, labels, spec.target.names)
