"""The Pareto front: the points that no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan

Point = Sequence[float | None]


def front(points: Sequence[Point]) -> list[int]:
    """The positions, ascending, of the points that no other dominates: no worse anywhere and better somewhere.

    Args:
        points: values that are to be small, as many in each; a gain goes in negated. None or NaN, not known, is the
            worst of all. Equal points do not dominate each other.
    """
    known = [tuple(inf if value is None or isnan(value) else value for value in point) for point in points]
    return [place for place, point in enumerate(known) if not any(_dominates(other, point) for other in known)]


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(left <= right for left, right in zip(one, other, strict=True))
