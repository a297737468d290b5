"""The real steps of a padded batch end to end in one row, so that nothing is computed of its padding.

What works on each step alone sees the row as any other; attention goes through it sequence by sequence, see
`SelfAttention`. On a CPU that is worth more than any order of the batches (bench/language.py packing).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from torch import Tensor

from triarch.layers.unreal import only_sizes

# Attention has to be called for each length: padding below so many numbers for a call costs less.
SPARED = 3000


@dataclass(frozen=True)
class Pack:
    """Which steps are real, sequences of one length beside each other.

    Attributes:
        index: (M), where in the B·T steps of the batch each step of the row comes from.
        places: (1 M), where in its sequence it stands.
        groups: how many sequences there are of each length, in their order: (sequences, steps).
    """

    index: Tensor
    places: Tensor
    groups: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, mask: Tensor) -> Pack:
        """Of a mask (B T), True where a step is real, padding on the right."""
        lengths, order = mask.sum(dim=1).sort(stable=True)
        rows = mask[order]
        number, place = rows.nonzero(as_tuple=True)
        groups = tuple((len(list(same)), steps) for steps, same in groupby(lengths.tolist()) if steps)
        return cls(order[number] * mask.shape[1] + place, place[None], groups)

    @property
    def longest(self) -> int:
        """Steps of the longest sequence."""
        return max((steps for _, steps in self.groups), default=0)

    def flat(self, x: Tensor) -> Tensor:
        """(B T …) → (1 M …)."""
        return x.flatten(0, 1).index_select(0, self.index)[None]

    def padded(self, flat: Tensor, mask: Tensor) -> Tensor:
        """(1 M D) → (B T D), zeros where `mask` says that nothing is real."""
        spread = flat.new_zeros(mask.numel(), flat.shape[-1])
        return spread.index_copy(0, self.index, flat[0]).view(*mask.shape, -1)


def pack(mask: Tensor | None, dim: int) -> Pack | None:
    """The pack of a batch whose steps are `dim` wide, where it saves time."""
    if mask is None or mask.device.type != "cpu" or only_sizes(mask):
        return None
    lengths = mask.sum(dim=1)
    padding = mask.numel() - int(lengths.sum())
    return Pack.of(mask) if padding * dim > SPARED * len(lengths.unique()) else None
