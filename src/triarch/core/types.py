"""The tensors that travel through the house.

Shape letters, the same in every docstring of the project:

    B batch      T steps       D width        N heads      H width of one head, or steps ahead
    C channels   Y X rows and columns         K classes    V vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

Kind = Literal["sequence", "grid", "pyramid"]
NOTHING = -100
"""The target of a step at which nothing is sought."""


@dataclass(frozen=True)
class Batch:
    """Items on their way into a model.

    Attributes:
        input: images (B C Y X), series (B T C) or token ids (B T).
        mask: (B T), True where a step is real; None where nothing is padded. Padding is on the right.
        target: (B), class numbers; None when the answer is not known. In training also (B K), each class's share of an
            item mixed from several, which sum to 1. Where series are continued (B H), their next values.
        items: (B), the row numbers of the items in their data set; None outside a data set.
        unit: (B), what an error counts by where series are continued: how far the series moves in a season; of texts
            bytes.
        base, spread: (B H) and (B), a first guess and the size of what it may lack, put in by `Forecast`.
        sought: (B T), True at the tokens that are sought, where not all are; `LanguageModel` makes the target of it.
        given: (B T), what a decoder is given of the answer, one step behind `target` (B T), put in by `Translate`.
        written: (B T), the tokens of the answer that a model wrote, [PAD] after its [END].
        references: the text of each answer, where answers are texts.
    """

    input: Tensor
    mask: Tensor | None = None
    target: Tensor | None = None
    items: Tensor | None = None
    unit: Tensor | None = None
    base: Tensor | None = None
    spread: Tensor | None = None
    sought: Tensor | None = None
    given: Tensor | None = None
    written: Tensor | None = None
    references: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return self.input.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`."""
        moved: dict[str, Any] = {name: value.to(device) for name, value in self.tensors().items()}
        return replace(self, **moved)

    def tensors(self) -> dict[str, Tensor]:
        """Those that are there, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


@dataclass(frozen=True)
class Features:
    """What a backbone makes of a batch.

    Attributes:
        values: a sequence (B T D) or a grid (B D Y X), as `kind` says.
        mask: (B T), True where a step of `values` is real; None where all are.
        pooled: (B P), the architecture's own summary of the whole item.
    """

    values: Tensor
    mask: Tensor | None
    kind: Kind
    pooled: Tensor


@dataclass(frozen=True)
class FeatureShape:
    """What a backbone will make, known before it runs.

    Attributes:
        dim: D, the width of `Features.values`.
        stride: input steps (or pixels) for one step of `values`.
        pooled_dim: P, the width of `Features.pooled`.
    """

    kind: Kind
    dim: int
    stride: int
    pooled_dim: int
