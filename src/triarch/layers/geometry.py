"""What depends on the size of the input, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log2, prod
from typing import Literal

from triarch.core.spec import Spec

ImageOrder = Literal["rows", "patches"]


def patch_side(rows: int, columns: int) -> int:
    """Side of a square patch: a power of two, 2 to 16, that makes at least 7 patches of the shorter side.

    8 pixels → 2, 28 and 32 → 4, 64 and 96 → 8, from 112 on 16.
    """
    return 1 << min(4, max(1, floor(log2(max(1, min(rows, columns)) / 7))))


def patch_grid(rows: int, columns: int) -> tuple[int, int]:
    """How many square patches lie below and beside each other; the last ones may stand over the edge."""
    side = patch_side(rows, columns)
    return ceil(rows / side), ceil(columns / side)


def num_steps(spec: Spec, image: ImageOrder) -> int:
    """T, the steps that a sequence backbone sees of one item at most."""
    if spec.modality != "image":
        return spec.max_len
    _, rows, columns = spec.shape
    if image == "rows":
        return rows
    return prod(patch_grid(rows, columns))


def num_poolings(spec: Spec, wanted: int) -> int:
    """How many times the input can be halved: at most `wanted`, and never below one position."""
    shortest = min(spec.shape[1:]) if spec.modality == "image" else spec.max_len
    return min(wanted, floor(log2(max(1, shortest))))


def halved_kernels(steps: int, longest: int) -> tuple[int, int, int]:
    """Odd widths of three kernels, each about half of the one before: `longest`, or what a sequence of `steps` holds.

    39 → 39, 19, 9; over 29 steps 29, 13, 7; over 3 steps 3, 1, 1.
    """
    widest = max(1, min(steps, longest))
    first, second, third = (max(1, (part - 1) // 2 * 2 + 1) for part in (widest, widest // 2, widest // 4))
    return first, second, third


def series_patch(steps: int) -> tuple[int, int]:
    """Length and stride of the patches of a series: a power of two near the root of its length, and half of that.

    3 steps → 2, 29 → 4, 96 → 8, 336 and 512 → 16, 1,460 → 32.
    """
    length = 1 << max(1, floor(log2(max(1, steps)) / 2))
    return length, length // 2


def is_large(spec: Spec) -> bool:
    """Whether a stem may shrink the input fourfold: images above 64 pixels a side, sequences above 512 steps."""
    return min(spec.shape[1:]) > 64 if spec.modality == "image" else spec.max_len > 512


def strides(spec: Spec, wanted: Sequence[int], taken: int = 1) -> tuple[int, ...]:
    """Which of the strides 2 that a convolutional network wants the input has room for; the others become 1.

    The earliest are left out, so that the detail of small inputs lives longest; at least 3 places a side of an image
    and 16 steps of a sequence remain.

    Args:
        wanted: 1 or 2 for each of the layers, in their order.
        taken: what came before them has shrunk the input by this.
    """
    least = 3 if spec.modality == "image" else 16
    side = ceil((min(spec.shape[1:]) if spec.modality == "image" else spec.max_len) / taken)
    made = list(wanted)
    room = 0
    while (side := ceil(side / 2)) >= least:
        room += 1
    for place in reversed(range(len(made))):
        if made[place] == 2:
            made[place] = 2 if room > 0 else 1
            room -= 1
    return tuple(made)
