"""Forecasts from small runs, and how far to believe them: back-test, widened intervals, crossovers, the best buy.

The nominal interval of a law covers far less than it says, since the law is not the truth. So the largest runs are held
out, forecast from the smaller ones, and every interval is widened until those held out lie inside (split conformal
prediction: Vovk et al. 2005; Lei et al. 2018, arXiv 1604.04173).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt

import numpy as np
from scipy.stats import norm, t

from triarch.core.results import Interval
from triarch.measure.powerlaw import EXPONENTS, Array, Draws, Points, draw, fit

LEVEL = 0.90
FEWEST_AMOUNTS = 3
WORST_ERROR, WORST_SCATTER, MOST_AT_BOUNDS = 0.10, 0.10, 0.5
USUAL_COUNT, USUAL_STRAYING = 2, 2.0
GIVEN, SMALL_ERROR = 1.25, 0.01
STEPS = 200

Curve = Callable[[float], Array]
"""Items → the loss in each draw (S)."""


@dataclass(frozen=True)
class HeldOut:
    """The runs of one size on one amount of data, forecast from those on less.

    Attributes:
        beyond: how many times the largest amount that the forecast was made from.
        measured: the mean of the runs.
        interval: of one training, before it is widened.
        error: of the median forecast, as a share of what was measured.
        strayed: the largest distance of a run from the median, in half widths of the interval.
    """

    params: float
    items: float
    beyond: float
    measured: float
    foretold: float
    interval: Interval
    error: float
    strayed: float


def back_test(points: Points) -> list[HeldOut]:
    """Forecast every amount of data from those below, where these are three or more."""
    found = []
    amounts = points.amounts
    for end in range(FEWEST_AMOUNTS, len(amounts)):
        known = points.where(points.items <= amounts[end - 1])
        laws = draw(known)
        beyond = points.where(points.items >= amounts[end])
        for params, items in sorted({*zip(beyond.params.tolist(), beyond.items.tolist())}):
            if params in known.params:
                values = beyond.values[(beyond.params == params) & (beyond.items == items)]
                found.append(_held_out(laws, params, items, items / float(amounts[end - 1]), values))
    return found


def widening(strayed: Sequence[float]) -> float:
    """By how much intervals are stretched so that `LEVEL` of those held out lie inside; 1: as they are.

    Where they are too few for a rank that covers so many, they tell a spread only, which is taken as Student's. Two
    more are added that strayed twice as far as intervals say of themselves, as those of such laws do.

    Args:
        strayed: of each held out, its distance from the forecast in half widths of the interval.
    """
    if not strayed:
        return 1.0
    rank = ceil((len(strayed) + 1) * LEVEL)
    if rank <= len(strayed):
        return max(1.0, sorted(strayed)[rank - 1])
    normal = float(norm.ppf((1 + LEVEL) / 2))
    count = USUAL_COUNT + len(strayed)
    spread = sqrt((USUAL_COUNT * USUAL_STRAYING**2 + sum((normal * one) ** 2 for one in strayed)) / count)
    return max(1.0, *strayed, float(t.ppf((1 + LEVEL) / 2, count)) * spread / normal)


def interval(draws: Array) -> Interval:
    """The middle `LEVEL` of draws (S)."""
    low, high = np.quantile(draws, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


@dataclass(frozen=True)
class Extrapolation:
    """What is foretold of one architecture.

    Attributes:
        laws: parameters of a size → its own law; one law for all sizes where it stands under 0.
        widened: see `widening`.
    """

    laws: Mapping[float, Draws]
    widened: float

    @property
    def joint(self) -> bool:
        """Whether sizes that were not run can be foretold too."""
        return 0.0 in self.laws

    def at(self, params: float, items: float, one_run: bool = False) -> Array:
        """The loss in each draw (S), widened around its median; `one_run`: of a training, not of its expectation."""
        laws = self.laws[0.0 if self.joint else params]
        made = np.log(np.maximum(laws.runs_at(params, items) if one_run else laws.at(params, items), 1e-12))
        middle = np.median(made)
        widened: Array = np.exp(middle + self.widened * (made - middle))
        return widened


def fitted(points: Points) -> tuple[dict[float, Draws], list[HeldOut]]:
    """The laws of `Extrapolation`, and their back-test.

    A joint law of all sizes foretells larger ones too; but where little data is, larger is often no better, and the
    terms do not add up. So it is taken only where its back-test is hardly worse than that of a law for each size.
    """
    sizes = sorted({*points.params.tolist()})
    each = {size: points.where(points.params == size) for size in sizes}
    alone = [held for size in sizes for held in back_test(each[size])]
    if len(sizes) > 1:
        together = back_test(points)
        laws = draw(points)
        bar = max(GIVEN * median_error(alone), SMALL_ERROR)
        if together and median_error(together) <= bar:
            return {0.0: laws}, together
    return {size: draw(part) for size, part in each.items()}, alone


def median_error(held: Sequence[HeldOut]) -> float:
    """Of the back-test, as a share; infinite where there is none."""
    return float(np.median([abs(one.error) for one in held])) if held else inf


def refusal(points: Points, laws: Mapping[float, Draws], held: Sequence[HeldOut]) -> str:
    """Why nothing is foretold from these runs, in words; "" where it may be."""
    if len(points.amounts) <= FEWEST_AMOUNTS:
        return f"runs on {len(points.amounts)} amounts of data are too few: {FEWEST_AMOUNTS + 1} are needed"
    if np.polyfit(np.log(points.items), np.log(points.values), 1)[0] >= 0:
        return "the loss does not fall with more data"
    if median_error(held) > WORST_ERROR:
        return f"held-out runs were missed by {median_error(held):.0%} (median; the bar is {WORST_ERROR:.0%})"
    if (scatter := scattered(points, 0.0 in laws)) > WORST_SCATTER:
        return f"runs scatter by {scatter:.0%} around the law (the bar is {WORST_SCATTER:.0%})"
    for law in laws.values():
        ends = np.abs(np.log(law.exponents[:, 1:]) - np.log(EXPONENTS)).min(axis=1)
        if (share := float((ends < 0.05).mean())) > MOST_AT_BOUNDS:
            return f"the exponent of the data lies at its bounds {EXPONENTS} in {share:.0%} of what fits"
    return ""


def scattered(points: Points, joint: bool) -> float:
    """The root of the mean squared relative error of the best law, or of those of each size."""
    parts = [points] if joint else [points.where(points.params == size) for size in np.unique(points.params)]
    squares = [(fit(part)(part.params, part.items) / part.values - 1) ** 2 for part in parts]
    return float(np.sqrt(np.concatenate(squares).mean()))


@dataclass(frozen=True)
class Crossing:
    """Where one curve falls below another.

    Attributes:
        below, above: 0 or 1, the better one up to there and from there on; the same where they do not cross.
        items: None where they do not cross; an end of the interval is None where it lies beyond reach.
        sure: the share of draws in which `below` is better at the near end of reach and `above` at the far end.
    """

    below: int
    above: int
    items: float | None
    interval: tuple[float | None, float | None] | None
    sure: float


def crossing(first: Curve, second: Curve, near: float, far: float) -> Crossing:
    """Where, from `near` to `far` items, the better of two curves changes; draw by draw.

    Draws are paired by lot, since curves that were drawn with the same random numbers would stray together.
    """
    grid = np.geomspace(near, far, STEPS)
    order = np.random.default_rng(0).permutation(len(second(near)))
    ahead = np.stack([second(items)[order] < first(items) for items in grid], axis=1)
    below, above = (int(ahead[:, place].mean() > 0.5) for place in (0, -1))
    at_ends = (ahead[:, 0] == bool(below)) & (ahead[:, -1] == bool(above))
    if below == above:
        return Crossing(below, above, None, None, float(at_ends.mean()))
    # The last step at which `below` is still ahead; 0 where it never is, STEPS where it is to the end.
    leads = ahead == bool(below)
    last = np.where(leads.any(axis=1), STEPS - np.argmax(leads[:, ::-1], axis=1), 0)
    middle, low, high = (float(np.quantile(last, share, method="nearest")) for share in (0.5, 0.05, 0.95))
    ends = [float(grid[int(place)]) if 0 < place < STEPS else None for place in (middle, low, high)]
    return Crossing(below, above, ends[0], (ends[1], ends[2]), float(at_ends.mean()))


def best_buy(
    sizes: Sequence[float], amounts: Sequence[float], loss: Callable[[float, float], float],
    cost: Callable[[float, float], float], budget: float,
) -> tuple[float, float] | None:  # fmt: skip
    """The size and the amount of data with the lowest loss whose cost is within the budget; None: there are none.

    Of several equally good the cheapest.
    """
    within = [
        (loss(size, items), cost(size, items), size, items)
        for size in sizes
        for items in amounts
        if cost(size, items) <= budget
    ]
    return min(within)[2:] if within else None


def _held_out(laws: Draws, params: float, items: float, beyond: float, values: Array) -> HeldOut:
    made = laws.runs_at(params, items)
    foretold, (low, high) = float(np.median(made)), interval(made)
    strayed = []
    for value in values.tolist():
        half = np.log(high / foretold) if value > foretold else np.log(foretold / low)
        strayed.append(abs(np.log(value / foretold)) / max(half, 1e-12))
    measured = float(values.mean())
    return HeldOut(
        params, items, beyond, measured, foretold, (low, high), foretold / measured - 1, float(max(strayed))
    )  # fmt: skip
